"""The pieces of a split video joined again: every frame once, ids that go on over the seams."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from vidpose.analysis.angles import AngleColumns
from vidpose.io import open_writer, read_results
from vidpose.metrics.oks import oks
from vidpose.redact import redacted
from vidpose.results import FrameResult, Person, ResultHeader
from vidpose.skeleton import Skeleton

_SAME = 0.5  # mean OKS in the overlap from which on two ids are one person
_FINEST = 0.025  # least sigma, as in `vidpose.tracking`: points of faces have smaller ones
_RECENT = 0.5  # s, time constant with which the frames near the seam count more


def join_pieces(
    pieces: Sequence[Path],
    seams: Sequence[float],
    table: Path,
    *,
    source: str,
    angles: bool = False,
) -> tuple[int, int]:
    """Write the results of all pieces as those of one video; returns its frames and people.

    The frames before a seam are those of the piece that ends there. Where a piece begins earlier,
    the poses of both tell who is who. Raises InputError when a piece is damaged.
    """
    first = read_results(pieces[0])
    assert first.header is not None
    header = _whole(first.header, source)
    skeleton = header.skeleton
    further = AngleColumns(skeleton) if angles else None
    table.parent.mkdir(parents=True, exist_ok=True)
    frames, ids = 0, set[int]()
    before: Sequence[FrameResult] = ()
    renamed: dict[int, int] = {}
    with open_writer(table, header, further) as writer:
        for number, path in enumerate(pieces):
            found = (first if number == 0 else read_results(path)).frames
            last = before[-1].index if before else -1
            fresh = [frame for frame in found if frame.index > last]
            if number:
                overlap = [frame for frame in found if frame.index <= last]
                renamed = same_people(before, overlap, skeleton)
            renamed = _continued(fresh, renamed, max(ids, default=0), first=number == 0)
            joined = [_with_ids(frame, renamed) for frame in fresh]
            for frame in joined:
                writer.write(frame)
                ids.update(person.id for person in frame.people)
            frames += len(joined)
            before = joined or before
    return frames, len(ids)


def same_people(
    before: Sequence[FrameResult], after: Sequence[FrameResult], skeleton: Skeleton
) -> dict[int, int]:
    """Which ids of ``after`` are which of ``before``, by the poses of the frames in both.

    One to one, so that the sum of mean OKS is the greatest; frames near the last one count more.
    """
    known = {frame.index: frame for frame in before}
    sums: dict[tuple[int, int], float] = defaultdict(float)
    weights: dict[tuple[int, int], float] = defaultdict(float)
    for frame in after:
        other = known.get(frame.index)
        if other is None:
            continue
        weight = float(np.exp((frame.time - after[-1].time) / _RECENT))
        for new in frame.people:
            for old in other.people:
                sums[old.id, new.id] += weight * _likeness(new, old, skeleton)
                weights[old.id, new.id] += weight
    olds, news = (sorted({pair[side] for pair in sums}) for side in (0, 1))
    gain = np.array(
        [
            [sums[old, new] / weights[old, new] if (old, new) in weights else 0.0 for new in news]
            for old in olds
        ]
    ).reshape(len(olds), len(news))
    rows, columns = linear_sum_assignment(-gain)
    return {news[c]: olds[r] for r, c in zip(rows, columns, strict=True) if gain[r, c] >= _SAME}


def _likeness(one: Person, other: Person, skeleton: Skeleton) -> float:
    known = (one.keypoints[:, 2] > 0) & (other.keypoints[:, 2] > 0)
    area = max(other.box[2] * other.box[3], 1.0)
    sigmas = np.maximum(skeleton.sigmas, _FINEST)
    value = float(oks(one.keypoints, other.keypoints, known, area, sigmas.tolist()))
    return 0.0 if np.isnan(value) else value


def _continued(
    frames: Sequence[FrameResult], same: Mapping[int, int], last: int, *, first: bool
) -> dict[int, int]:
    """New ids for all people of a piece: old ones where they are known, others in order."""
    ids = dict(same)
    for frame in frames:
        for person in sorted(frame.people, key=lambda person: person.id):
            if person.id not in ids:
                last += 1
                ids[person.id] = person.id if first else last
    return ids


def _with_ids(frame: FrameResult, ids: Mapping[int, int]) -> FrameResult:
    people = (Person(ids[p.id], p.score, p.box, p.keypoints) for p in frame.people)
    return replace(frame, people=tuple(people))


def _whole(header: ResultHeader, source: str) -> ResultHeader:
    """The header as a run over the whole video would have written it."""
    info = replace(header.source, path=redacted(source))
    provenance = header.provenance
    if provenance is not None:
        options = {k: v for k, v in provenance.options.items() if k not in ("start", "end")}
        provenance = replace(provenance, source=redacted(source), options=options)
    return replace(header, source=info, provenance=provenance)
