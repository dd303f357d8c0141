"""The report page: what it holds, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from movements import UPRIGHT, frames, pose, shifted, turned
from vidpose.errors import InputError, OutputError
from vidpose.io import Results
from vidpose.report import write_report
from vidpose.report.content import report_content
from vidpose.report.packing import ArrayPack
from vidpose.results import FrameResult, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17

SIZE = (240, 320)
HEADER = ResultHeader(
    "0.1.0",
    "dkd</script><b>",
    COCO_17,
    SourceInfo("clips/a <script>.mp4", *SIZE, 10.0, 20, 2.0, False),
)


def squats(outlier: int | None = None) -> list[FrameResult]:
    """Two seconds of one person who bends a knee; another is there twice, with a gap.

    `outlier`: a frame in which the first one's nose is far away."""
    bent = [
        pose(moved={"right_ankle": turned(UPRIGHT["knee"], 50, -4.0 * step)}) for step in range(20)
    ]
    if outlier is not None:
        bent[outlier][0, 0] = 1e6
    other: list[np.ndarray | None] = [shifted(pose(), 100) for _ in range(20)]
    other[8:12] = [None] * 4
    return frames([0.1 * step for step in range(20)], {1: bent, 2: other})


def unpacked(block: str, part: dict[str, Any]) -> np.ndarray:
    data = gzip.decompress(base64.b64decode(block))
    dtype = {"i2": "<i2", "f4": "<f4", "f8": "<f8"}[part["kind"]]
    count = int(np.prod(part["shape"]))
    values = np.frombuffer(data, dtype, count, part["start"]).reshape(part["shape"])
    missing = (values == -32768) & (part["kind"] == "i2")
    return np.where(missing, np.nan, values * part["scale"])


def test_packed_arrays_come_back_within_their_steps() -> None:
    pack = ArrayPack()
    values = np.array([[3840.0, -12.25], [np.nan, 0.0]])
    odd, parts = pack.floats(np.ones(3)), pack.floats(values)
    times = pack.times(np.array([0.0, 1 / 3]))
    np.testing.assert_allclose(unpacked(pack.text(), parts), values, atol=0.06)
    np.testing.assert_allclose(unpacked(pack.text(), odd), 1)
    assert unpacked(pack.text(), times).tolist() == [0, 1 / 3]


def test_one_keypoint_far_away_leaves_the_others_as_they_are() -> None:
    pack = ArrayPack()
    values = np.array([[1e6, 100.3], [np.nan, -2.7], [104.1, 5e5]])
    parts = pack.floats(values)
    np.testing.assert_allclose(unpacked(pack.text(), parts), values, rtol=1e-7)
    content, block = report_content(HEADER, squats(outlier=3))
    one = content["people"][0]
    x = unpacked(block, one["x"])
    assert x[3, 0] == 1e6
    np.testing.assert_allclose(x[4:, 0], 104, atol=0.01)
    knee = unpacked(block, one["angles"])[:, content["angles"].index("right_knee_flexion")]
    np.testing.assert_allclose(knee[4:], 4.0 * np.arange(4, 20), atol=0.05)


def test_content_holds_positions_angles_speeds_and_absences() -> None:
    content, block = report_content(HEADER, squats())
    one, two = content["people"]
    assert (two["first"], two["count"], two["present"]) == (0, 20, [[0, 8], [12, 20]])
    np.testing.assert_allclose(unpacked(block, one["x"])[:, 0], 104, atol=0.01)
    knee = unpacked(block, one["angles"])[:, content["angles"].index("right_knee_flexion")]
    np.testing.assert_allclose(knee, 4.0 * np.arange(20), atol=0.05)
    ankle = unpacked(block, one["speed"])[1:-1, COCO_17.keypoints.index("right_ankle")]
    np.testing.assert_allclose(ankle, 50 * np.radians(40), rtol=0.01)
    assert np.isnan(unpacked(block, two["scores"])[8:12]).all()


def test_ids_that_may_be_one_person_are_named() -> None:
    found = frames(
        [0, 0.1, 0.2, 0.3], {4: [pose(), None, None, None], 7: [None, None, pose(), pose()]}
    )
    content, _ = report_content(HEADER, found)
    assert content["perhapsSame"] == [[7, 4]]


