"""What vidpose raises. Every message is one line: what is wrong, where, and what to do."""

from __future__ import annotations

from vidpose.redact import redacted


class VidposeError(Exception):
    """Base of every error raised on purpose by vidpose. Its message names no passwords."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(redacted(a) if isinstance(a, str) else a for a in arguments))


class InputError(VidposeError):
    """A source or a file given to vidpose cannot be read."""


class OutputError(VidposeError):
    """A result cannot be written."""


class BundleError(VidposeError):
    """A model bundle is missing, damaged or of another kind than needed."""


class DataError(VidposeError):
    """Training or evaluation data are missing or break their own format."""


class RecipeError(VidposeError):
    """A training recipe is not valid."""


class SkeletonError(VidposeError):
    """A skeleton contradicts itself, or keypoints do not belong to it."""
