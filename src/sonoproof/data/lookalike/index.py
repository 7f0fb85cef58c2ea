"""The candidate index: frames as sets of visual words, compared by the rare words that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from sonoproof.concurrency import map_in_order
from sonoproof.data.lookalike.spool import Views
from sonoproof.data.lookalike.visual_words import Vocabulary, learn_vocabulary
from sonoproof.progress import SILENT, Progress
from sonoproof.types import Float32Array, IntArray, UInt8Array

_FRAMES_AT_ONCE = 64
_SAMPLE_PER_WORD = 12
# Frames that share a word stay as many, up to as many words as 131,072 frames ask for.
_MIN_WORDS, _MAX_WORDS = 2048, 262_144
_MAX_SAMPLE = 1_000_000
_BLOCK_SCORES = 4_000_000

Picked = TypeVar("Picked")


@dataclass(frozen=True)
class WordIndex:
    """Each frame as a unit vector of words, weighted by their rarity.

    Attributes:
        vectors: Float32 (frames, words), rows of length 1 (0 for a frame without features).
        mirror: For each word the word of the mirrored feature.
    """

    vectors: sparse.csr_array
    mirror: IntArray

    def pick(
        self,
        queries: NDArray[np.intp],
        targets: NDArray[np.intp],
        best: Callable[[NDArray[np.intp], Float32Array, Float32Array], Picked],
        *,
        workers: int | None = 1,
        progress: Progress = SILENT.progress,
    ) -> Iterator[Picked]:
        """Score frames block by block, so that memory does not grow with the number of queries.

        Args:
            queries: Frame numbers.
            targets: Frame numbers.
            best: Called in threads with a block of `queries`, its scores 0 to 1 against `targets` as float32 (block,
                targets), and those of the mirrored queries; may change them.
            workers: Threads; None for one per processor.
            progress: Called with (blocks done, blocks in all).

        Yields:
            What `best` returns, in the order of the queries.
        """
        columns = sparse.csr_array(self.vectors[targets].T)

        def scored(part: NDArray[np.intp]) -> Picked:
            rows = self.vectors[part]
            mirrored = sparse.csr_array((rows.data, self.mirror[rows.indices], rows.indptr), shape=rows.shape)
            return best(part, (rows @ columns).toarray(), (mirrored @ columns).toarray())

        block = max(1, _BLOCK_SCORES // max(len(targets), 1))
        parts = [queries[start : start + block] for start in range(0, len(queries), block)]
        yield from map_in_order(scored, parts, workers=workers, progress=progress)


def build_index(views: Views, *, generator: np.random.Generator) -> WordIndex:
    """Learn a vocabulary from the views of the frames and index them.

    References:
        J. Sivic, A. Zisserman, Video Google: a text retrieval approach to object matching in videos, ICCV 2003.
        D. Nister, H. Stewenius, Scalable recognition with a vocabulary tree, CVPR 2006.
    """
    halves, branches = _tree_shape(len(views))
    sample = _sample(views, min(_SAMPLE_PER_WORD * 2 * halves * branches, _MAX_SAMPLE), generator)
    vocabulary = learn_vocabulary(sample, halves=halves, branches=branches, generator=generator)
    return WordIndex(_weighted(_occurrences(views, vocabulary)), vocabulary.mirror())


def _tree_shape(frames: int) -> tuple[int, int]:
    """Words grow with the frames, so that the frames that share a word do not."""
    words = min(max(2 * frames, _MIN_WORDS), _MAX_WORDS)
    branches = int(2 ** np.round(np.log2(words) / 2))
    return max(words // branches // 2, 1), branches


def _sample(views: Views, size: int, generator: np.random.Generator) -> UInt8Array:
    frames = np.sort(generator.permutation(len(views))[: max(size // 32, 1)])
    drawn = []
    for number in frames:
        descriptors = views.descriptors(int(number))
        take = min(len(descriptors), -(-size // len(frames)))
        drawn.append(descriptors[np.sort(generator.permutation(len(descriptors))[:take])])
    return np.concatenate(drawn)


def _occurrences(views: Views, vocabulary: Vocabulary) -> sparse.csr_array:
    """Which frame holds which word, as 1.0, frames in rows."""
    words, counts = [], []
    for start in range(0, len(views), _FRAMES_AT_ONCE):
        numbers = range(start, min(start + _FRAMES_AT_ONCE, len(views)))
        descriptors = [views.descriptors(number) for number in numbers]
        found = vocabulary.words(np.concatenate(descriptors))
        for own in np.split(found, np.cumsum([len(d) for d in descriptors])[:-1]):
            words.append(np.unique(own))
            counts.append(len(words[-1]))
    columns = np.concatenate(words).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(counts)])
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_array((ones, columns, starts), shape=(len(views), vocabulary.size))


def _weighted(occurrences: sparse.csr_array) -> sparse.csr_array:
    """Inverse document frequency, rows scaled to unit length."""
    frames = occurrences.shape[0]
    holders = np.bincount(occurrences.indices, minlength=occurrences.shape[1])
    rarity = np.log((frames + 1) / np.maximum(holders, 1)).astype(np.float32)
    weights = rarity[occurrences.indices]
    squares = np.add.reduceat(np.append(weights**2, 0.0), occurrences.indptr[:-1])
    squares[np.diff(occurrences.indptr) == 0] = 1.0
    lengths = np.repeat(np.sqrt(np.maximum(squares, 1e-12)), np.diff(occurrences.indptr))
    scaled = (weights / lengths).astype(np.float32)
    return sparse.csr_array((scaled, occurrences.indices, occurrences.indptr), shape=occurrences.shape)
