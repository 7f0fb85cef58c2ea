"""Figures of the audit: sources that hold both classes, and which labels look-alike frames carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sonoproof.reporting.figures.style import BLUE, ORANGE, house_style, label_text, panels

MAX_MIXED: Final = 15

LabelPairs = Sequence[tuple[str, str]]


@house_style()
def mixed_sources_figure(counts: pd.DataFrame) -> Figure:
    """Bars of the sources with both labels.

    Args:
        counts: Frames of each source (index) and class (the negative, then the positive column), largest first.
    """
    shown = counts.head(MAX_MIXED)
    figure, (axis,) = panels(width_in=6.2, height_in=1.1 + 0.24 * len(shown))
    places, left = np.arange(len(shown)), np.zeros(len(shown))
    for name, colour, hatch in zip(shown.columns, (BLUE, ORANGE), ("", "////"), strict=True):
        numbers = shown[name].to_numpy(dtype=np.float64)
        axis.barh(places, numbers, left=left, color=colour, hatch=hatch, edgecolor="white", label=label_text(name))
        left += numbers
    for place, (negative, positive) in enumerate(shown.to_numpy()):
        end = negative + positive + 0.01 * left.max()
        axis.text(end, place, f"{negative:,} + {positive:,}", va="center", fontsize=7.5)
    axis.set_yticks(places, [label_text(str(source)) for source in shown.index])
    axis.invert_yaxis()
    axis.set(xlim=(0, 1.18 * left.max()), xlabel="Frames")
    which = f"the {len(shown)} largest of {len(counts):,}" if len(shown) < len(counts) else f"{len(counts)}"
    axis.set_title(f"Sources with both labels: {which}")
    figure.legend(loc="outside lower right", ncols=2)
    return figure


@house_style()
def conflict_figure(kinds: Mapping[str, LabelPairs], *, classes: tuple[str, str]) -> Figure:
    """How often linked frames carry which two labels, a panel for each kind of link.

    Args:
        kinds: The labels of both frames of every link, by the title of their panel.
        classes: Names of the negative and of the positive class.
    """
    figure, axes = panels(len(kinds), width_in=3.4, height_in=3.1)
    for axis, (title, pairs) in zip(axes, kinds.items(), strict=True):
        _draw_matrix(axis, pairs, classes=classes)
        axis.set(title=f"{title}: {len(pairs):,}", xlabel="Label of the other")
    axes[0].set_ylabel("Label of one")
    return figure


def _draw_matrix(axis: Axes, pairs: LabelPairs, *, classes: tuple[str, str]) -> None:
    counts = np.zeros((2, 2), int)
    for pair in pairs:
        if set(pair) <= set(classes):
            counts[tuple(sorted(map(classes.index, pair)))] += 1
    for row, column in ((0, 0), (0, 1), (1, 1)):
        colour, word = (BLUE, "agree") if row == column else (ORANGE, "conflict")
        count, share = counts[row, column], counts[row, column] / max(counts.sum(), 1)
        axis.fill_between([column, column + 1], row, row + 1, color=colour, alpha=0.12 + 0.4 * share)
        axis.text(column + 0.5, row + 0.5, f"{count:,}\n{word}", ha="center", va="center", fontsize=11)
    names = [label_text(name) for name in classes]
    axis.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axis.set_xticks([0.5, 1.5], names)
    axis.set_yticks([0.5, 1.5], names, rotation=90, va="center")
    axis.grid(visible=False)
