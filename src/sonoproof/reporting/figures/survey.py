"""The figure of the survey: where the attribution of a part lies, beside what structure and area alone would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from sonoproof.reporting.figures.style import BLUE, MUTED, ORANGE, house_style, label_text, panels

__all__ = ["survey_figure"]

Json = Mapping[str, Any]


def survey_figure(rows: Sequence[tuple[str, Json]]) -> Figure:
    """One line a kind of place: attribution with its interval, and the shares of structure and area.

    Args:
        rows: Words for the place and its entry of ``survey.json``, with ``attribution``, ``structure``, ``area`` and
            ``looked_at``.
    """
    with house_style():
        figure, (axis,) = panels(width_in=9.3, height_in=1.3 + 0.5 * len(rows))
        for place, (_, entry) in enumerate(rows):
            attribution = entry["attribution"]
            colour = ORANGE if entry["looked_at"] else BLUE
            if attribution["low"] is not None:
                ends = [max(attribution["low"], 0.0), min(attribution["high"], 1.0)]
                axis.plot(ends, [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
            labels = ("Attribution", "Structure of the frame", "Area") if place == 0 else ("_a", "_s", "_r")
            axis.plot([attribution["value"]], [place], color=colour, marker="o", markersize=7, linestyle="none",
                      label=labels[0])  # fmt: skip
            axis.plot([entry["structure"]["value"]], [place], color=MUTED, marker="|", markersize=15,
                      markeredgewidth=2, linestyle="none", label=labels[1])  # fmt: skip
            axis.plot([entry["area"]["value"]], [place], color=MUTED, marker="x", markersize=6, linestyle="none",
                      label=labels[2])  # fmt: skip
        axis.set_yticks(range(len(rows)), [label_text(words) for words, _ in rows])
        axis.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="Share of the frame (0 to 1)")
        axis.grid(visible=False, axis="y")
        axis.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper left", ncols=3)
    return figure
