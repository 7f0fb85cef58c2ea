"""The figure of the survey: where the attribution of a part lies, beside what structure and area alone would give."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from sonoproof.reporting.figures.style import BLUE, MUTED, ORANGE, house_style, label_text, panels
from sonoproof.types import Json


@house_style()
def survey_figure(rows: Sequence[tuple[str, Json]]) -> Figure:
    """One line per kind of place: attribution with its interval, and the shares of structure and area.

    Args:
        rows: Words for the place and its entry of ``survey.json``, with ``attribution``, ``structure``, ``area`` and
            ``looked_at``.
    """
    figure, (axis,) = panels(width_in=9.3, height_in=1.3 + 0.5 * len(rows))
    for place, (_, entry) in enumerate(rows):
        attribution = entry["attribution"]
        colour = ORANGE if entry["looked_at"] else BLUE
        if attribution["low"] is not None:
            ends = [max(attribution["low"], 0.0), min(attribution["high"], 1.0)]
            axis.plot(ends, [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        label = "Attribution" if place == 0 else "_"
        axis.plot(
            [attribution["value"]], [place], color=colour, marker="o", markersize=7, linestyle="none", label=label
        )
    structure, area = ([entry[share]["value"] for _, entry in rows] for share in ("structure", "area"))
    places = range(len(rows))
    axis.plot(structure, places, color=MUTED, marker="|", ms=15, mew=2, ls="none", label="Structure of the frame")
    axis.plot(area, places, color=MUTED, marker="x", ms=6, ls="none", label="Area")
    axis.set_yticks(range(len(rows)), [label_text(words) for words, _ in rows])
    axis.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="Share of the frame (0 to 1)")
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=3)
    return figure
