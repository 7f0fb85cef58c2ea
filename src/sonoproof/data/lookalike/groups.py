"""From links to source groups, guarded so that one wrong link does not merge two sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from sonoproof.types import IntArray

LARGE_GROUP = 4
"""Two groups that both have this size are joined by no single link: it takes two, of different pairs of frames."""

Edge = tuple[int, int]


def join(size: int, edges: Sequence[Edge]) -> tuple[IntArray, list[Edge]]:
    """Join frames by their links, the strongest first.

    A link between two groups that are both large waits until a second one supports it.

    Args:
        size: Number of frames.
        edges: Pairs of frame numbers, strongest first.

    Returns:
        The group of each frame, named by its smallest member, (size,); and the links left waiting.
    """
    groups = DisjointSet(range(size))
    waiting: list[Edge] = []
    for first, second in edges:
        if min(groups.subset_size(first), groups.subset_size(second)) < LARGE_GROUP:
            groups.merge(first, second)
        else:
            waiting.append((first, second))
    while supported := _supported(groups, waiting):
        for first, second in supported:
            groups.merge(first, second)
    labels = np.empty(size, np.int64)
    for members in groups.subsets():
        labels[list(members)] = min(members)
    return labels, [edge for edge in waiting if not groups.connected(*edge)]


def _supported(groups: DisjointSet[int], waiting: Sequence[Edge]) -> list[Edge]:
    """The first link of each pair of groups that two or more links connect."""
    between: dict[frozenset[int], list[Edge]] = {}
    for first, second in waiting:
        if not groups.connected(first, second):
            between.setdefault(frozenset((groups[first], groups[second])), []).append((first, second))
    return [edges[0] for edges in between.values() if len(set(edges)) >= 2]
