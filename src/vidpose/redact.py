"""Addresses without the secrets in them."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET = re.compile(
    r"([?&;][^=&;#\s]*(?:pass|pwd|token|secret|key|auth|sig)[^=&;#\s]*=)[^&;#\s'\"]+",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """``text`` without user names and passwords in addresses, nor the values of parameters that
    are called like secrets (``?token=...``)."""
    if "://" not in text:
        return text
    return _SECRET.sub(r"\1***", _USER.sub("", text))
