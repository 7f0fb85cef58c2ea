"""The look-alike search: candidates from shared visual words, links from aligned pixels, groups from links."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.concurrency import Progress, map_in_order
from sonoproof.data.lookalike.comparisons import Comparisons, compare_in_rounds
from sonoproof.data.lookalike.features import FrameView, describe
from sonoproof.data.lookalike.links import Link, LookalikeResult
from sonoproof.data.lookalike.spool import ViewSpool
from sonoproof.data.lookalike.verdict import is_link
from sonoproof.data.lookalike.verify import Evidence, compose

__all__ = ["find_lookalikes"]

Load = Callable[[str], NDArray[np.uint8]]


def find_lookalikes(
    image_ids: Sequence[str],
    *,
    load: Load,
    work: Path,
    workers: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> LookalikeResult:
    """Find which frames are views of one source: identical, re-cropped, or of one clip.

    Args:
        image_ids: The frames, each once.
        load: Decodes a frame to uint8 RGB (height, width, 3); called once a frame, in threads.
        work: Folder for temporary files, about 110 KB a frame, removed at the end.
        workers: Threads; 0 takes one per processor. The result depends neither on it nor on the order of
            `image_ids`.
        seed: Draws the sample of features that the visual words are learnt from.
        progress: Called with (done, of), first for the frames, then for the pairs of each round.

    Raises:
        ValueError: An image_id occurs twice.
        Exception: Whatever `load` raises.
    """
    names = sorted(image_ids)
    if len(set(names)) != len(names):
        raise ValueError("an image_id occurs twice; each frame must be given once")
    work.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="lookalike-", dir=work) as folder,
        ViewSpool(Path(folder) / "views.bin") as spool,
    ):
        unique, originals = _describe_all(names, load, spool, workers=workers, progress=progress)
        generator = np.random.default_rng(seed)
        comparisons = compare_in_rounds(spool, generator=generator, workers=workers, progress=progress)
        return _result(unique, originals, comparisons, spool)


def _describe_all(
    names: Sequence[str], load: Load, spool: ViewSpool, *, workers: int, progress: Progress | None
) -> tuple[list[str], dict[str, str]]:
    """Spool a view of every frame; of frames with identical pixels the first only.

    Returns:
        The names in the order of the spool, and for every further copy the name of its original.
    """

    def read(name: str) -> tuple[str, FrameView]:
        image = load(name)
        return _pixel_digest(image), describe(image)

    unique: list[str] = []
    first_with: dict[str, str] = {}
    originals: dict[str, str] = {}
    described = map_in_order(read, names, workers=workers, progress=progress)
    for name, (digest, view) in zip(names, described, strict=True):
        original = first_with.setdefault(digest, name)
        if original == name:
            unique.append(name)
            spool.append(view)
        else:
            originals[name] = original
    return unique, originals


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
