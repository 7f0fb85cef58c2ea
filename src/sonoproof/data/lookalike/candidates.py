"""Which pairs are worth a geometric comparison? The most similar frames, then the most similar groups."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.groups import Partition
from sonoproof.data.lookalike.index import WordIndex

__all__ = ["Pair", "nearest_pairs", "pairs_between_groups", "supporting_pairs"]

Pair = tuple[int, int, bool]
"""Frame numbers, the smaller first, and whether one of them is mirrored."""

NEAREST = 3
NEAREST_MIRRORED = 1
REPRESENTATIVES = 8
GROUPS_TRIED = 12
PAIRS_A_GROUP = 2
SUPPORTERS = 3


def nearest_pairs(index: WordIndex) -> list[Pair]:
    """For each frame its most similar ones, and the most similar to its mirror image."""
    everyone = np.arange(index.vectors.shape[0])
    found: set[Pair] = set()
    for block, upright, mirrored in index.scores(everyone, everyone):
        for scores, many, flipped in ((upright, NEAREST, False), (mirrored, NEAREST_MIRRORED, True)):
            scores[np.arange(len(block)), block] = 0.0
            for query, best in zip(block, _largest(scores, many), strict=True):
                found |= {_pair(query, other, flipped) for other in best}
    return sorted(found)


def pairs_between_groups(index: WordIndex, labels: NDArray[np.int64], tried: Container[Pair]) -> list[Pair]:
    """For each group the most similar other groups, each by the best pairs of frames not yet compared.

    Large groups are stood for by a few frames that differ as much as possible.
    """
    chosen = np.sort(np.concatenate([_representatives(index, np.flatnonzero(labels == g)) for g in np.unique(labels)]))
    found: list[Pair] = []
    options: dict[int, list[tuple[float, Pair]]] = {}
    for block, upright, mirrored in index.scores(chosen, chosen):
        for scores, flipped in ((upright, False), (mirrored, True)):
            scores[labels[block][:, None] == labels[chosen][None]] = 0.0
            many = GROUPS_TRIED * PAIRS_A_GROUP
            for row, (query, best) in enumerate(zip(block, _largest(scores, many), strict=True)):
                for other in best:
                    pair = _pair(query, chosen[other], flipped)
                    if scores[row, other] > 0 and pair not in tried:
                        options.setdefault(int(labels[query]), []).append((float(scores[row, other]), pair))
    for group, choices in options.items():
        found += _best_of_each_group(group, choices, labels)
    return found


def supporting_pairs(index: WordIndex, partition: Partition, waiting: Iterable[tuple[int, int]]) -> list[Pair]:
    """Pairs that could support a link that waits: each of its frames against the other's group."""
    labels = partition.labels()
    found: list[Pair] = []
    for ends in waiting:
        for here, there in (ends, ends[::-1]):
            others = np.flatnonzero(labels == labels[there])
            others = others[others != there]
            for _, upright, mirrored in index.scores(np.array([here]), others):
                for scores, flipped in ((upright, False), (mirrored, True)):
                    found += [_pair(here, others[k], flipped) for k in _largest(scores, SUPPORTERS)[0]]
    return found


def _representatives(index: WordIndex, members: NDArray[np.intp]) -> NDArray[np.intp]:
    """Farthest-point choice: the first member, then always the one least similar to those chosen."""
    if len(members) <= REPRESENTATIVES:
        return members
    vectors = index.vectors[members]
    chosen = [0]
    nearest = np.zeros(len(members), np.float32)
    while len(chosen) < REPRESENTATIVES:
        latest = vectors[[chosen[-1]]].T
        nearest = np.maximum(nearest, (vectors @ latest).toarray()[:, 0])
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
    return members[np.sort(chosen)]


def _best_of_each_group(group: int, choices: Sequence[tuple[float, Pair]], labels: NDArray[np.int64]) -> list[Pair]:
    taken: dict[int, list[Pair]] = {}
    for _, pair in sorted(set(choices), key=lambda choice: (-choice[0], choice[1])):
        first, second = int(labels[pair[0]]), int(labels[pair[1]])
        other = second if first == group else first
        own = taken.setdefault(other, [])
        if len(own) < PAIRS_A_GROUP and (len(taken) <= GROUPS_TRIED):
            own.append(pair)
    return [pair for pairs in taken.values() for pair in pairs]


def _largest(scores: NDArray[np.float32], many: int) -> NDArray[np.intp]:
    """Columns of the largest scores of each row, ties by the lower column."""
    many = min(many, scores.shape[1])
    columns = np.argpartition(-scores, many - 1, axis=1)[:, :many]
    return np.sort(columns, axis=1)


def _pair(first: int, second: int, flipped: bool) -> Pair:
    low, high = sorted((int(first), int(second)))
    return low, high, flipped
