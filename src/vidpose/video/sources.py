"""What may be given as a source: files, folders, globs, webcams and network streams."""

from __future__ import annotations

import glob
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from vidpose.errors import InputError
from vidpose.video.file_object import VideoSource
from vidpose.video.tag import is_drawn

VIDEO_SUFFIXES = (
    frozenset({".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".flv", ".f4v"})
    | {".mpg", ".mpeg", ".mpe", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".dv", ".nut"}
    | {".wmv", ".asf", ".3gp", ".3g2", ".ogv", ".ogg", ".rm", ".rmvb", ".gif", ".apng", ".y4m"}
    | {".h264", ".264", ".h265", ".hevc", ".ivf", ".obu", ".mjpeg", ".mjpg"}
)
"""File name endings taken as videos when a folder or a glob is searched."""

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2"}
)
"""File name endings taken as the single images of an image sequence."""


_STREAM = re.compile(r"webcam:|[A-Za-z][A-Za-z0-9+.-]+://")  # two letters: C:// is a path


def is_stream(spec: VideoSource) -> bool:
    """Whether the source is a webcam (``webcam:0``) or a network address (``rtsp://...``)."""
    return isinstance(spec, str) and _STREAM.match(spec) is not None


def is_image(path: Path) -> bool:
    """Whether the file's name ends like an image's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key under which frame_9 comes before frame_10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _visible_files(folder: Path) -> list[Path]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    return sorted((entry for entry in entries if entry.is_file()), key=_natural_key)


def _glob_matches(pattern: str) -> list[Path]:
    # Path.glob takes no absolute patterns.
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207
    return sorted(map(Path, found), key=_natural_key)


def _is_pattern(spec: str | Path) -> bool:
    return isinstance(spec, str) and glob.has_magic(spec) and not exists(Path(spec))


def exists(path: Path) -> bool:
    """Whether the path exists; also for names that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def missing_file(spec: str | Path) -> InputError:
    """The error for a source that does not exist."""
    return InputError(f"{spec}: no such file or folder; check the name")


def image_sequence(spec: str | Path) -> list[Path] | None:
    """The images that a source stands for, in natural order of their names.

    ``spec``: an image folder, a glob of images or one image file. None for anything else that
    exists; raises InputError for what does not exist or holds no images. Images that vidpose drew
    are passed over among others.
    """
    _refuse_empty(spec)
    if _is_pattern(spec):
        every = _glob_matches(str(spec))
        matches = _undrawn(every) or every
        images = [path for path in matches if is_image(path)]
        if images and len(images) == len(matches):
            return images
        what = f"matches {len(matches)} entries, not images alone" if matches else "matches nothing"
        raise InputError(f"{spec}: the pattern {what}; give one video, or a pattern of images")
    path = Path(spec)
    if exists(path) and path.is_dir():
        files = _visible_files(path)
        images = [file for file in files if is_image(file)]
        videos = _undrawn(filter(_is_video, files))
        if images and not videos:
            return _undrawn(images) or images
        what = "videos" if videos else "no images"
        raise InputError(f"{path}: a folder with {what}; give a video or a folder of images")
    if not exists(path):
        raise missing_file(spec)
    return [path] if is_image(path) else None


def _undrawn(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if not is_drawn(file)]


def expand_sources(specs: Sequence[str]) -> list[Path | str]:
    """The single sources, each fit for ``VideoReader``, that the given names stand for.

    A file stands for itself. A folder stands for the videos directly in it, in natural order, or
    for itself if it holds images but no videos (one image sequence). A glob (``*``, ``?``,
    ``[...]``, ``**``) stands for the videos and folders it matches, or for itself if it matches
    images alone; files of unknown kind count only where it matches nothing else. Webcams and
    network addresses (str) pass unchanged; ``-`` is the standard input. Repeated sources appear
    once. Videos and images that vidpose drew are passed over, whatever their names. Raises
    InputError for a name that stands for nothing or for nothing else, and for such a file that is
    named itself.
    """
    sources: dict[Path | str, None] = {}
    for spec in specs:
        sources.update(dict.fromkeys(_expand(spec)))
    if not sources:
        raise InputError("no source given; name a video file, a folder, a glob or webcam:0")
    return list(sources)


def _refuse_empty(spec: str | Path) -> None:
    """As a path it would be the current folder."""
    if not str(spec).strip():
        raise InputError("the source's name is empty; name a file or a folder (. is this one)")


def _expand(spec: str) -> Iterable[Path | str]:
    _refuse_empty(spec)
    if is_stream(spec):
        return [spec]
    if spec == "-":
        return [_standard_input()]
    if _is_pattern(spec):
        return _expand_pattern(spec)
    path = Path(spec)
    if not exists(path):
        raise missing_file(spec)
    if not path.is_dir():
        if is_drawn(path):
            raise InputError(
                f"{spec}: vidpose drew this {'picture' if is_image(path) else 'video'}, its "
                "skeletons would be seen as parts of the people; give the original one"
            )
        return [path]
    sources = _expand_folder(path)
    if not sources:
        known = any(is_image(file) or _is_video(file) for file in _visible_files(path))
        what = "nothing but what vidpose drew" if known else "no videos and no images"
        raise InputError(f"{spec}: {what} in this folder; name another one")
    return sources


def _standard_input() -> Path:
    path = Path("/dev/stdin")
    if not exists(path):
        raise InputError("-: this system has no name for the standard input; give a file")
    if sys.stdin is not None and sys.stdin.isatty():
        raise InputError("-: the standard input is the keyboard; send a video into it: < dance.mp4")
    return path


def _expand_folder(folder: Path) -> list[Path | str]:
    files = _visible_files(folder)
    videos = _undrawn(filter(_is_video, files))
    if videos:
        return list(videos)
    return [folder] if any(is_image(file) and not is_drawn(file) for file in files) else []


def _expand_pattern(pattern: str) -> list[Path | str]:
    every = _glob_matches(pattern)
    if not every:
        raise InputError(f"{pattern}: the pattern matches nothing; check it, and quote it")
    matches = _undrawn(every)
    if not matches:
        raise InputError(f"{pattern}: matches nothing but what vidpose drew")
    sources: list[Path | str] = []
    for match in matches:
        if match.is_dir():
            sources += _expand_folder(match)
        elif _is_video(match):
            sources.append(match)
    others: list[Path | str] = [match for match in matches if not is_image(match)]
    return sources or others or [pattern]
