"""The look-alike search: candidates from shared visual words, links from aligned pixels, groups from links."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sonoproof import __version__
from sonoproof.data.frames.journal import Journal
from sonoproof.data.lookalike.comparisons import Comparisons, compare_in_rounds
from sonoproof.data.lookalike.links import Link, LookalikeResult
from sonoproof.data.lookalike.pair_check import Evidence, compose
from sonoproof.data.lookalike.spool import Entry, Views, ViewSpool
from sonoproof.data.lookalike.verdict import is_link
from sonoproof.progress import SILENT, Progress
from sonoproof.types import FloatArray


def find_lookalikes(
    records: pd.DataFrame,
    entries: Sequence[Entry],
    *,
    spool: ViewSpool,
    journal: Path,
    workers: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT.progress,
) -> LookalikeResult:
    """Find which frames are views of one source: identical, re-cropped, or of one clip.

    The result depends neither on the order of the frames nor on the number of threads.

    Args:
        records: One row per frame with ``image_id``, each once, and ``pixel_sha256``.
        entries: For each row where its view is in the spool (`ViewSpool.look`).
        spool: The views, about 110 KB per frame.
        journal: File in which each pair compared is written down. Where it holds what an earlier search of the same
            frames found, these pairs are not compared again; the frames must not have changed meanwhile.
        workers: Threads; None for one per processor.
        seed: Draws the sample of features that the visual words are learnt from.
        progress: Called with (done, of), for blocks of frames and for the pairs of each round.

    Raises:
        ValueError: An image_id occurs twice.
    """
    if records["image_id"].duplicated().any():
        raise ValueError("an image_id occurs twice; each frame must be given once")
    frames = sorted(zip(records["image_id"], records["pixel_sha256"], entries, strict=True))
    first_with: dict[str, str] = {}
    original = {name: first_with.setdefault(pixels, name) for name, pixels, _ in frames}
    unique = {name: entry for name, _, entry in frames if original[name] == name}
    views = Views(spool, list(unique.values()))
    search_of = hashlib.sha256("\0".join([__version__, str(seed), *original]).encode()).hexdigest()
    with Journal(journal, of=search_of) as compared:
        comparisons = compare_in_rounds(
            views, journal=compared, generator=np.random.default_rng(seed), workers=workers, progress=progress
        )
    return _result(list(unique), original, comparisons, views)


def _result(
    unique: Sequence[str], original: Mapping[str, str], comparisons: Comparisons, views: Views
) -> LookalikeResult:
    """Sources and links of all frames; of frames with the same pixels the first by name was compared."""
    labels = comparisons.labels
    source = {name: unique[label] for name, label in zip(unique, labels, strict=True)}
    links = [_identity(first, copy) for copy, first in original.items() if first != copy]
    suspected: list[Link] = []
    for (first, second, _), evidence in comparisons.suspects():
        joins = is_link(evidence) and labels[first] == labels[second]
        transform = _in_frame_pixels(evidence.transform, views.to_view(first), views.to_view(second))
        (links if joins else suspected).append(_link(unique[first], unique[second], transform, evidence))
    source_of = {name: source[first] for name, first in original.items()}
    return LookalikeResult(tuple(links), tuple(suspected), source_of, len(comparisons.evidence))


def _identity(original: str, copy: str) -> Link:
    unmoved = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    return Link(
        original, copy, unmoved, flipped=False, identical=True, inliers=0, overlap=1.0, agreement=1.0, margin=1.0
    )


def _in_frame_pixels(transform: FloatArray, first_to_view: FloatArray, second_to_view: FloatArray) -> FloatArray:
    """The map between two views as a map between the pixel coordinates of their frames."""
    back = np.linalg.inv(np.vstack([second_to_view, [0.0, 0.0, 1.0]]))[:2]
    return compose(back, compose(transform, first_to_view))


def _link(first: str, second: str, transform: FloatArray, evidence: Evidence) -> Link:
    rows = transform.tolist()
    found = {**vars(evidence), "transform": (tuple(rows[0]), tuple(rows[1]))}
    return Link(first=first, second=second, identical=False, **found)
