"""The pieces of a split video joined again: every frame once, ids that go on over the seams."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from vidpose.analysis.angles import AngleColumns
from vidpose.analysis.identities import find_merges
from vidpose.io import open_writer, read_results
from vidpose.metrics.oks import oks
from vidpose.redact import redacted
from vidpose.results import FrameResult, Person, ResultHeader
from vidpose.skeleton import Skeleton

_SAME = 0.5  # mean OKS in the overlap from which on two ids are one person
_FINEST = 0.025  # least sigma, as in `vidpose.tracking`: points of faces have smaller ones
_GRACE = 2.0  # s for which a person who was lost keeps the id, as in `vidpose.tracking`
_RECENT = 0.5  # s, time constant with which the frames near the seam count more


def join_pieces(
    pieces: Sequence[Path],
    table: Path,
    *,
    source: str,
    angles: bool = False,
) -> tuple[int, int]:
    """Write the results of all pieces as those of one video; returns its frames and people.

    Where two pieces have the same frames, the poses of both tell who is who. Raises InputError
    when a piece is damaged.
    """
    first = read_results(pieces[0])
    assert first.header is not None
    header = _whole(first.header, source)
    skeleton = header.skeleton
    further = AngleColumns(skeleton) if angles else None
    table.parent.mkdir(parents=True, exist_ok=True)
    frames, ids = 0, set[int]()
    held: Sequence[FrameResult] = first.frames  # not written yet: the next piece may replace some
    with open_writer(table, header, further) as writer:

        def write(results: Sequence[FrameResult]) -> None:
            nonlocal frames
            for frame in results:
                writer.write(frame)
                ids.update(person.id for person in frame.people)
            frames += len(results)

        for path in pieces[1:]:
            found = read_results(path).frames
            switch, same = seam_between(held, found, skeleton)
            write([frame for frame in held if frame.index < switch])
            fresh = [frame for frame in found if frame.index >= switch]
            names = _continued(fresh, same, max(ids, default=0))
            held = [_with_ids(frame, names) for frame in fresh]
        write(held)
    return frames, len(ids)


def seam_between(
    before: Sequence[FrameResult], after: Sequence[FrameResult], skeleton: Skeleton
) -> tuple[int, dict[int, int]]:
    """The frame at which a piece takes over, and which of its ids are which of those before.

    It takes over, in the later half of the overlap, where the two differ least in who is there;
    of equal frames at the last one, as it has seen most then. Ids that no pose of the overlap
    tells may still be known: who was lost a moment before, and somebody found a moment after it
    at the same place, are one person.
    """
    last = before[-1].index
    known = {frame.index: frame for frame in before}
    overlap = [frame for frame in after if frame.index <= last]
    same = same_people(before, overlap, skeleton)
    switch, fewest = last + 1, None
    for frame in overlap[len(overlap) // 2 :]:
        old = {person.id for person in known[frame.index].people}
        new = {same.get(person.id, -1 - person.id) for person in frame.people}
        if fewest is None or len(old ^ new) <= fewest:
            switch, fewest = frame.index, len(old ^ new)
    first = [frame for frame in before if frame.index < switch]
    then = [frame for frame in after if frame.index >= switch]
    return switch, {**_found_again(first, then, same), **same}


def _found_again(
    before: Sequence[FrameResult], after: Sequence[FrameResult], same: Mapping[int, int]
) -> dict[int, int]:
    """Ids of ``after`` that go on with ids of ``before`` which nobody has yet."""
    if not before or not after:
        return {}
    start, end = before[-1].time - _GRACE, after[0].time + _GRACE
    tail = [frame for frame in before if frame.time >= start]
    top = max((person.id for frame in tail for person in frame.people), default=0) + 1
    ids = {old: same.get(old, top + old) for frame in after for old in (p.id for p in frame.people)}
    head = [_with_ids(frame, ids) for frame in after if frame.time <= end]
    merges = find_merges([*tail, *head], _GRACE)
    return {new - top: old for new, old in merges.items() if new >= top > old}


def same_people(
    before: Sequence[FrameResult], after: Sequence[FrameResult], skeleton: Skeleton
) -> dict[int, int]:
    """Which ids of ``after`` are which of ``before``, by the poses of the frames in both.

    One to one, so that the sum of mean OKS is the greatest; frames near the last one count more.
    Who is left, as those who go out of sight just there, is known by all frames alike.
    """
    known = {frame.index: frame for frame in before}
    shared = [(known[frame.index], frame) for frame in after if frame.index in known]
    found: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for other, frame in shared:
        weight = float(np.exp((frame.time - after[-1].time) / _RECENT))
        for new in frame.people:
            for old in other.people:
                found[old.id, new.id].append((weight, likeness(new, old, skeleton)))
    recent = {
        pair: sum(w * value for w, value in each) / sum(w for w, _ in each)
        for pair, each in found.items()
    }
    overall = {pair: sum(value for _, value in each) / len(each) for pair, each in found.items()}
    same = _best_pairs(recent)
    left = {
        (old, new): gain
        for (old, new), gain in overall.items()
        if old not in same.values() and new not in same
    }
    return {**same, **_best_pairs(left)}


def _best_pairs(gains: Mapping[tuple[int, int], float]) -> dict[int, int]:
    """New ids to old ones, of those alike enough."""
    olds, news = (sorted({pair[side] for pair in gains}) for side in (0, 1))
    table = np.array([[gains.get((old, new), 0.0) for new in news] for old in olds])
    rows, columns = linear_sum_assignment(-table.reshape(len(olds), len(news)))
    pairs = ((news[c], olds[r]) for r, c in zip(rows, columns, strict=True))
    return {new: old for new, old in pairs if gains.get((old, new), 0.0) >= _SAME}


def likeness(one: Person, other: Person, skeleton: Skeleton) -> float:
    """OKS of two poses in the keypoints that both have, in [0, 1]."""
    known = (one.keypoints[:, 2] > 0) & (other.keypoints[:, 2] > 0)
    area = max(other.box[2] * other.box[3], 1.0)
    sigmas = np.maximum(skeleton.sigmas, _FINEST)
    value = float(oks(one.keypoints, other.keypoints, known, area, sigmas.tolist()))
    return 0.0 if np.isnan(value) else value


def _continued(frames: Sequence[FrameResult], same: Mapping[int, int], last: int) -> dict[int, int]:
    """New ids for all people of a piece: old ones where they are known, others in order."""
    ids = dict(same)
    for frame in frames:
        for person in sorted(frame.people, key=lambda person: person.id):
            if person.id not in ids:
                last += 1
                ids[person.id] = last
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
