"""The figures on probabilities and what is decided by them: reliability, net benefit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sonoproof.reporting.figures.style import BLUE, INK, MUTED, ORANGE, house_style, label_text, panels, stacked
from sonoproof.types import FloatArray


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram.

    Attributes:
        low: Lower edge of the bin, a probability.
        high: Upper edge.
        mean: Mean predicted probability of its rows.
        observed: Share of them that is of the positive class.
        count: Rows, at least 1.
    """

    low: float
    high: float
    mean: float
    observed: float
    count: int


@house_style()
def reliability_diagram(bins: Sequence[Bin], *, positive_class: str, before: Sequence[Bin] = ()) -> Figure:
    """Observed share of the positive class over the predicted probability; below it the rows in each bin.

    Args:
        bins: Bins with at least one row, in the order of their probability.
        positive_class: Name of the positive class.
        before: The same bins of the network's own probabilities, where these were calibrated.
    """
    figure, (axis, below) = stacked(height_ratios=(4, 1))
    axis.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle=":", label="Perfect calibration")
    if before:
        means, observed = [bin_.mean for bin_ in before], [bin_.observed for bin_ in before]
        axis.plot(means, observed, color=ORANGE, linestyle="--", marker="s", markersize=3.5, label="Before")
    means, observed = [bin_.mean for bin_ in bins], [bin_.observed for bin_ in bins]
    name = "Calibrated" if before else "Observed"
    axis.plot(means, observed, color=BLUE, marker="o", markersize=4.5, label=name)
    axis.set(ylabel=f"Share that is {label_text(positive_class)}", title="Calibration")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.legend(loc="upper left")
    _draw_counts(below, bins)
    return figure


def _draw_counts(axis: Axes, bins: Sequence[Bin]) -> None:
    centres = [(bin_.low + bin_.high) / 2 for bin_ in bins]
    widths = [0.9 * (bin_.high - bin_.low) for bin_ in bins]
    bars = axis.bar(centres, [bin_.count for bin_ in bins], width=widths, color=BLUE, alpha=0.35)
    axis.bar_label(bars, fmt="{:,.0f}", fontsize=7.5, color=MUTED, padding=1)
    axis.set(xlim=(-0.02, 1.02), xlabel="Predicted probability", ylabel="Rows", yticks=[])
    axis.margins(y=0.35)
    axis.grid(visible=False)


@house_style()
def decision_curve(
    thresholds: FloatArray,
    *,
    model: FloatArray,
    low: FloatArray,
    high: FloatArray,
    treat_all: FloatArray,
    operating_threshold: float,
    positive_class: str,
) -> Figure:
    """Net benefit over the threshold: of the model with its band, of calling every row, of calling none.

    Args:
        thresholds: Probabilities, shape (T,), rising.
        model: Net benefit of the model, shape (T,), in true positives a row.
        low: Lower pointwise limit, NaN where there is none, shape (T,).
        high: Upper pointwise limit, shape (T,).
        treat_all: Net benefit of calling every row, shape (T,).
        operating_threshold: The threshold in use.
        positive_class: Name of the positive class.
    """
    top = float(np.nanmax([model.max(), treat_all.max(), np.nanmax(np.append(high, -1.0)), 0.05]))
    figure, (axis,) = panels()
    axis.axhline(0, color=INK, linewidth=1.0, linestyle=":", label="Call none")
    axis.plot(thresholds, treat_all, color=ORANGE, linestyle="--", label="Call every frame")
    axis.fill_between(thresholds, low, high, color=BLUE, alpha=0.18, linewidth=0)
    axis.plot(thresholds, model, color=BLUE, label="Predicted by the model")
    axis.axvline(operating_threshold, color=MUTED, linewidth=1.0, linestyle="-.", label="Threshold in use")
    axis.set(xlim=(0, 1), ylim=(-0.25 * top, 1.08 * top), title="Net benefit")
    axis.set(xlabel=f"Threshold, probability of {label_text(positive_class)}", ylabel="Net benefit")
    # Net benefit falls with the threshold: the upper right is free.
    axis.legend(loc="upper right")
    return figure
