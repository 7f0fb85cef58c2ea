"""The look-alike search: candidates from shared visual words, links from aligned pixels, groups from links."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.concurrency import Progress, map_in_order
from sonoproof.data.lookalike.candidates import Pair, nearest_pairs, pairs_between_groups, supporting_pairs
from sonoproof.data.lookalike.features import FrameView, describe
from sonoproof.data.lookalike.groups import Partition, join
from sonoproof.data.lookalike.index import WordIndex, build_index
from sonoproof.data.lookalike.links import Link, LookalikeResult
from sonoproof.data.lookalike.spool import ViewSpool
from sonoproof.data.lookalike.verify import Evidence, compare, compose

__all__ = ["find_lookalikes"]

LINK_MARGIN = 0.15
"""Margin from which a pair is linked."""

SUSPECT_MARGIN = 0.08
MAX_ROUNDS = 5

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def find_lookalikes(
    image_ids: Sequence[str],
    *,
    load: Callable[[str], NDArray[np.uint8]],
    work: Path,
    workers: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> LookalikeResult:
    """Find which frames are views of one source.

    Args:
        image_ids: The frames, each once.
        load: Decodes a frame to uint8 RGB (height, width, 3); called once a frame, in threads.
        work: Folder for temporary files, about 110 KB a frame; removed at the end.
        workers: Threads; 0 takes one per processor. The result does not depend on it, nor on the order of
            `image_ids`.
        seed: Draws the sample that the visual words are learnt from.
        progress: Called with (steps done, steps in all) while frames are described and pairs verified.

    Raises:
        ValueError: An image_id occurs twice.
        Exception: Whatever `load` raises.
    """
    names = sorted(image_ids)
    if len(set(names)) != len(names):
        raise ValueError("an image_id occurs twice")
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lookalike-", dir=work) as folder, \
            ViewSpool(Path(folder) / "views.bin") as spool:  # fmt: skip
        unique, copies = _spool_views(names, load, spool, workers, progress)
        verified = _verify_in_rounds(spool, workers, np.random.default_rng(seed))
        return _result(unique, copies, spool, verified)


@dataclass
class _Verified:
    """Every pair compared so far, and the groups that follow."""

    frames: int
    evidence: dict[Pair, Evidence | None] = field(default_factory=dict)
    partition: Partition = field(init=False)
    waiting: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.partition = Partition(self.frames)

    def linked(self) -> list[tuple[Pair, Evidence]]:
        """Pairs with the evidence of a link, strongest first."""
        found = [(pair, seen) for pair, seen in self.evidence.items() if seen and seen.margin >= LINK_MARGIN]
        return sorted(found, key=lambda item: (-item[1].margin, item[0]))

    def regroup(self) -> None:
        """Form the groups anew from all links."""
        edges = [pair[:2] for pair, _ in self.linked()]
        self.partition, self.waiting = join(self.frames, edges)


def _spool_views(
    names: Sequence[str],
    load: Callable[[str], NDArray[np.uint8]],
    spool: ViewSpool,
    workers: int,
    progress: Progress | None,
) -> tuple[list[str], dict[str, str]]:
    """Describe every frame; of frames with identical pixels only the first goes on."""

    def read(name: str) -> tuple[str, FrameView]:
        image = load(name)
        return _pixel_hash(image), describe(image)

    unique: list[str] = []
    first_with: dict[str, str] = {}
    copies: dict[str, str] = {}
    described = map_in_order(read, names, workers=workers, progress=progress)
    for name, (digest, view) in zip(names, described, strict=True):
        if digest in first_with:
            copies[name] = first_with[digest]
            continue
        first_with[digest] = name
        unique.append(name)
        spool.append(view)
    return unique, copies


def _pixel_hash(image: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def _verify_in_rounds(spool: ViewSpool, workers: int, generator: np.random.Generator) -> _Verified:
    """Nearest frames first; then, round by round, the most similar groups that are not yet one."""
    verified = _Verified(len(spool))
    if len(spool) < 2:
        return verified
    index = build_index(spool, generator=generator)
    asked: set[tuple[int, int]] = set()
    _verify(nearest_pairs(index), verified, spool, workers)
    for _ in range(MAX_ROUNDS):
        labels = verified.partition.labels()
        pairs = pairs_between_groups(index, labels, _changed(labels, asked), verified.evidence)
        if not _verify([*pairs, *supporting_pairs(index, labels, verified.waiting)], verified, spool, workers):
            break
    return verified


def _changed(labels: NDArray[np.int64], asked: set[tuple[int, int]]) -> set[int]:
    """Groups that are not yet in `asked` with their present size; they are then."""
    names, sizes = np.unique(labels, return_counts=True)
    present = {(int(name), int(size)) for name, size in zip(names, sizes, strict=True)}
    fresh = {name for name, _ in present - asked}
    asked |= present
    return fresh


def _verify(pairs: Iterable[Pair], verified: _Verified, spool: ViewSpool, workers: int) -> int:
    """Compare the pairs that were not compared before; returns how many."""
    fresh = sorted(set(pairs) - verified.evidence.keys())

    def check(pair: Pair) -> Evidence | None:
        first, second, flipped = pair
        return compare(spool.view(first), spool.view(second), flipped=flipped)

    for pair, seen in zip(fresh, map_in_order(check, fresh, workers=workers), strict=True):
        verified.evidence[pair] = seen if seen and seen.margin >= SUSPECT_MARGIN else None
    verified.regroup()
    return len(fresh)


def _result(unique: list[str], copies: dict[str, str], spool: ViewSpool, verified: _Verified) -> LookalikeResult:
    labels = verified.partition.labels()
    source = {name: unique[label] for name, label in zip(unique, labels, strict=True)}
    source |= {name: source[original] for name, original in copies.items()}
    links = [_identical(name, original) for name, original in sorted(copies.items())]
    suspected = []
    for (first, second, _), seen in sorted(
        ((pair, seen) for pair, seen in verified.evidence.items() if seen), key=lambda item: (-item[1].margin, item[0])
    ):
        link = _link(unique[first], unique[second], seen, spool.to_view(first), spool.to_view(second))
        joined = seen.margin >= LINK_MARGIN and labels[first] == labels[second]
        (links if joined else suspected).append(link)
    return LookalikeResult(tuple(links), tuple(suspected), dict(sorted(source.items())), len(verified.evidence))


def _identical(name: str, original: str) -> Link:
    return Link(original, name, IDENTITY, flipped=False, identical=True, inliers=0, overlap=1.0, agreement=1.0, margin=1.0)


def _link(
    first: str, second: str, seen: Evidence, first_to_view: NDArray[np.float64], second_to_view: NDArray[np.float64]
) -> Link:
    back = np.linalg.inv(np.vstack([second_to_view, [0.0, 0.0, 1.0]]))[:2]
    matrix = compose(back, compose(seen.transform, first_to_view))
    rows = tuple(tuple(float(value) for value in row) for row in matrix)
    return Link(
        first, second, rows, seen.flipped, False,  # type: ignore[arg-type]
        seen.inliers, seen.overlap, seen.agreement, seen.margin,
    )  # fmt: skip
