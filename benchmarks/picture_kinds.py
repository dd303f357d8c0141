"""How far keypoints move when the same clip comes as HDR, with oblong pixels, or untagged.

Every clip is written anew from its own frames: as SDR (the reference), in PQ and HLG with BT.2020's
colours, squeezed to half its width with pixels twice as wide as high, and, as a control, in
SDR at an ordinary quality. Detection and tracking
run on each; the table gives the distance of each keypoint (keypoints and people of at least 0.5 in
the reference) from the nearest person's, in percent of the person's size (the longer side of the
box), and how many of the reference's people were found within 30 percent.

    python benchmarks/picture_kinds.py ../shared/data/video/single_pose.mp4 [CLIP ...] [--frames 60]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from vidpose.inference import PoseModel
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

Images = Sequence[NDArray[np.uint8]]

_BT709, _BT2020, _PQ, _HLG = 1, 9, 16, 18
_TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
_WHITE = 203.0  # nits, BT.2408
_MIN_CONFIDENCE = 0.5
_CONTROL = "sdr, compressed more"  # how far an invisible change moves keypoints


def coded_as(image: NDArray[np.uint8], transfer: int) -> NDArray[np.float64]:
    """An SDR image in PQ or HLG (BT.2100), its white at 203 nits."""
    light = np.maximum((image / 255.0) ** 2.4 @ _TO_BT2020.T, 0.0)
    if transfer == _PQ:
        power = (light * _WHITE / 10000) ** (2610 / 16384)
        ratio = (3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)
        return np.asarray(ratio ** (2523 / 32))
    shown = light * _WHITE / 1000
    luminance = np.maximum(shown @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright))


def write(path: Path, images: Images, rate: Fraction, kind: str) -> Path:
    """The images as a nearly lossless clip of one kind: sdr, pq, hlg or wide pixels."""
    hdr = {"pq": _PQ, "hlg": _HLG}.get(kind)
    height, width = images[0].shape[:2]
    with av.open(str(path), "w") as out:
        if hdr:
            stream = out.add_stream("libx265", rate=rate, options={"crf": "8", "preset": "fast"})
            stream.codec_context.options |= {"x265-params": "log-level=0"}
        else:
            crf = "20" if kind == _CONTROL else "8"
            stream = out.add_stream("libx264", rate=rate, options={"crf": crf})
        context = stream.codec_context
        stream.width, stream.height = (width // 2 if kind == "wide pixels" else width), height
        stream.pix_fmt = "yuv420p10le" if hdr else "yuv420p"
        context.colorspace = context.color_primaries = _BT2020 if hdr else _BT709
        context.color_trc, context.color_range = hdr or _BT709, 1
        if kind == "wide pixels":
            context.sample_aspect_ratio = Fraction(2, 1)
        for image in images:
            out.mux(stream.encode(_picture(image, hdr, stream.width, stream.pix_fmt)))
        out.mux(stream.encode(None))
    return path


def _picture(image: NDArray[np.uint8], hdr: int | None, width: int, pix_fmt: str) -> VideoFrame:
    if hdr:
        coded = np.round(np.clip(coded_as(image, hdr), 0, 1) * 65535).astype(np.uint16)
        picture = VideoFrame.from_ndarray(coded, format="rgb48le")
    else:
        size = (width, image.shape[0])
        scaled = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        picture = VideoFrame.from_ndarray(scaled, format="rgb24")
    matrix = Colorspace.BT2020 if hdr else Colorspace.ITU709
    picture = picture.reformat(
        format=pix_fmt, dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
    )
    picture.color_trc, picture.color_primaries = hdr or _BT709, _BT2020 if hdr else _BT709
    return picture


def read(clip: Path, frames: int) -> tuple[list[NDArray[np.uint8]], Fraction]:
    """The first frames of a clip, their sides even, and its rate."""
    with VideoReader(clip) as reader:
        rate = Fraction(reader.info.average_rate or 30).limit_denominator(1001)
        images = [frame.image for frame, _ in zip(reader, range(frames), strict=False)]
    height, width = (side // 4 * 4 for side in images[0].shape[:2])
    return [np.ascontiguousarray(image[:height, :width]) for image in images], rate


def people_of(model: PoseModel, clip: Path) -> list[FrameResult]:
    stream = PoseStream(model)
    with VideoReader(clip) as reader:
        return [stream.step(frame.image, frame.time) for frame in reader]


def moved(reference: list[FrameResult], other: list[FrameResult]) -> tuple[list[float], int, int]:
    """Distances in percent of the person's size, and how many people were found of how many."""
    distances: list[float] = []
    found = wanted = 0
    for before, after in zip(reference, other, strict=True):
        for person in before.people:
            size = max(person.box[2:])
            sure = person.keypoints[:, 2] >= _MIN_CONFIDENCE
            if person.score < _MIN_CONFIDENCE or not sure.any():
                continue
            wanted += 1
            offsets = [
                np.hypot(*(each.keypoints[:, :2] - person.keypoints[:, :2]).T)[sure] / size * 100
                for each in after.people
            ]
            nearest = min(offsets, key=lambda each: float(each.mean()), default=None)
            if nearest is not None and nearest.mean() < 30:
                found += 1
                distances += nearest.tolist()
    return distances, found, wanted


def main() -> None:
    """Print a table of how far keypoints move."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--model", default="dkd-lite-int8")
    arguments = parser.parse_args()
    model = PoseModel.load(arguments.model)
    print("| clip | kind | people found | mean % | median % | 95 % of them within % |")
    print("|---|---|---|---|---|---|")
    for clip in arguments.clips:
        images, rate = read(clip, arguments.frames)
        with tempfile.TemporaryDirectory() as folder:
            made = {
                kind: people_of(model, write(Path(folder) / f"{kind}.mp4", images, rate, kind))
                for kind in ("sdr", _CONTROL, "pq", "hlg", "wide pixels")
            }
        for kind, results in list(made.items())[1:]:
            distances, found, wanted = moved(made["sdr"], results)
            mean, median, most = (
                np.mean(distances),
                np.median(distances),
                np.quantile(distances, 0.95),
            )
            print(
                f"| {clip.name} | {kind} | {found} of {wanted} "
                f"| {mean:.2f} | {median:.2f} | {most:.2f} |"
            )


if __name__ == "__main__":
    main()
