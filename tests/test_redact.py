"""No secret of an address is left, and nothing else is touched."""

from __future__ import annotations

import pytest

from vidpose.errors import InputError
from vidpose.redact import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://me:pw@cam/1", "rtsp://cam/1"),
        ("rtsp://me:p@w@cam:554/1: cannot be opened", "rtsp://cam:554/1: cannot be opened"),
        ("http://h/a?Token=ab&x=1", "http://h/a?Token=***&x=1"),
        ("http://h/a?user=x&pwd=12;apikey=3#end", "http://h/a?user=x&pwd=***;apikey=***#end"),
        ("from 'srt://u@h' and rtmp://a:b@c", "from 'srt://h' and rtmp://c"),
        ("me@home.mp4?token=1", "me@home.mp4?token=1"),
        ("http://h/@name/b", "http://h/@name/b"),
    ],
)
def test_secrets_go_and_the_rest_stays(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert str(InputError(text)) == shown
