"""Short clips of painted walkers."""

from __future__ import annotations

from pathlib import Path

import av

import painted

RATE, SIZE = 10, (120, 200)


def film(path: Path, frames: int = 6, people: int = 1, *, key_every: int = 12) -> Path:
    """A clip of painted walkers, whom the shipped finder does not know."""
    actors = [
        painted.Actor(
            lambda time, n=n: (40 + 60 * n + 10 * time, 60), height=80, colour=80 + 70 * n
        )
        for n in range(people)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"g": str(key_every)})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        for number in range(frames):
            picture = painted.paint(actors, number / RATE, SIZE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
