"""The live page: pictures with skeletons, and how it goes, for browsers near and far.

Needs the optional part `vidpose[live]` (Starlette and uvicorn).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from importlib.resources import files
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from vidpose.errors import VidposeError
from vidpose.live.session import LiveNumbers

if TYPE_CHECKING:
    from vidpose.live.pictures import NewestPicture

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")
_COOKIE = "vidpose_token"
_BOUNDARY = "vidposeframe"


def live_page(
    picture: NewestPicture, numbers: Callable[[], LiveNumbers], token: str | None, title: str
) -> Starlette:
    """The page at `/`, its pictures (multipart JPEG) and its numbers (server-sent events).

    ``token``: what every request must bring as `?token=` (or the cookie that the page then sets);
    None asks for nothing and answers to names of this machine alone, so that no foreign page can
    reach it through a name of its own.
    """

    def allowed(request: Request) -> bool:
        given = request.query_params.get("token") or request.cookies.get(_COOKIE) or ""
        return token is None or hmac.compare_digest(given.encode(), token.encode())

    def guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def reply(request: Request) -> Response:
            if allowed(request):
                return answer(request)
            return PlainTextResponse("the token is missing or wrong\n", status_code=403)

        return reply

    def page(request: Request) -> Response:
        text = (files("vidpose.live") / "page" / "live.html").read_text(encoding="utf-8")
        response = HTMLResponse(text.replace("$title", json.dumps(title).replace("<", "\\u003c")))
        if token is not None:
            response.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
        return response

    def pictures(request: Request) -> Response:
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        return StreamingResponse(_parts(picture), media_type=kind)

    def events(request: Request) -> Response:
        return StreamingResponse(_events(numbers), media_type="text/event-stream")

    hosts = ["*"] if token is not None else list(LOCAL_HOSTS)
    return Starlette(
        routes=[
            Route("/", guarded(page)),
            Route("/pictures", guarded(pictures)),
            Route("/numbers", guarded(events)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
    )


async def _parts(picture: NewestPicture) -> AsyncIterator[bytes]:
    seen = 0
    with picture.watched():
        while not picture.closed:
            newest = picture.after(seen)
            if newest is None:
                await asyncio.sleep(0.005)
                continue
            seen, jpeg = newest
            head = (
                f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            )
            yield head.encode() + jpeg + b"\r\n"


async def _events(numbers: Callable[[], LiveNumbers]) -> AsyncIterator[bytes]:
    while True:
        yield f"data: {json.dumps(asdict(numbers()))}\n\n".encode()
        await asyncio.sleep(0.5)


class PageServer:
    """Serves an application on a thread of its own, from construction to ``close``.

    ``port`` 0 takes a free one. Raises VidposeError when the address cannot be had.
    """

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen()
        except (OSError, OverflowError) as error:
            self._socket.close()
            why = getattr(error, "strerror", None) or error
            raise VidposeError(
                f"cannot serve at {host}:{port}: {why}; try another --port"
            ) from error
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        # Signals are the command line's matter.
        self._thread = Thread(target=self._serve, name="live-page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving; open pages end."""
        self._server.should_exit = True
        self._thread.join(timeout=3.0)
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