def test_the_page_is_one_file_without_addresses(tmp_path: Path) -> None:
    write_report(Results(HEADER, squats()), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img|iframe)[^>]*\b(src|href)=", text)
    assert "fetch(" not in text
    assert "</script><b>" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize(
    ("results", "message"),
    [(Results(None, squats()), "names its keypoints"), (Results(HEADER, []), "has none")],
)
def test_results_without_skeleton_or_frames_give_no_page(
    tmp_path: Path, results: Results, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_report(results, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "new" / "r.html"
    write_report(Results(HEADER, squats()), page)
    page.write_text("mine")
    with pytest.raises(OutputError, match="it exists; --overwrite"):
        write_report(Results(HEADER, squats()), page)
    assert page.read_text() == "mine"
    write_report(Results(HEADER, squats()), page, overwrite=True)
    assert page.read_text(encoding="utf-8").startswith("<!")


@pytest.mark.parametrize("name", ["r.txt", "r", "r.jsonl"])
def test_a_page_is_called_html(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"a report is an \.html file; name it r\.html"):
        write_report(Results(HEADER, squats()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def write_clip(path: Path, count: int, rate: int) -> Path:
    """A clip in which every frame is as bright as its number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(count):
            picture = np.full((SIZE[1], SIZE[0], 3), 10 + 10 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("count", "rate", "message"), [(12, 10, "12 of its 20 frames"), (20, 25, "frame 1 is at 0.040")]
)
def test_another_video_is_refused(tmp_path: Path, count: int, rate: int, message: str) -> None:
    clip = write_clip(tmp_path / "other.mp4", count, rate)
    with pytest.raises(InputError, match=message):
        write_report(Results(HEADER, squats()), tmp_path / "r.html", clip)
    assert not (tmp_path / "r.html").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000",
                 "--no-first-run", "--disable-background-networking", "--disable-sync",
                 "--disable-component-update", "--disable-quic"):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(programs[1])
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["figures", "video"])
def page(browser: Any, request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page in the browser, with stick figures alone and with the video."""
    folder = tmp_path_factory.mktemp("report")
    clip = write_clip(folder / "clip.mp4", 20, 10) if request.param == "video" else None
    outlier = 3 if clip else None
    write_report(Results(HEADER, squats(outlier)), folder / "r.html", clip)
    browser.get((folder / "r.html").as_uri())
    wait(browser, "return document.body.dataset.ready === 'yes'")
    return browser


def wait(browser: Any, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(condition))


def frame(page: Any) -> int:
    return int(page.execute_script("return document.body.dataset.frame"))


def test_it_loads_without_an_error(page: Any) -> None:
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert page.find_element("id", "name").text == "a <script>.mp4"
    assert page.find_element("id", "facts").text.endswith(f"model {HEADER.model}")
    assert len(page.find_elements("css selector", ".plot canvas")) == 5


def test_numbers_are_those_of_the_people(page: Any) -> None:
    rows = page.find_elements("css selector", "#numbers tr")
    cells = [[cell.text for cell in row.find_elements("css selector", "td")] for row in rows[1:]]
    assert [row[0] for row in cells] == ["1", "2"]
    assert [row[3] for row in cells] == ["20", "16"]
    assert cells[1][4:6] == ["1", "0.50 s"]


def test_the_page_unpacks_what_was_packed(page: Any) -> None:
    nose, ankle = page.execute_script(
        "const x = report.people[0].x; return [[x[4 * 17], x[19 * 17]], x[3 * 17 + 15]]"
    )
    assert nose == pytest.approx([104, 104], abs=0.01)
    assert ankle == pytest.approx(100, abs=0.01)
    gap = page.execute_script("return report.people[1].x[9 * 17]")
    assert gap is None  # NaN


def test_the_cursor_moves_the_player_and_the_player_the_cursor(page: Any) -> None:
    page.execute_script("report.jump(0)")
    plot = page.find_elements("css selector", ".plot .u-over")[3]
    from selenium.webdriver import ActionChains

    width = plot.size["width"]
    ActionChains(page).move_to_element_with_offset(plot, int(width * 0.25), 0).click().perform()
    wait(page, "return document.body.dataset.frame === '14'")  # three quarters of the way
    if page.execute_script("return Boolean(report.video)"):
        wait(page, "return Math.abs(report.video.currentTime - 1.4) < 0.05")
        wait(page, "return !report.video.seeking")
        shade = page.execute_script(
            "const c = document.createElement('canvas'); c.width = c.height = 8;"
            "const p = c.getContext('2d'); p.drawImage(report.video, 0, 0, 8, 8);"
            "return p.getImageData(4, 4, 1, 1).data[0]"
        )
        assert shade == pytest.approx(10 + 10 * 14, abs=6)
    page.find_element("id", "ahead").click()
    assert frame(page) == 15
    left = page.execute_script("return report.plots[0].cursor.left")
    expected = page.execute_script("return report.plots[0].valToPos(1.5, 'x')")
    assert left == pytest.approx(expected, abs=1)


def test_playing_goes_on_in_true_time_and_ends_at_the_last_frame(page: Any) -> None:
    page.execute_script("report.jump(10); report.play()")
    wait(page, "return document.body.dataset.frame === '19' && !report.playing")
    assert page.find_element("id", "play").text == "Play"


def test_hidden_people_leave_the_plots(page: Any) -> None:
    page.find_elements("css selector", "#people input")[1].click()
    assert page.execute_script("return report.plots.map((plot) => plot.series.length)") == [2] * 5
    page.find_elements("css selector", "#people input")[1].click()
    assert page.execute_script("return report.plots[0].series.length") == 3


def test_a_plot_is_saved_as_a_picture(page: Any) -> None:
    page.execute_script(
        "window.saved = null; HTMLAnchorElement.prototype.click = function () {"
        " fetch(this.href).then((answer) => answer.blob())"
        " .then((blob) => { window.saved = [this.download, blob.type, blob.size]; }); }"
    )
    page.find_element("css selector", ".plot .save").click()
    wait(page, "return window.saved !== null")
    name, kind, size = page.execute_script("return window.saved")
    assert (name, kind) == ("left_wrist_x_pixels.png", "image/png")
    assert size > 2000


def test_content_is_json_that_other_programs_read(tmp_path: Path) -> None:
    write_report(Results(HEADER, squats()), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    found = re.search(r'<script id="content" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    assert json.loads(found[1])["model"] == HEADER.model
