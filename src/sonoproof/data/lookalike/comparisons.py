"""Comparing in rounds: the nearest frames first, then the most similar groups that are not yet one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sonoproof.concurrency import map_in_order
from sonoproof.data.frames.journal import Journal
from sonoproof.data.lookalike.candidates import Pair, nearest_pairs, pairs_between_groups, supporting_pairs
from sonoproof.data.lookalike.groups import Edge, join
from sonoproof.data.lookalike.index import build_index
from sonoproof.data.lookalike.pair_check import Evidence, compare
from sonoproof.data.lookalike.spool import Views
from sonoproof.data.lookalike.verdict import is_link, is_suspect, strength
from sonoproof.progress import Progress
from sonoproof.types import IntArray

MAX_ROUNDS = 6


@dataclass
class Comparisons:
    """Every pair compared so far, and the groups that follow.

    Attributes:
        labels: Group of each frame, named by its smallest frame number.
        journal: Where each pair compared is written down; what an earlier attempt wrote is not compared again.
        evidence: What was found for each pair compared; None where it is not even suspect.
        waiting: Links between two large groups that nothing supports yet.
    """

    labels: IntArray
    journal: Journal
    evidence: dict[Pair, Evidence | None] = field(default_factory=dict)
    waiting: list[Edge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known = dict(_from_line(line) for line in self.journal.kept)

    def suspects(self) -> list[tuple[Pair, Evidence]]:
        """Pairs that are suspect or linked, strongest first."""
        found = [(pair, evidence) for pair, evidence in self.evidence.items() if evidence is not None]
        found.sort(key=lambda entry: entry[0])
        return sorted(found, key=lambda entry: strength(entry[1]), reverse=True)

    def add(self, pairs: Iterable[Pair], views: Views, *, workers: int | None, progress: Progress) -> int:
        """Compare the pairs that were not compared before and form the groups again; returns how many were new."""

        def examine(pair: Pair) -> Evidence | None:
            first, second, flipped = pair
            evidence = compare(views[first], views[second], flipped=flipped)
            return evidence if evidence is not None and is_suspect(evidence) else None

        fresh = sorted(set(pairs) - self.evidence.keys())
        unknown = [pair for pair in fresh if pair not in self._known]
        examined = map_in_order(examine, unknown, workers=workers, progress=progress)
        for pair, evidence in zip(unknown, examined, strict=True):
            self.journal.append(_to_line(pair, evidence))
            self._known[pair] = evidence
        self.evidence.update((pair, self._known.pop(pair)) for pair in fresh)
        edges = [(pair[0], pair[1]) for pair, evidence in self.suspects() if is_link(evidence)]
        self.labels, self.waiting = join(len(self.labels), edges)
        return len(fresh)


def compare_in_rounds(
    views: Views, *, journal: Journal, generator: np.random.Generator, workers: int | None, progress: Progress
) -> Comparisons:
    """Compare few pairs and find nearly all links: never all with all.

    The first round compares each frame with its nearest. Where a source has many views these are its closest
    copies only, so each further round compares the groups found so far with those most similar to them, until
    no group changes.

    Args:
        views: The views of the frames.
        journal: Where each pair compared is written down.
        generator: Draws the sample that the visual words are learnt from.
        workers: Threads; None for one per processor.
        progress: Called with (done, of), for blocks of frames and for the pairs of each round.
    """
    comparisons = Comparisons(np.arange(len(views)), journal)
    if len(views) < 2:
        return comparisons
    index = build_index(views, generator=generator)
    nearest = nearest_pairs(index, workers=workers, progress=progress)
    comparisons.add(nearest, views, workers=workers, progress=progress)
    asked: set[tuple[int, int]] = set()
    for _ in range(MAX_ROUNDS):
        labels = comparisons.labels
        pairs = pairs_between_groups(
            index, labels, fresh=_changed(labels, asked), tried=comparisons.evidence, workers=workers, progress=progress
        )
        pairs += supporting_pairs(index, labels, waiting=comparisons.waiting)
        if comparisons.add(pairs, views, workers=workers, progress=progress) == 0:
            break
    return comparisons


def _to_line(pair: Pair, evidence: Evidence | None) -> list[Any]:
    found = None if evidence is None else {**asdict(evidence), "transform": evidence.transform.tolist()}
    return [*pair, found]


def _from_line(line: list[Any]) -> tuple[Pair, Evidence | None]:
    first, second, flipped, found = line
    if found is not None:
        found = Evidence(**{**found, "transform": np.array(found["transform"], np.float64)})
    return (first, second, flipped), found


def _changed(labels: IntArray, asked: set[tuple[int, int]]) -> set[int]:
    """Groups that are not in `asked` with their present size; they are entered."""
    names, sizes = np.unique(labels, return_counts=True)
    present = {(int(name), int(size)) for name, size in zip(names, sizes, strict=True)}
    changed = {name for name, _ in present - asked}
    asked |= present
    return changed
