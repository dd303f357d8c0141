"""A finished bundle with other thresholds: neither data nor training libraries are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from vidpose.bundle.file import Bundle
from vidpose.bundle.settings import DetectorSettings, Trust
from vidpose.errors import BundleError


def changed_trust(trust: Trust, changes: Mapping[str, float]) -> Trust:
    """Thresholds, some of which are replaced. Raises BundleError for a name that there is not, and
    for values that are refused."""
    known = [part.name for part in fields(Trust)]
    for name in changes:
        if name not in known:
            raise BundleError(f"trust has no '{name}', only {', '.join(known)}")
    return replace(trust, **changes)


def retuned(bundle: Bundle, changes: Mapping[str, float], name: str) -> Bundle:
    """The bundle `name`: as the given one, but for some fields of its `Trust`.

    Graphs, calibration and figures stay; the figures are those of the old thresholds. Raises
    BundleError for a detector, for a field that `Trust` has not, and for values that it refuses.
    """
    if isinstance(bundle.settings, DetectorSettings):
        raise BundleError(f"bundle '{bundle.name}' is a detector, which has no trust")
    trust = changed_trust(bundle.settings.trust, changes)
    settings = replace(bundle.settings, trust=trust)
    options = " ".join(f"--trust {key}={value:g}" for key, value in changes.items())
    card = f"""\
# {name}

{bundle.name} with other thresholds: {options}.
All else is as it was, the figures too, which are of the old thresholds. What follows is its card.

{bundle.card}"""
    return replace(bundle, name=name, settings=settings, card=card)
