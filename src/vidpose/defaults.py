"""What is taken where nobody says it. Imports nothing, so that the command line's help is quick."""

from __future__ import annotations

DEFAULT_MODEL = "dkd-lite-int8"
"""The shipped pose model that runs unless another one is named."""
FAST_MODEL = "dkd-lite-int8"
"""Its smaller sister, for half of the time (`vidpose run --fast`)."""
