"""The look-alike search: candidates from shared visual words, links from aligned pixels, groups from links."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoproof import __version__
from sonoproof.concurrency import Progress, map_in_order
from sonoproof.data.lookalike.comparisons import Comparisons, compare_in_rounds
from sonoproof.data.lookalike.journal import Journal
from sonoproof.data.lookalike.keypoints import FrameView, describe
from sonoproof.data.lookalike.links import Link, LookalikeResult
from sonoproof.data.lookalike.pair_check import Evidence, compose
from sonoproof.data.lookalike.spool import Entry, ViewSpool
from sonoproof.data.lookalike.verdict import is_link

__all__ = ["find_lookalikes"]

Load = Callable[[str], NDArray[np.uint8]]


def find_lookalikes(
    image_ids: Sequence[str],
    *,
    load: Load,
    work: Path,
    workers: int | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
) -> LookalikeResult:
    """Find which frames are views of one source: identical, re-cropped, or of one clip.

    Args:
        image_ids: The frames, each once.
        load: Decodes a frame to uint8 RGB (height, width, 3); called once a frame, in threads.
        work: Folder in which the folder ``lookalike`` is made, about 110 KB a frame, and removed at the end. A search
            that was stopped leaves it.
        workers: Threads; None for one per processor. The result depends neither on it nor on the order of
            `image_ids`.
        seed: Draws the sample of features that the visual words are learnt from.
        resume: Whether to go on with a search of the same frames that was stopped. The frames must not have changed.
        progress: Called with (done, of), first for the frames, then for blocks of frames and the pairs of each round.

    Raises:
        ValueError: An image_id occurs twice.
        Exception: Whatever `load` raises.
    """
    names = sorted(image_ids)
    if len(set(names)) != len(names):
        raise ValueError("an image_id occurs twice; each frame must be given once")
    folder = work / "lookalike"
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    search_of = hashlib.sha256("\0".join([__version__, str(seed), *names]).encode()).hexdigest()
    with (
        Journal(folder / "frames.jsonl", of=search_of) as described,
        Journal(folder / "pairs.jsonl", of=search_of) as compared,
        ViewSpool(folder / "views.bin", entries=_kept_views(described, folder / "views.bin")) as spool,
    ):
        unique, originals = _describe_all(names, load, spool, journal=described, workers=workers, progress=progress)
        comparisons = compare_in_rounds(
            spool, journal=compared, generator=np.random.default_rng(seed), workers=workers, progress=progress
        )
        result = _result(unique, originals, comparisons, spool)
    shutil.rmtree(folder)
    return result


def _kept_views(described: Journal, file: Path) -> list[Entry]:
    """Where the views described so far lie (further copies have none); none where the file does not hold them all."""
    entries = [Entry.from_json(entry) for _, entry in described.kept if entry is not None]
    if entries and not (file.is_file() and file.stat().st_size >= entries[-1].end):
        described.begin_anew()
        return []
    return entries


def _describe_all(
    names: Sequence[str],
    load: Load,
    spool: ViewSpool,
    *,
    journal: Journal,
    workers: int | None,
    progress: Progress | None,
) -> tuple[list[str], dict[str, str]]:
    """Spool a view of every frame; of frames with identical pixels the first only.

    Returns:
        The names in the order of the spool, and for every further copy the name of its original.
    """
    unique: list[str] = []
    first_with: dict[str, str] = {}
    originals: dict[str, str] = {}

    def enter(name: str, digest: str) -> bool:
        """Whether the frame is the first with these pixels."""
        original = first_with.setdefault(digest, name)
        if original != name:
            originals[name] = original
            return False
        unique.append(name)
        return True

    before, rest = names[: len(journal.kept)], names[len(journal.kept) :]
    for name, (digest, _) in zip(before, journal.kept, strict=True):
        enter(name, digest)
    for name, (digest, view) in _described(rest, load, before=len(before), workers=workers, progress=progress):
        entry = spool.append(view) if enter(name, digest) else None
        journal.append([digest, entry and entry.to_json()])
    return unique, originals


def _described(
    names: Sequence[str], load: Load, *, before: int, workers: int | None, progress: Progress | None
) -> Iterator[tuple[str, tuple[str, FrameView]]]:
    """Each name with the hash of its pixels and its view; `before` frames count as done."""

    def read(name: str) -> tuple[str, FrameView]:
        image = load(name)
        return _pixel_digest(image), describe(image)

    def count(done: int, total: int) -> None:
        if progress is not None:
            progress(before + done, before + total)

    yield from zip(names, map_in_order(read, names, workers=workers, progress=count), strict=True)


def _pixel_digest(image: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def _result(
    unique: Sequence[str], originals: Mapping[str, str], comparisons: Comparisons, spool: ViewSpool
) -> LookalikeResult:
    labels = comparisons.labels
    source = {name: unique[label] for name, label in zip(unique, labels, strict=True)}
    source |= {copy: source[original] for copy, original in originals.items()}
    links = [_identity(original, copy) for copy, original in sorted(originals.items())]
    suspected: list[Link] = []
    for (first, second, _), evidence in comparisons.suspects():
        joins = is_link(evidence) and labels[first] == labels[second]
        transform = _in_frame_pixels(evidence.transform, spool.to_view(first), spool.to_view(second))
        (links if joins else suspected).append(_link(unique[first], unique[second], transform, evidence))
    return LookalikeResult(tuple(links), tuple(suspected), dict(sorted(source.items())), len(comparisons.evidence))


def _identity(original: str, copy: str) -> Link:
    return Link(
        first=original, second=copy, transform=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), flipped=False, identical=True,
        inliers=0, overlap=1.0, agreement=1.0, margin=1.0,
    )  # fmt: skip


def _in_frame_pixels(
    transform: NDArray[np.float64], first_to_view: NDArray[np.float64], second_to_view: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The map between two views as a map between the pixel coordinates of their frames."""
    back = np.linalg.inv(np.vstack([second_to_view, [0.0, 0.0, 1.0]]))[:2]
    return compose(back, compose(transform, first_to_view))


def _link(first: str, second: str, transform: NDArray[np.float64], evidence: Evidence) -> Link:
    (a, b, x), (c, d, y) = transform.tolist()
    return Link(
        first=first, second=second, transform=((a, b, x), (c, d, y)), flipped=evidence.flipped, identical=False,
        inliers=evidence.inliers, overlap=evidence.overlap, agreement=evidence.agreement, margin=evidence.margin,
    )  # fmt: skip
