"""Defaults. Imports nothing, so that the command line's help is quick."""

from __future__ import annotations

DEFAULT_MODEL = "dkd-base-int8"
"""The shipped pose model that runs unless another one is named."""
FAST_MODEL = "dkd-lite-int8"
"""A smaller model, for half of the time (`vidpose run --fast`)."""
