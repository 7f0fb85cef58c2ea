"""From links to source groups, guarded so that one wrong link does not melt two sources into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Edge", "join"]

LARGE_GROUP = 4
"""Two groups that both have this size are joined by no single link: it takes two, of different pairs of frames."""

Edge = tuple[int, int]


class _Partition:
    """Disjoint sets of the numbers 0 to n - 1; a set is named by its smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = np.arange(size)
        self._size = np.ones(size, np.int64)

    def find(self, number: int) -> int:
        """The smallest member of the set that holds a number."""
        root = number
        while self._parent[root] != root:
            root = int(self._parent[root])
        while self._parent[number] != root:
            self._parent[number], number = root, int(self._parent[number])
        return root

    def unite(self, first: int, second: int) -> None:
        """Make two sets one."""
        low, high = sorted((self.find(first), self.find(second)))
        if low != high:
            self._parent[high] = low
            self._size[low] += self._size[high]

    def size(self, number: int) -> int:
        """Members of the set that holds a number."""
        return int(self._size[self.find(number)])

    def labels(self) -> NDArray[np.int64]:
        """The smallest member of each number's set, int64 (n,)."""
        return np.array([self.find(number) for number in range(len(self._parent))], dtype=np.int64)


def join(size: int, edges: Sequence[Edge]) -> tuple[NDArray[np.int64], list[Edge]]:
    """Join frames by their links, the strongest first.

    A link between two groups that are both large waits until a second one supports it.

    Args:
        size: Number of frames.
        edges: Pairs of frame numbers, strongest first.

    Returns:
        The group of each frame, named by its smallest member, int64 (size,); and the links left waiting.
    """
    partition = _Partition(size)
    waiting: list[Edge] = []
    for first, second in edges:
        if min(partition.size(first), partition.size(second)) < LARGE_GROUP:
            partition.unite(first, second)
        else:
            waiting.append((first, second))
    while supported := _supported(partition, waiting):
        for first, second in supported:
            partition.unite(first, second)
    apart = [edge for edge in waiting if partition.find(edge[0]) != partition.find(edge[1])]
    return partition.labels(), apart


def _supported(partition: _Partition, waiting: Sequence[Edge]) -> list[Edge]:
    """The first link of each pair of groups that two or more links connect."""
    between: dict[Edge, list[Edge]] = {}
    for edge in waiting:
        low, high = sorted((partition.find(edge[0]), partition.find(edge[1])))
        if low != high:
            between.setdefault((low, high), []).append(edge)
    return [edges[0] for edges in between.values() if len(set(edges)) >= 2]
