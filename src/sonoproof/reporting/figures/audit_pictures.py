"""Pictures of the audit: the largest sources, aligned pairs, conflicts of labels, twins of test frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from sonoproof.data.audit import AuditOutcome
from sonoproof.data.audit.duplicates import conflicting_duplicates
from sonoproof.data.audit.sources import mixed_sources
from sonoproof.data.lookalike import Link, align
from sonoproof.reporting.figures.contact_sheet import Tile, class_colours, contact_sheet
from sonoproof.reporting.figures.style import BLUE, MUTED, ORANGE, house_style, label_text, panels
from sonoproof.runfolder import atomic_path

__all__ = ["draw_audit"]

SOURCES_DRAWN: Final = 4
FRAMES_PER_SOURCE: Final = 24
PAIRS_DRAWN: Final = 6
CONFLICTS_DRAWN: Final = 12
MIXED_DRAWN: Final = 15
_DPI: Final = 110

Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Gallery:
    """What the pictures are made from.

    Attributes:
        records: All rows, with their image ids as index.
        labels: Label of each image id.
        origins: Origin of each image id.
        classes: Names of the negative and of the positive class.
        load: Decodes the frame of an image id.
        folder: Where the pictures go.
    """

    records: pd.DataFrame
    labels: Mapping[str, str]
    origins: Mapping[str, str]
    classes: tuple[str, str]
    load: Callable[[str], Rgb]
    folder: Path

    def tile(self, image_id: str, *notes: str) -> Tile:
        """A frame with its label, its name and notes."""
        label = self.labels[image_id] or "no label"
        return Tile(self.load(image_id), (label, image_id, *notes), class_colours(self.classes).get(label, MUTED))

    def save(self, picture: Image.Image, name: str) -> Path:
        """Write a sheet as a png."""
        path = self.folder / name
        with atomic_path(path) as temporary:
            picture.quantize(192, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(temporary, "PNG")
        return path


def draw_audit(outcome: AuditOutcome, *, folder: Path, load: Callable[[str], Rgb]) -> dict[str, list[Path]]:
    """Draw what can be drawn of the findings.

    Args:
        outcome: What the audit found.
        folder: Folder for the pictures, ``audit`` in the run.
        load: Decodes the frame of an image id to RGB, uint8 (H, W, 3).

    Returns:
        The pictures of each finding, by its id.
    """
    material = outcome.material
    records = material.records.set_index("image_id")
    gallery = _Gallery(
        records,
        labels=dict(zip(records.index, records["label"], strict=True)),
        origins=dict(zip(records.index, records["origin"], strict=True)),
        classes=material.class_names,
        load=load,
        folder=folder,
    )
    links = material.lookalikes.links if material.lookalikes else ()
    drawn_for = {
        "sources": [*_largest_sources(gallery), *_aligned_pairs(gallery, links, name="pairs.png", chosen=_any_pair)],
        "mixed-sources": [
            *_mixed_sources(gallery),
            *_aligned_pairs(gallery, links, name="conflicting-pairs.png", chosen=_opposite_labels),
        ],
        "duplicate-conflicts": [*_conflicting_copies(gallery), *_conflict_matrix(gallery, links)],
        "test-twins": _aligned_pairs(gallery, links, name="twins.png", chosen=_sheet_and_test),
    }
    found = {finding.id for finding in outcome.findings}
    return {name: pictures for name, pictures in drawn_for.items() if pictures and name in found}


def _largest_sources(gallery: _Gallery) -> list[Path]:
    sheet = gallery.records[gallery.records["origin"] == "sheet"]
    sizes = sheet.groupby("source").size().sort_values(ascending=False, kind="stable")
    pictures = []
    for number, (source, size) in enumerate(sizes[sizes > 1].head(SOURCES_DRAWN).items(), start=1):
        rows = sheet[sheet["source"] == source].sort_values("label", kind="stable")
        shown = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, FRAMES_PER_SOURCE).round().astype(int))]
        tiles = [gallery.tile(str(image_id)) for image_id in shown.index]
        counts = ", ".join(f"{count} {label or 'unlabelled'}" for label, count in rows["label"].value_counts().items())
        title = f"Source {number}: {size} frames of the sheet ({counts}); {len(tiles)} shown"
        pictures.append(gallery.save(contact_sheet(tiles, title=title, columns=6), f"source-{number:02d}.png"))
    return pictures


def _conflicting_copies(gallery: _Gallery) -> list[Path]:
    sheet = gallery.records[gallery.records["origin"] == "sheet"].reset_index()
    sets = conflicting_duplicates(sheet)
    if not sets:
        return []
    tiles = []
    for rows in sets[:CONFLICTS_DRAWN]:
        members = sheet.loc[rows].drop_duplicates("label")
        tiles += [gallery.tile(str(image_id)) for image_id in members["image_id"].head(2)]
    title = (
        f"The same pixels under opposite labels: {len(sets)} sets of identical frames; "
        f"{min(CONFLICTS_DRAWN, len(sets))} shown, two neighbours each"
    )
    return [gallery.save(contact_sheet(tiles, title=title, columns=6), "identical-opposite.png")]


Chosen = Callable[[_Gallery, Link], bool]


def _any_pair(gallery: _Gallery, link: Link) -> bool:
    return gallery.origins[link.first] == gallery.origins[link.second] == "sheet"


def _opposite_labels(gallery: _Gallery, link: Link) -> bool:
    labels = {gallery.labels[link.first], gallery.labels[link.second]} - {""}
    return len(labels) == 2 and _any_pair(gallery, link)


def _sheet_and_test(gallery: _Gallery, link: Link) -> bool:
    return gallery.origins[link.first] != gallery.origins[link.second]


def _aligned_pairs(gallery: _Gallery, links: Sequence[Link], *, name: str, chosen: Chosen) -> list[Path]:
    """Rows of three: a frame, its look-alike, and both laid over each other after alignment."""
    wanted = [link for link in links if not link.identical and chosen(gallery, link)]
    if not wanted:
        return []
    picked = np.unique(np.linspace(0, len(wanted) - 1, PAIRS_DRAWN).round().astype(int))
    tiles: list[Tile] = []
    for link in (wanted[number] for number in picked):
        first, second = gallery.tile(link.first), gallery.tile(link.second)
        flipped = ", mirrored" if link.flipped else ""
        lines = (f"laid over each other{flipped}", f"agreement {link.agreement:.2f}")
        tiles += [first, second, Tile(_laid_over(first.pixels, second.pixels, link), lines)]
    title = (
        f"Look-alike pairs: {len(picked)} of {len(wanted):,} links, from the strongest to the weakest. Third column: "
        "grey where both agree, magenta or green where one is brighter"
    )
    return [gallery.save(contact_sheet(tiles, title=title, columns=6), name)]


def _laid_over(first: Rgb, second: Rgb, link: Link) -> Rgb:
    moved, kept = (np.asarray(picture.mean(axis=2), dtype=np.uint8) for picture in align(first, second, link))
    return np.stack([moved, kept, moved], axis=2)


def _mixed_sources(gallery: _Gallery) -> list[Path]:
    sheet = gallery.records[gallery.records["origin"] == "sheet"]
    rows = mixed_sources(sheet)
    if not len(rows):
        return []
    counts = rows.groupby(["source", "label"]).size().unstack(fill_value=0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    with house_style():
        figure, (axis,) = panels(width_in=6.2, height_in=0.9 + 0.24 * min(len(counts), MIXED_DRAWN))
        _draw_counts(axis, counts.head(MIXED_DRAWN), classes=gallery.classes)
        axis.set(xlabel="Frames", title=f"Sources with both labels: the {min(len(counts), MIXED_DRAWN)} largest of "
                 f"{len(counts)}")  # fmt: skip
    return [_save_figure(figure, gallery.folder / "mixed-sources.png")]


def _draw_counts(axis: Axes, counts: pd.DataFrame, *, classes: tuple[str, str]) -> None:
    places = np.arange(len(counts))
    left = np.zeros(len(counts))
    for name, colour, hatch in zip(classes, (BLUE, ORANGE), ("", "////"), strict=True):
        numbers = counts[name].to_numpy(dtype=np.float64) if name in counts else np.zeros(len(counts))
        axis.barh(places, numbers, left=left, color=colour, hatch=hatch, edgecolor="white", label=label_text(name))
        left += numbers
    for place, row in zip(places, counts.reindex(columns=list(classes), fill_value=0).to_numpy(), strict=True):
        axis.text(
            float(row.sum() + 0.01 * left.max()), float(place), f"{row[0]:,} + {row[1]:,}", va="center", fontsize=7.5
        )
    axis.set_xlim(0, 1.18 * left.max())
    axis.set_yticks(places, [label_text(str(source)) for source in counts.index])
    axis.invert_yaxis()
    axis.legend(loc="lower right")


def _conflict_matrix(gallery: _Gallery, links: Sequence[Link]) -> list[Path]:
    """How often linked frames carry which two labels: copies on the left, other look-alikes on the right."""
    kinds = [("Pixel-identical copies", _identical_pairs(gallery)), ("Other look-alike links", _linked(gallery, links))]
    kinds = [(title, pairs) for title, pairs in kinds if pairs]
    if not kinds:
        return []
    with house_style():
        figure, axes = panels(len(kinds), width_in=3.4, height_in=3.1)
        for axis, (title, pairs) in zip(axes, kinds, strict=True):
            _draw_matrix(axis, pairs, classes=gallery.classes)
            axis.set(title=f"{title}: {len(pairs):,}", xlabel="Label of the other")
        axes[0].set_ylabel("Label of one")
    return [_save_figure(figure, gallery.folder / "conflict-matrix.png")]


def _identical_pairs(gallery: _Gallery) -> list[tuple[str, str]]:
    sheet = gallery.records[(gallery.records["origin"] == "sheet") & (gallery.records["label"] != "")]
    pairs = []
    for _, labels in sheet.groupby("pixel_sha256")["label"]:
        values = sorted(labels)
        pairs += [(one, other) for place, one in enumerate(values) for other in values[place + 1 :]]
    return pairs


def _linked(gallery: _Gallery, links: Sequence[Link]) -> list[tuple[str, str]]:
    return [
        (gallery.labels[link.first], gallery.labels[link.second])
        for link in links
        if not link.identical and _any_pair(gallery, link)
    ]


def _draw_matrix(axis: Axes, pairs: Sequence[tuple[str, str]], *, classes: tuple[str, str]) -> None:
    counts = np.zeros((2, 2), int)
    for one, other in pairs:
        if one in classes and other in classes:
            low, high = sorted((classes.index(one), classes.index(other)))
            counts[low, high] += 1
    for (row, column), count in np.ndenumerate(counts):
        if row > column:
            continue
        colour = BLUE if row == column else ORANGE
        share = count / max(counts.sum(), 1)
        axis.fill_between([column, column + 1], row, row + 1, color=colour, alpha=0.12 + 0.4 * share)
        word = "agree" if row == column else "conflict"
        axis.text(column + 0.5, row + 0.5, f"{count:,}\n{word}", ha="center", va="center", fontsize=11)
    names = [label_text(name) for name in classes]
    axis.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axis.set_xticks([0.5, 1.5], names)
    axis.set_yticks([0.5, 1.5], names, rotation=90, va="center")
    axis.grid(visible=False)


def _save_figure(figure: Figure, path: Path) -> Path:
    with house_style(), atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor="white")
    return path
