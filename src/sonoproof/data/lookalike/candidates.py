"""Which pairs are worth a geometric comparison? The most similar frames, then the most similar groups."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.index import WordIndex
from sonoproof.progress import SILENT, Progress
from sonoproof.types import Float32Array, IntArray

Pair = tuple[int, int, bool]
"""Frame numbers, the smaller first, and whether one of them is mirrored."""

NEAREST = 2
NEAREST_MIRRORED = 1
REPRESENTATIVES = 8
PAIRS_PER_GROUP = 2
SUPPORTERS = 3

PAIRS_AFFORDABLE = 20_000
"""In a small cohort more groups are tried for each, in a large one the few most similar."""

Numbers = NDArray[np.intp]
Scored = tuple[float, Pair]


def nearest_pairs(index: WordIndex, *, workers: int | None = 1, progress: Progress = SILENT.progress) -> list[Pair]:
    """For each frame its most similar ones, and the most similar to its mirror image."""
    everyone = np.arange(index.vectors.shape[0])

    def best(block: Numbers, upright: Float32Array, mirrored: Float32Array) -> list[Pair]:
        found = []
        for scores, many, flipped in ((upright, NEAREST, False), (mirrored, NEAREST_MIRRORED, True)):
            scores[np.arange(len(block)), block] = 0.0
            found += [pair for _, pair in _scored_pairs(block, everyone, scores, many, flipped=flipped)]
        return found

    picked = index.pick(everyone, everyone, best, workers=workers, progress=progress)
    return sorted({pair for pairs in picked for pair in pairs})


def pairs_between_groups(
    index: WordIndex,
    labels: IntArray,
    *,
    fresh: set[int],
    tried: Container[Pair],
    workers: int | None = 1,
    progress: Progress = SILENT.progress,
) -> list[Pair]:
    """For each fresh group the most similar other groups, each by its best pairs of frames not yet compared.

    Large groups are stood for by a few frames that differ as much as possible.

    Args:
        index: The index of all frames.
        labels: Group of each frame.
        fresh: Groups that changed since they were last asked for.
        tried: Pairs compared already.
        workers: Threads; None for one per processor.
        progress: Called with (blocks of frames done, blocks in all).
    """
    chosen = _all_representatives(index, labels)
    many = int(np.clip(PAIRS_AFFORDABLE // len(labels), 4, 20))
    queries = chosen[np.isin(labels[chosen], sorted(fresh))]

    def best(block: Numbers, upright: Float32Array, mirrored: Float32Array) -> list[Scored]:
        found = []
        for scores, flipped in ((upright, False), (mirrored, True)):
            scores[labels[block][:, None] == labels[chosen][None]] = 0.0
            scored = _scored_pairs(block, chosen, scores, 4 * many, flipped=flipped)
            found += [entry for entry in scored if entry[1] not in tried]
        return found

    options: dict[int, list[Scored]] = {}
    for found in index.pick(queries, chosen, best, workers=workers, progress=progress):
        for scored in found:
            for group in {int(labels[number]) for number in scored[1][:2]} & fresh:
                options.setdefault(group, []).append(scored)
    return sorted({pair for group in options for pair in _best_of_each_group(group, options[group], labels, many)})


def supporting_pairs(index: WordIndex, labels: IntArray, *, waiting: Iterable[tuple[int, int]]) -> list[Pair]:
    """Pairs that could support a link that waits: each of its frames against the other's group."""
    found: list[Pair] = []
    for ends in waiting:
        for here, there in (ends, ends[::-1]):
            others = np.flatnonzero(labels == labels[there])
            found += _supporters(index, here, others[others != there])
    return found


def _supporters(index: WordIndex, here: int, others: Numbers) -> list[Pair]:
    def best(block: Numbers, upright: Float32Array, mirrored: Float32Array) -> list[Pair]:
        both = ((upright, False), (mirrored, True))
        return [
            pair
            for scores, flipped in both
            for _, pair in _scored_pairs(block, others, scores, SUPPORTERS, flipped=flipped)
        ]

    return [pair for pairs in index.pick(np.array([here]), others, best) for pair in pairs]


def _all_representatives(index: WordIndex, labels: IntArray) -> Numbers:
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    chosen = [_representatives(index, members) for members in np.split(order, starts)]
    return np.asarray(np.sort(np.concatenate(chosen)), np.intp)


def _representatives(index: WordIndex, members: Numbers) -> Numbers:
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
    return np.asarray(members[np.sort(chosen)], np.intp)


def _best_of_each_group(group: int, scored: Iterable[Scored], labels: IntArray, many: int) -> list[Pair]:
    """The best pairs with each of the `many` most similar groups, of different frames."""
    best: dict[int, list[Pair]] = {}
    for _, pair in sorted(scored, key=lambda entry: (-entry[0], entry[1])):
        first, second = int(labels[pair[0]]), int(labels[pair[1]])
        other = second if first == group else first
        if other not in best and len(best) == many:
            continue
        chosen = best.setdefault(other, [])
        if len(chosen) < PAIRS_PER_GROUP and pair[:2] not in [earlier[:2] for earlier in chosen]:
            chosen.append(pair)
    return [pair for pairs in best.values() for pair in pairs]


def _scored_pairs(
    rows: Numbers, columns: Numbers, scores: Float32Array, many: int, *, flipped: bool
) -> Iterator[Scored]:
    """The largest scores of each row (none of 0), with the frames they belong to."""
    many = min(many, scores.shape[1])
    largest = np.argpartition(-scores, many - 1, axis=1)[:, :many]
    for row, number in enumerate(rows):
        for column in largest[row]:
            if scores[row, column] > 0:
                low, high = sorted((int(number), int(columns[column])))
                yield float(scores[row, column]), (low, high, flipped)
