"""The figures of the report. Each takes numbers and returns a figure: nothing is computed here but what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sonoproof.reporting.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, RULE, house_style, label_text, panels
from sonoproof.types import FloatArray

HISTOGRAM_BINS = 20
# The columns of history.csv that are drawn, with the name each goes by.
_CURVES = (("loss", "Loss"), ("auc", "AUC"), ("recall", "Recall"))


@house_style()
def training_curves(history: pd.DataFrame, *, parts: Sequence[tuple[str, str]]) -> Figure:
    """Loss, AUC and recall over the epochs, the chosen checkpoint marked.

    Args:
        history: Columns ``epoch``, ``PART_loss``, ``PART_auc``, ``PART_recall`` and, if known, ``chosen`` (1 in one
            row) and ``phase``; of an ensemble also ``fold``, which tells its members apart: each gets its own lines.
        parts: Column prefix and name of each part that may be drawn, at most three; absent ones are left out.
    """
    shown = [(key, name) for key, name in _CURVES if any(_measured(history, f"{part}_{key}") for part, _ in parts)]
    figure, axes = panels(max(len(shown), 1), width_in=3.1, height_in=2.9)
    for axis, (key, name) in zip(axes, shown, strict=False):
        _draw_history(axis, history, key=key, parts=parts)
        axis.set(title=name, xlabel="Epoch")
    handles, labels = axes[0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=4)
    return figure


def _draw_history(axis: Axes, history: pd.DataFrame, *, key: str, parts: Sequence[tuple[str, str]]) -> None:
    members = [rows for _, rows in history.groupby("fold")] if "fold" in history else [history]
    for rows in members:
        epochs, chosen = pd.to_numeric(rows["epoch"]), _chosen(rows)
        for (part, name), colour, dash in zip(parts, (BLUE, ORANGE, GREEN), ("-", "--", "-."), strict=False):
            if not _measured(rows, f"{part}_{key}"):
                continue
            values = pd.to_numeric(rows[f"{part}_{key}"], errors="coerce")
            marker = "o" if values.notna().sum() == 1 else None
            axis.plot(epochs, values, color=colour, linestyle=dash, marker=marker, label=label_text(name))
            if len(members) > 1:
                axis.plot(epochs[chosen], values[chosen], color=INK, marker="o", ms=4, ls="none", label="Chosen")
        if len(members) == 1:
            for epoch in epochs[chosen]:
                axis.axvline(epoch, color=INK, linewidth=1.0, linestyle=":", label=f"Chosen: epoch {epoch:g}")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _measured(history: pd.DataFrame, column: str) -> bool:
    return column in history and bool(pd.to_numeric(history[column], errors="coerce").notna().any())


def _chosen(history: pd.DataFrame) -> pd.Series[bool]:
    if "chosen" not in history:
        return pd.Series(data=False, index=history.index)
    return pd.to_numeric(history["chosen"], errors="coerce") == 1


@house_style()
def roc_curve(
    false_positive_rate: FloatArray,
    true_positive_rate: FloatArray,
    *,
    label: str,
    operating_point: tuple[float, float] | None = None,
) -> Figure:
    """Receiver operating characteristic.

    Args:
        false_positive_rate: 1 - specificity, shape (N,), 0 to 1, rising.
        true_positive_rate: Sensitivity, shape (N,), 0 to 1.
        label: The curve's entry in the legend: the area with its interval.
        operating_point: False and true positive rate at the threshold in use.
    """
    figure, (axis,) = panels()
    axis.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle=":", label="Chance")
    axis.plot(false_positive_rate, true_positive_rate, color=BLUE, label=label_text(label))
    axis.set(xlabel="1 – specificity", ylabel="Sensitivity (recall)", title="ROC")
    _finish_unit_square(axis, operating_point, legend="lower right")
    return figure


@house_style()
def precision_recall_curve(
    recall: FloatArray,
    precision: FloatArray,
    *,
    label: str,
    prevalence: float,
    operating_point: tuple[float, float] | None = None,
) -> Figure:
    """Precision against recall, with the prevalence, which is the precision of calling every row positive.

    Args:
        recall: Shape (N,), 0 to 1.
        precision: Shape (N,), 0 to 1.
        label: The curve's entry in the legend.
        prevalence: Share of the positive class, 0 to 1.
        operating_point: Recall and precision at the threshold in use.
    """
    figure, (axis,) = panels()
    axis.axhline(prevalence, color=MUTED, linewidth=1.0, linestyle=":", label=f"Prevalence {prevalence:.3f}")
    # Average precision weighs each precision by the recall gained on the way to it: the step before the point.
    steps = np.insert(recall, 0, 0.0), np.insert(precision, 0, precision[0])
    axis.step(*steps, where="pre", color=BLUE, label=label_text(label))
    axis.set(xlabel="Recall (sensitivity)", ylabel="Precision", title="Precision and recall")
    _finish_unit_square(axis, operating_point, legend="lower left")
    return figure


def _finish_unit_square(
    axis: Axes, operating_point: tuple[float, float] | None, *, legend: Literal["lower left", "lower right"]
) -> None:
    if operating_point is not None:
        x, y = operating_point
        axis.plot([x], [y], color=ORANGE, marker="D", markersize=6, linestyle="none", label="At the threshold")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axis.legend(loc=legend)


@house_style()
def probability_histogram(
    negatives: FloatArray, positives: FloatArray, *, names: tuple[str, str], threshold: float
) -> Figure:
    """How many rows of each class received which probability.

    Args:
        negatives: Probabilities of the positive class of the negative rows, 0 to 1.
        positives: The same of the positive rows.
        names: Names of the negative and of the positive class.
        threshold: Least probability at which a row is called positive.
    """
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1).tolist()
    figure, (axis,) = panels()
    styles: tuple[tuple[str, FloatArray, dict[str, Any]], ...] = (
        (names[0], negatives, {"color": BLUE, "alpha": 0.35}),
        (names[1], positives, {"color": ORANGE, "histtype": "step", "linewidth": 1.8, "hatch": "////"}),
    )
    for name, values, style in styles:
        axis.hist(values, bins=edges, label=f"{label_text(name)} ({len(values):,})", **style)
    axis.axvline(threshold, color=INK, linewidth=1.0, linestyle=":", label=f"Threshold {threshold:.3g}")
    axis.set(xlabel=f"Probability of {label_text(names[1])}", ylabel="Rows", title="Predicted probability")
    axis.set_xlim(-0.02, 1.02)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(loc="best")
    return figure


@house_style()
def confusion_matrix(*, tp: int, fp: int, tn: int, fn: int, names: tuple[str, str]) -> Figure:
    """The four counts, each with its share of the row's class.

    Args:
        tp: Positive rows called positive.
        fp: Negative rows called positive.
        tn: Negative rows called negative.
        fn: Positive rows called negative.
        names: Names of the negative and of the positive class.
    """
    counts = np.array([[tp, fn], [fp, tn]])
    labels = [label_text(names[1]), label_text(names[0])]
    figure, (axis,) = panels()
    for (row, column), count in np.ndenumerate(counts):
        _draw_cell(axis, row, column, count=int(count), total=int(counts[row].sum()))
    axis.set(xlim=(0, 2), ylim=(2, 0), aspect="equal", xlabel="Predicted", ylabel="Label", title="Confusion")
    axis.set_xticks([0.5, 1.5], labels)
    axis.set_yticks([0.5, 1.5], labels, rotation=90, va="center")
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    return figure


def _draw_cell(axis: Axes, row: int, column: int, *, count: int, total: int) -> None:
    share = count / total if total else 0.0
    colour = GREEN if row == column else ORANGE
    edges = [column + 0.02, column + 0.98]
    axis.fill_between(edges, row + 0.02, row + 0.98, color=colour, alpha=0.12 + 0.28 * share, linewidth=0)
    axis.text(column + 0.5, row + 0.46, f"{count:,}", ha="center", va="center", fontsize=14, color=INK)
    axis.text(column + 0.5, row + 0.68, f"{share:.0%} of {total:,}", ha="center", va="center", fontsize=8, color=INK)


@house_style()
def honest_against_naive(rows: Sequence[tuple[str, float, float | None, float | None]], *, metric: str) -> Figure:
    """The same classifier and rows under different splits, side by side.

    Args:
        rows: Name of the split, value, lower and upper end of its interval (None where there is none).
        metric: Name of the metric.
    """
    figure, (axis,) = panels(width_in=9.3, height_in=0.7 + 0.45 * len(rows))
    for place, (_, value, low, high) in enumerate(rows):
        colour = ORANGE if place == 0 else BLUE
        if low is not None and high is not None:
            axis.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axis.plot([value], [place], color=colour, marker="D" if place == 0 else "o", markersize=7)
        axis.annotate(f"{value:.3f}", (value, place), xytext=(0, 7), textcoords="offset points", ha="center")
    axis.set_yticks(range(len(rows)), [label_text(name) for name, *_ in rows])
    axis.set(ylim=(len(rows) - 0.4, -0.7), xlabel=metric)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.axvline(0.5, color=RULE, linewidth=1.0)
    return figure
