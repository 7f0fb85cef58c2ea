"""The flow diagram as a figure for a paper: rows read, quarantined, used, and the parts they went to."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sonoproof.reporting.figures.style import INK, MUTED, house_style, label_text, panels
from sonoproof.reporting.page.blocks import FlowBox, FlowStep

# Inches.
_WIDTH, _GAP, _BETWEEN = 7.2, 0.2, 0.35
_LINE, _PADDING = 0.17, 0.09


@house_style()
def flow_figure(steps: Sequence[FlowStep]) -> Figure:
    """Draw the levels below each other; what leaves the flow is beside its level, in a dashed box.

    Args:
        steps: The levels in their order.
    """
    heights = [max(_height(box) for box in (*step.boxes, *([step.aside] if step.aside else ()))) for step in steps]
    total = sum(heights) + _BETWEEN * (len(steps) - 1) + 0.1
    figure, (axis,) = panels(width_in=_WIDTH, height_in=total)
    axis.set(xlim=(0.0, _WIDTH), ylim=(total, 0.0))
    axis.set_axis_off()
    top, before = 0.05, None
    for step, height in zip(steps, heights, strict=True):
        places = _places(step)
        _draw_arrows(axis, before, places, top)
        for box, (left, width) in zip(step.boxes, places, strict=True):
            _draw_box(axis, box, left=left, top=top, width=width)
        if step.aside is not None:
            left = 0.62 * _WIDTH
            axis.plot([sum(places[-1]), left], [top + _LINE] * 2, color=MUTED, linestyle="--", linewidth=0.9)
            _draw_box(axis, step.aside, left=left, top=top, width=0.38 * _WIDTH - 0.02, dashed=True)
        centres = [left + width / 2 for left, width in places]
        before = (sum(centres) / len(centres), top + max(_height(box) for box in step.boxes))
        top += height + _BETWEEN
    return figure


def _height(box: FlowBox) -> float:
    return 2 * _PADDING + _LINE * (1 + len(box.lines))


def _places(step: FlowStep) -> list[tuple[float, float]]:
    """Left edge and width of the boxes of a level: one takes the left half, several share the width."""
    if len(step.boxes) == 1:
        return [(0.02, 0.54 * _WIDTH)]
    width = (_WIDTH - 0.04 - _GAP * (len(step.boxes) - 1)) / len(step.boxes)
    return [(0.02 + number * (width + _GAP), width) for number in range(len(step.boxes))]


def _draw_arrows(
    axis: Axes, before: tuple[float, float] | None, places: Sequence[tuple[float, float]], top: float
) -> None:
    if before is None:
        return
    start, bottom = before
    middle = (bottom + top) / 2 if bottom < top - _BETWEEN else top - _BETWEEN / 2
    centres = [left + width / 2 for left, width in places]
    lines = [([start, start], [bottom, middle]), ([min(start, *centres), max(start, *centres)], [middle, middle])]
    for x, y in lines:
        axis.plot(x, y, color=MUTED, linewidth=0.9)
    arrow = {"arrowstyle": "-|>", "color": MUTED, "lw": 0.9, "shrinkA": 0.0, "shrinkB": 0.0}
    for centre in centres:
        axis.annotate("", (centre, top), (centre, middle), arrowprops=arrow)


def _draw_box(axis: Axes, box: FlowBox, *, left: float, top: float, width: float, dashed: bool = False) -> None:
    dash = "--" if dashed else "-"
    axis.add_patch(Rectangle((left, top), width, _height(box), fill=False, ec=MUTED, linewidth=0.9, linestyle=dash))
    first = top + _PADDING + _LINE / 2
    axis.text(left + 0.1, first, label_text(box.title), va="center", fontsize=9, color=INK)
    axis.text(left + width - 0.1, first, box.count, va="center", ha="right", fontsize=9, weight="bold", color=INK)
    for number, line in enumerate(box.lines, start=1):
        shown = label_text(line)
        size = 7.5 * min(1.0, 16.5 * width / max(len(shown), 1))
        axis.text(left + 0.1, first + number * _LINE, shown, va="center", fontsize=size, color=MUTED)
