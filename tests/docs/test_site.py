"""The site builds: every page in the navigation, every link and docstring in order."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def test_site_builds_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdocs = pytest.importorskip("mkdocs", reason="the site needs the extra docs")
    pytest.importorskip("mkdocstrings")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    assert mkdocs
    monkeypatch.chdir(REPOSITORY)
    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    build(load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    reference = (tmp_path / "reference.html").read_text(encoding="utf-8")
    for name in ("process_video", "PoseStream", "fill_gaps", "VideoReader"):
        assert name in reference
    pages = "".join(page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html"))
    assert "fonts.googleapis.com" not in pages
