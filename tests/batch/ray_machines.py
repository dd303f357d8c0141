"""Ray machines that are processes of this one, started as a person would, by `ray start`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

STARTS_WITHIN = 120.0  # s; this is a busy machine


class Machines:
    """A head without CPUs and machines of one CPU, which only this process's token opens."""

    def __init__(self, folder: Path) -> None:
        token = folder / "token"
        token.write_text(os.urandom(16).hex())
        self._folder = folder
        self.environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        self._running: list[subprocess.Popen[bytes]] = []
        port, client = _free_port(), _free_port()
        self._start("--head", f"--port={port}", f"--ray-client-server-port={client}", cpus=0)
        # Ray prefers another address than the loopback's.
        self.address = f"{socket.gethostbyname(socket.gethostname())}:{port}"
        self.client_address = f"ray://127.0.0.1:{client}"
        _await_port("127.0.0.1", client)

    def add(self, **environment: str) -> subprocess.Popen[bytes]:
        """One more machine; ``environment``: what its workers find there."""
        return self._start(f"--address={self.address}", cpus=1, more=environment)

    def remove(self, machine: subprocess.Popen[bytes]) -> None:
        """Take a machine away without notice; the kernel ends what Ray has started there."""
        os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()

    def __enter__(self) -> Machines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for machine in reversed(self._running):
            with suppress(ProcessLookupError):
                os.killpg(machine.pid, signal.SIGTERM)
        for machine in self._running:
            try:
                machine.wait(3)
            except subprocess.TimeoutExpired:
                self.remove(machine)

    def _start(
        self, *options: str, cpus: int, more: Mapping[str, str] = {}
    ) -> subprocess.Popen[bytes]:
        command = [
            *(str(Path(sys.executable).with_name("ray")), "start", "--block", *options),
            *(f"--num-cpus={cpus}", f"--object-store-memory={80 * 2**20}"),
            *("--include-dashboard=false",) * ("--head" in options),
        ]
        path = self._folder / f"ray{len(self._running)}.log"
        with path.open("wb") as log:
            machine = subprocess.Popen(
                command,
                env={**self.environment, **more},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(machine)
        end = time.monotonic() + STARTS_WITHIN
        while b"Ray runtime started" not in path.read_bytes():
            if machine.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"{' '.join(command)}: {path.read_text()[-2000:]}")
            time.sleep(0.2)
        return machine


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _await_port(host: str, port: int) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.2)
    raise TimeoutError(f"nobody answers at {host}:{port}")
