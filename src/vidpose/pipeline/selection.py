"""Which part of a picture is searched, and whom to keep of those who were found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import index

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.results import FrameResult, Person

Image = NDArray[np.uint8]
Region = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Viewport:
    """The part of a picture that is searched, and how small it is made.

    ``region``: x, y, width, height in pixels of the picture; None is all of it. ``max_side``: the
    longer side of what is searched, at most; None keeps its size. ``source``: how errors call
    the video.
    """

    region: Region | None = None
    max_side: int | None = None
    source: str = "the picture"

    def apply(self, image: Image, find: Callable[[Image], FrameResult]) -> FrameResult:
        """What ``find`` sees there, in coordinates of the whole picture."""
        if self.region is None and self.max_side is None:
            return find(image)
        height, width = image.shape[:2]
        x, y, w, h = self.region or (0, 0, width, height)
        if x + w > width or y + h > height:
            raise InputError(
                f"{self.source}: region {x},{y},{w},{h} reaches beyond its {width}x{height} pixels"
            )
        part = _smaller(image[y : y + h, x : x + w], self.max_side)
        scale = (w / part.shape[1], h / part.shape[0])
        result = find(part)
        return replace(result, people=tuple(_moved(p, scale, (x, y)) for p in result.people))

    def shrink(self, image: Image, result: FrameResult) -> tuple[Image, FrameResult]:
        """Picture and result as they are drawn: made smaller, the region left alone."""
        small = _smaller(image, self.max_side)
        if small.shape == image.shape:
            return image, result
        scale = (small.shape[1] / image.shape[1], small.shape[0] / image.shape[0])
        return small, replace(result, people=tuple(_moved(p, scale, (0, 0)) for p in result.people))

    def drawn_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the drawn video."""
        return _small_size(width, height, self.max_side)


class Chooser:
    """Keeps the people who are wanted.

    ``person``: "largest" is the one with the largest box of each frame, "first" the one who was
    there first, a number that id, "x,y@t" whoever's box has the point (x, y) at t seconds, from
    then on. ``min_score``: the score below which a person is left out of a frame.
    """

    def __init__(self, person: str | int | None, min_score: float) -> None:
        self._text = None if person is None else str(person).strip()
        self._min_score = min_score
        self._seen: set[int] = set()
        self._kept: set[int] = set()
        self._wanted: int | None = None
        self._place: tuple[float, float, float] | None = None
        self._found = self._text is None
        if self._text is not None and self._text not in ("largest", "first"):
            self._wanted, self._place = _parsed(self._text)

    def keep(self, result: FrameResult, seconds: float) -> FrameResult:
        """The result without the others. ``seconds``: time since the video's first frame."""
        people = [person for person in result.people if person.score >= self._min_score]
        self._seen.update(person.id for person in result.people)
        self._kept.update(person.id for person in people)
        if self._text is not None:
            people = self._chosen(people, seconds)
            self._found = self._found or bool(people)
        return replace(result, people=tuple(people))

    @property
    def warnings(self) -> list[str]:
        """What to say at the end: who is in no frame, and that no person was chosen."""
        found = []
        never = len(self._seen - self._kept)
        if never:
            who = "1 person whose score" if never == 1 else f"{never} people whose scores"
            found.append(f"left out: {who} never reached {self._min_score:g} (--min-score)")
        if not self._found:
            found.append(
                f"no person fits '{self._text}', which was asked for; the results are empty"
            )
        return found

    def _chosen(self, people: list[Person], seconds: float) -> list[Person]:
        if self._text == "largest":
            return sorted(people, key=lambda person: -person.box[2] * person.box[3])[:1]
        if self._wanted is None and self._text == "first" and people:
            self._wanted = min(person.id for person in people)
        if self._wanted is None and self._place is not None and seconds >= self._place[2]:
            x, y, _ = self._place
            self._wanted = _at(people, x, y)
        return [person for person in people if person.id == self._wanted]


def _parsed(text: str) -> tuple[int | None, tuple[float, float, float] | None]:
    if text.isdecimal():
        return int(text), None
    number = r"\s*(\d+(?:\.\d*)?)\s*"
    match = re.fullmatch(f"{number},{number}@(.+)", text)
    if match is None:
        raise InputError(
            f"person '{text}': say largest, first, an id such as 3, or a place and a time such as "
            "320,200@1.5 (x,y in pixels, seconds from the start)"
        )
    return None, (float(match[1]), float(match[2]), seconds_of(match[3], "person"))


def _at(people: list[Person], x: float, y: float) -> int | None:
    """The id of the person whose box has the point; of several, who has it nearest the middle."""
    inside = []
    for person in people:
        left, top, width, height = person.box
        if left <= x <= left + width and top <= y <= top + height:
            away = ((x - left) / width - 0.5) ** 2 + ((y - top) / height - 0.5) ** 2
            inside.append((away, person.id))
    return min(inside)[1] if inside else None


def seconds_of(value: str | float, name: str) -> float:
    """A time: seconds, or text such as "90", "1:30", "00:01:30.500". InputError for others."""
    given: object = value  # of a program, which mypy may not have seen
    if isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool):
        seconds = float(given)
    elif isinstance(value, str) and re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", value.strip()):
        seconds = 0.0
        for part in value.split(":"):
            seconds = 60 * seconds + float(part)
    else:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{name} '{value}': give seconds, or hh:mm:ss.mmm, not before 0")
    return seconds


def region_of(value: str | Region) -> Region:
    """x, y, width, height from themselves or from text. InputError for anything else."""
    try:
        parts = value.split(",") if isinstance(value, str) else map(index, value)
        x, y, width, height = (int(part) for part in parts)
    except (TypeError, ValueError):
        x = y = width = height = -1
    if x < 0 or y < 0 or width < 1 or height < 1:
        raise InputError(
            f"region '{value}': give x,y,width,height in whole pixels, such as 0,0,640,360"
        )
    return x, y, width, height


def _small_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    if max_side is None or max(width, height) <= max_side:
        return width, height
    factor = max_side / max(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _smaller(image: Image, max_side: int | None) -> Image:
    height, width = image.shape[:2]
    size = _small_size(width, height, max_side)
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _moved(person: Person, scale: tuple[float, float], offset: tuple[int, int]) -> Person:
    """The person in another picture's pixels: scaled, then shifted."""
    x, y, width, height = person.box
    box = (x * scale[0] + offset[0], y * scale[1] + offset[1], width * scale[0], height * scale[1])
    points = person.keypoints.copy()
    # The origin of points is a pixel's centre, that of boxes its edge.
    points[:, :2] = (points[:, :2] + 0.5) * scale + np.array(offset) - 0.5
    return Person(person.id, person.score, box, points)
