"""Visual words: a two-level k-means over descriptors, closed under mirroring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.keypoints import MIRROR_ORDER
from sonoproof.types import Float32Array, IntArray, UInt8Array


@dataclass(frozen=True)
class Vocabulary:
    """A tree of two levels; word number = coarse number * branches + fine number.

    The second half of the coarse centres are the mirror images of the first half, with the mirrored fine centres:
    the word of a mirrored descriptor is known without a search.

    Attributes:
        coarse: Integer-valued centres, float32 (2 h, 128).
        fine: Integer-valued centres, float32 (2 h, branches, 128).
    """

    coarse: Float32Array
    fine: Float32Array

    @property
    def size(self) -> int:
        """Number of words."""
        return int(self.fine.shape[0] * self.fine.shape[1])

    def mirror(self) -> IntArray:
        """For each word the word of the mirrored descriptor."""
        return np.roll(np.arange(self.size), self.size // 2)

    def words(self, descriptors: UInt8Array) -> NDArray[np.int32]:
        """The word of each descriptor, int32 (k,)."""
        values = descriptors.astype(np.float32)
        coarse = _nearest(values, self.coarse)
        words = np.empty(len(values), np.int32)
        order = np.argsort(coarse, kind="stable")
        starts = np.searchsorted(coarse[order], np.arange(len(self.coarse) + 1))
        for node in np.flatnonzero(np.diff(starts)):
            members = order[starts[node] : starts[node + 1]]
            words[members] = node * self.fine.shape[1] + _nearest(values[members], self.fine[node])
        return words


def learn_vocabulary(sample: UInt8Array, *, halves: int, branches: int, generator: np.random.Generator) -> Vocabulary:
    """Learn the words from a sample of descriptors.

    Args:
        sample: Descriptors, uint8 (n, 128).
        halves: Half the number of coarse centres.
        branches: Fine centres of each coarse one.
        generator: Draws the starting centres.
    """
    values = sample.astype(np.float32)
    half = _k_means(values, halves, generator)
    coarse = np.concatenate([half, half[:, MIRROR_ORDER]])
    nearest = _nearest(values, coarse)
    fine = []
    for node in range(halves):
        # Descriptors nearest to the mirrored centre serve the same node, mirrored back.
        own = np.concatenate([values[nearest == node], values[nearest == node + halves][:, MIRROR_ORDER]])
        fine.append(_k_means(own, branches, generator))
    stacked = np.stack(fine)
    return Vocabulary(coarse, np.concatenate([stacked, stacked[:, :, MIRROR_ORDER]]))


def _nearest(values: Float32Array, centres: Float32Array) -> NDArray[np.intp]:
    """Entries are integers and all sums stay below 2^24: exact in float32, the same on every machine."""
    half_norms = (centres * centres).sum(axis=1) / 2
    chunks = [
        (values[start : start + 65536] @ centres.T - half_norms).argmax(axis=1)
        for start in range(0, len(values), 65536)
    ]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.intp)


def _k_means(values: Float32Array, k: int, generator: np.random.Generator, rounds: int = 8) -> Float32Array:
    if len(values) == 0:
        return np.zeros((k, values.shape[1]), np.float32)
    centres = values[generator.choice(len(values), k, replace=len(values) < k)]
    for _ in range(rounds):
        nearest = _nearest(values, centres)
        counts = np.bincount(nearest, minlength=k)
        order = np.argsort(nearest, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        filled = np.flatnonzero(counts)
        sums = np.add.reduceat(values[order].astype(np.float64), starts[filled], axis=0)
        centres = centres.copy()
        centres[filled] = np.rint(sums / counts[filled, None])
    return centres
