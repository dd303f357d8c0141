from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from video_clips import beep, grey, packet_times, regular, write_clip

from vidpose.errors import InputError
from vidpose.video import VideoReader


def audio_only(path: Path) -> None:
    with av.open(str(path), "w") as out:
        track = out.add_stream("aac", rate=48000)
        for frame in beep(0.0, 0.5):
            out.mux(track.encode(frame))
        out.mux(track.encode(None))


def image_as_video(path: Path) -> None:
    picture = path.with_suffix(".jpg")
    cv2.imwrite(str(picture), grey(0, (20, 20)))
    picture.rename(path)


def cut_before_index(path: Path) -> None:
    write_clip(path, regular(60))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 100])


def undecodable(path: Path) -> None:
    write_clip(path, regular(5), container_options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = np.random.default_rng(0).bytes(len(data) - start)
    path.write_bytes(data)


CASES = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.touch(), "empty"),
    "folder": (lambda path: path.mkdir(), "no images"),
    "audio_only": (audio_only, "only sound"),
    "image_as_video": (image_as_video, "still image"),
    "text_as_video": (lambda path: path.write_text("This is no video.\n" * 50), "not a video"),
    "cut_before_index": (cut_before_index, "cut short, .* index"),
    "undecodable": (undecodable, "not one frame"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    make, words = CASES[name]
    path = tmp_path / "input.mp4"
    make(path)
    with pytest.raises(InputError, match=words) as caught:
        VideoReader(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "; " in message, "says what to do"


def test_an_album_cover_is_no_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", [0.0, 0.1], codec="mjpeg", audio="aac")
    song = tmp_path / "song.mp4"
    with av.open(str(clip)) as source, av.open(str(song), "w") as out:
        tracks = [out.add_stream_from_template(stream, True) for stream in source.streams]
        tracks[0].disposition = int(Disposition.attached_pic)
        packets = [packet for packet in source.demux() if packet.size]
        cover = next(packet for packet in packets if packet.stream.index == 0)
        for packet in [cover, *(packet for packet in packets if packet.stream.index == 1)]:
            packet.stream = tracks[packet.stream.index]
            out.mux(packet)
    with av.open(str(song)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(InputError, match="only sound"):
        VideoReader(song)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("webcam:99", "cannot be opened"),
        ("webcam:front", "named by its number"),
        ("rtsp://127.0.0.1:1/none", "cannot be opened"),
        ("nonsense://x", "cannot be opened"),
    ],
)
def test_a_stream_that_is_not_there_is_one_clear_line(spec: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        VideoReader(spec)
    assert str(caught.value).startswith(f"{spec}: ")
    assert "\n" not in str(caught.value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_network_address_is_read_like_a_file(tmp_path: Path, server: str) -> None:
    path = write_clip(tmp_path / "clip.ts", regular(20), form="mpegts")
    with VideoReader(f"{server}/clip.ts") as reader:
        times = [frame.time for frame in reader]
    assert times == packet_times(path)


def test_a_title_in_another_encoding_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "TITLE OF A CLIP"
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(grey(0, (48, 64)), format="rgb24")))
        out.mux(stream.encode(None))
    content = path.read_bytes()
    assert content.count(b"TITLE OF A CLIP") == 1
    path.write_bytes(content.replace(b"TITLE OF A CLIP", "VÍDEO DE UN CLÍ".encode("latin-1")))
    with VideoReader(path) as reader:
        assert len(list(reader)) == 1
