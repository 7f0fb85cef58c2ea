"""Pictures of the audit: the largest sources, aligned pairs, conflicting labels, twins of test frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from sonoproof.data.audit import AuditOutcome
from sonoproof.data.audit.duplicates import conflicting_duplicates
from sonoproof.data.audit.sources import mixed_sources
from sonoproof.data.cohort.grouping import content_of
from sonoproof.data.lookalike import Link, align
from sonoproof.reporting.figures.audit_figures import conflict_figure, mixed_sources_figure
from sonoproof.reporting.figures.contact_sheet import Tile, contact_sheet
from sonoproof.reporting.figures.style import BLUE, MUTED, ORANGE, house_style
from sonoproof.runfolder import atomic_path
from sonoproof.sampling import evenly_spread
from sonoproof.types import UInt8Array
from sonoproof.wording import counted

MAX_SOURCES: Final = 4
FRAMES_PER_SOURCE: Final = 24
MAX_PAIRS: Final = 6
MAX_CONFLICTS: Final = 12
_COLUMNS: Final = 6
_DPI: Final = 110


@dataclass(frozen=True)
class _AuditedFrames:
    """What the pictures are made from.

    Attributes:
        records: All rows, with their image ids as index.
        links: Pairs of look-alikes that are not identical, strongest first.
        classes: Names of the negative and of the positive class.
        load: Decodes the frame of an image id.
        folder: Where the pictures go.
    """

    records: pd.DataFrame
    links: Sequence[Link]
    classes: tuple[str, str]
    load: Callable[[str], UInt8Array]
    folder: Path

    @cached_property
    def labels(self) -> dict[str, str]:
        return dict(zip(self.records.index, self.records["label"], strict=True))

    @cached_property
    def sheet(self) -> pd.DataFrame:
        """The rows of the sheet."""
        return self.records[self.records["origin"] == "sheet"]

    @cached_property
    def links_in_sheet(self) -> list[Link]:
        """The links of which both frames are in the sheet."""
        inside = set(self.sheet.index)
        return [link for link in self.links if link.first in inside and link.second in inside]

    def tile(self, image_id: str, *notes: str) -> Tile:
        """A frame with its label, its name and notes."""
        label = self.labels[image_id] or "no label"
        colour = dict(zip(self.classes, (BLUE, ORANGE), strict=True)).get(label, MUTED)
        return Tile(self.load(image_id), (label, image_id, *notes), colour)

    def save_sheet(self, tiles: Sequence[Tile], name: str, *, title: str) -> Path:
        """Write tiles under a title as a PNG of few colours."""
        picture = contact_sheet(tiles, title=title, columns=_COLUMNS)
        path = self.folder / name
        with atomic_path(path) as temporary:
            picture.quantize(192, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(temporary, "PNG")
        return path

    def save_figure(self, figure: Figure, name: str) -> Path:
        """Write a figure as a PNG."""
        path = self.folder / name
        with house_style(), atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=_DPI, facecolor="white")
        return path


def draw_audit(outcome: AuditOutcome, *, folder: Path, load: Callable[[str], UInt8Array]) -> dict[str, list[Path]]:
    """Illustrate those findings that can be illustrated.

    Args:
        outcome: What the audit found.
        folder: Folder for the pictures, ``audit`` in the run.
        load: Decodes the frame of an image id to RGB, uint8 (H, W, 3).

    Returns:
        The pictures of each finding, by its id.
    """
    material = outcome.material
    links = material.lookalikes.links if material.lookalikes else ()
    different = [link for link in links if not link.identical]
    records = material.records.set_index("image_id")
    frames = _AuditedFrames(records, different, material.class_names, load, folder)
    origins = dict(zip(records.index, records["origin"], strict=True))
    twins = [link for link in different if origins[link.first] != origins[link.second]]
    pictures = {
        "sources": [*_largest_sources(frames), *_aligned_pairs(frames, frames.links_in_sheet, name="pairs.png")],
        "mixed-sources": [
            *_mixed_sources(frames),
            *_aligned_pairs(frames, _opposite_labels(frames), name="conflicting-pairs.png"),
        ],
        "duplicate-conflicts": [*_conflicting_copies(frames), *_conflict_matrix(frames)],
        "test-twins": _aligned_pairs(frames, twins, name="twins.png"),
    }
    found = {finding.id for finding in outcome.findings}
    return {name: paths for name, paths in pictures.items() if paths and name in found}


def _largest_sources(frames: _AuditedFrames) -> list[Path]:
    sizes = frames.sheet.groupby("source").size().sort_values(ascending=False, kind="stable")
    pictures = []
    for number, (source, size) in enumerate(sizes[sizes > 1].head(MAX_SOURCES).items(), start=1):
        rows = frames.sheet[frames.sheet["source"] == source].sort_values("label", kind="stable")
        shown = rows.index[evenly_spread(len(rows), FRAMES_PER_SOURCE)]
        counts = ", ".join(f"{count} {label or 'unlabelled'}" for label, count in rows["label"].value_counts().items())
        title = f"Source {number}: {size} frames of the sheet ({counts}); {len(shown)} shown"
        tiles = [frames.tile(str(image_id)) for image_id in shown]
        pictures.append(frames.save_sheet(tiles, f"source-{number:02d}.png", title=title))
    return pictures


def _conflicting_copies(frames: _AuditedFrames) -> list[Path]:
    sheet = frames.sheet.reset_index()
    sets = conflicting_duplicates(sheet)
    if not sets:
        return []
    members = [sheet.loc[rows].drop_duplicates("label")["image_id"].head(2) for rows in sets[:MAX_CONFLICTS]]
    tiles = [frames.tile(str(image_id)) for image_ids in members for image_id in image_ids]
    title = (
        f"The same pixels under opposite labels: {counted(len(sets), 'set')} of identical frames; "
        f"{len(members)} shown, two frames of each side by side"
    )
    return [frames.save_sheet(tiles, "identical-opposite.png", title=title)]


def _opposite_labels(frames: _AuditedFrames) -> list[Link]:
    pairs = [(link, {frames.labels[link.first], frames.labels[link.second]} - {""}) for link in frames.links_in_sheet]
    return [link for link, labels in pairs if len(labels) == 2]


def _aligned_pairs(frames: _AuditedFrames, links: Sequence[Link], *, name: str) -> list[Path]:
    """Rows of three: a frame, its look-alike, and one laid over the other after alignment."""
    if not links:
        return []
    picked = [links[place] for place in evenly_spread(len(links), MAX_PAIRS)]
    tiles: list[Tile] = []
    for link in picked:
        first, second = frames.tile(link.first), frames.tile(link.second)
        lines = (f"overlaid{', mirrored' if link.flipped else ''}", f"agreement {link.agreement:.2f}")
        tiles += [first, second, Tile(_overlaid(first.pixels, second.pixels, link), lines)]
    title = (
        f"Look-alike pairs: {len(picked)} of {counted(len(links), 'link')}, from the strongest to the weakest. "
        "Third column: grey where both agree, magenta or green where one is brighter"
    )
    return [frames.save_sheet(tiles, name, title=title)]


def _overlaid(first: UInt8Array, second: UInt8Array, link: Link) -> UInt8Array:
    moved, kept = (np.asarray(picture.mean(axis=2), dtype=np.uint8) for picture in align(first, second, link))
    return np.stack([moved, kept, moved], axis=2)


def _mixed_sources(frames: _AuditedFrames) -> list[Path]:
    rows = mixed_sources(frames.sheet)
    if not len(rows):
        return []
    counts = rows.groupby(["source", "label"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=list(frames.classes), fill_value=0)
    largest = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    return [frames.save_figure(mixed_sources_figure(largest), "mixed-sources.png")]


def _conflict_matrix(frames: _AuditedFrames) -> list[Path]:
    """How often linked frames carry which two labels: copies on the left, other look-alikes on the right."""
    linked = [(frames.labels[link.first], frames.labels[link.second]) for link in frames.links_in_sheet]
    kinds = {"Pixel-identical copies": _identical_pairs(frames), "Other look-alike links": linked}
    kinds = {title: pairs for title, pairs in kinds.items() if pairs}
    if not kinds:
        return []
    return [frames.save_figure(conflict_figure(kinds, classes=frames.classes), "conflict-matrix.png")]


def _identical_pairs(frames: _AuditedFrames) -> list[tuple[str, str]]:
    pairs = []
    labelled = frames.sheet[frames.sheet["label"] != ""]
    content = content_of(labelled, "pixel_sha256")
    for _, labels in labelled["label"][content != ""].groupby(content):
        values = sorted(labels)
        pairs += [(one, other) for place, one in enumerate(values) for other in values[place + 1 :]]
    return pairs
