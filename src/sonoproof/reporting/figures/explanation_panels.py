"""The figure of one explained frame: frame, attribution maps and saturation curves, under a heading.

Every length is set by hand, in inches: an automatic layout would draw each figure several times over. Only texts that
come from outside are measured, and made smaller where they would leave their place.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from sonoproof.explanation.baselines import BASELINES
from sonoproof.explanation.catalogue import METHODS
from sonoproof.explanation.display import shown_map
from sonoproof.reporting.figures.heatmap import bar, overlay
from sonoproof.reporting.figures.style import BLUE, INK, ORANGE, drawable, house_style
from sonoproof.reporting.wording.captions import Panel, panel_verdict, panels_of, title_lines
from sonoproof.reporting.wording.text import visible_text
from sonoproof.types import FloatArray, Json, UInt8Array

Arrays = Mapping[str, npt.NDArray[Any]]

# Inches. The width is that of a journal's text.
_WIDTH, _MARGIN, _GUTTER = 7.2, 0.12, 0.2
_HEADER, _TITLE, _FOOT = 0.74, 0.2, 0.5
_LINE_TOPS = (0.1, 0.29, 0.43, 0.57)
# What the numbers and names of the left and of the right vertical axis take; the right one has numbers such as 0.15.
_LEFT_AXIS, _RIGHT_AXIS = 0.3, 0.39
_POINTS_PER_INCH = 72
_INDENT = 10 / _POINTS_PER_INCH  # of a title behind its letter
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_STYLE_SHEET = Path(__file__).with_name("explanation.mplstyle")


@contextlib.contextmanager
def explanation_style() -> Iterator[None]:
    """The report's style with the smaller sizes of these figures, in which they must also be saved."""
    with house_style(), style.context(_STYLE_SHEET):
        yield


@dataclass(frozen=True)
class _Layout:
    """Places of square panels, in inches from the top left, three columns (two where there are four panels)."""

    panels: int

    @property
    def columns(self) -> int:
        return 2 if self.panels == 4 else 3

    @property
    def side(self) -> float:
        return (_WIDTH - 2 * _MARGIN - (self.columns - 1) * _GUTTER) / self.columns

    @property
    def height(self) -> float:
        return _HEADER + math.ceil(self.panels / self.columns) * (_TITLE + self.side + _FOOT)

    def corner(self, number: int) -> tuple[float, float]:
        row, column = divmod(number, self.columns)
        left = _MARGIN + column * (self.side + _GUTTER)
        return left, _HEADER + _TITLE + row * (_TITLE + self.side + _FOOT)


@dataclass(frozen=True)
class _Place:
    """Where one panel is drawn: a square with its letter and title above it, and room for a colour bar below."""

    figure: Figure
    letter: str
    left: float
    top: float
    side: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes placed in inches from the top left corner of the square."""
        total = self.figure.get_figheight()
        bottom = total - (self.top + top + height)
        return self.figure.add_axes(((self.left + left) / _WIDTH, bottom / total, width / _WIDTH, height / total))

    def name(self, axis: Axes, title: str, *, alarming: bool = False) -> None:
        """Write the letter and the title over axes whose left edge is that of the title."""
        axis.set_title(self.letter, loc="left", pad=3.0)
        beside = axis.transAxes + ScaledTranslation(_INDENT, 3.0 / _POINTS_PER_INCH, self.figure.dpi_scale_trans)
        colour = ORANGE if alarming else INK
        text = axis.text(0.0, 1.0, drawable(title), transform=beside, size=7.5, color=colour)
        inset = axis.get_position().x0 * _WIDTH - self.left
        _shrink(text, self.side - inset - _INDENT)


def explanation_figure(item: Json, arrays: Arrays, *, content: Json) -> Figure:
    """The figure of one frame.

    Args:
        item: The frame's record in ``explanations.json``.
        arrays: Its arrays, as `sonoproof.explanation.explain.explain_frame` describes them.
        content: The whole of ``explanations.json``: class names, shared scales, trust gate.
    """
    panels = panels_of(item, content)
    layout = _Layout(len(panels))
    with explanation_style():
        figure = Figure(figsize=(_WIDTH, layout.height), facecolor="white")
        FigureCanvasAgg(figure)
        _draw_heading(figure, title_lines(item, content))
        for number, panel in enumerate(panels):
            place = _Place(figure, chr(ord("A") + number), *layout.corner(number), layout.side)
            if panel.kind == "frame":
                _draw_picture(place, arrays["frame"], "Frame as the network sees it")
            elif panel.kind == "curves":
                _draw_curves(place, arrays, panel.baseline)
            else:
                _draw_map(place, panel, arrays, item=item, content=content)
    return figure


def _draw_heading(figure: Figure, lines: list[str]) -> None:
    for number, (line, top) in enumerate(zip(lines, _LINE_TOPS, strict=True)):
        alarming = "NOT CONVERGED" in line or "FAILED" in line or (number == 0 and "WRONG" in line)
        text = figure.text(
            _MARGIN / _WIDTH,
            1.0 - top / figure.get_figheight(),
            drawable(line),
            size=9.0 if number == 0 else 7.0,
            weight="bold" if number == 0 else "normal",
            color=ORANGE if alarming else INK,
            va="top",
        )
        _shrink(text, _WIDTH - 2 * _MARGIN)


def _draw_map(place: _Place, panel: Panel, arrays: Arrays, *, item: Json, content: Json) -> None:
    method, scale = METHODS[panel.kind], content["scale"][panel.kind]
    values = arrays[f"ig_{panel.baseline}"].sum(axis=0) if panel.baseline else arrays[panel.kind]
    if method.signed and item["explained_class"] != content["classes"]["positive"]:
        values = -values  # a colour means the same class in the whole set, whichever class's logit is explained
    seen = overlay(arrays["frame"], shown_map(values), scale=scale, signed=method.signed)
    title = method.title + (f" ({BASELINES[panel.baseline].title})" if panel.baseline else "")
    verdict = panel_verdict(panel, content)
    _draw_picture(place, seen, f"{title}: {verdict}" if verdict else title, alarming="FAILED" in verdict)
    if method.signed:
        _draw_signed_bar(place, scale, content["classes"], middle=method.unit)
    else:
        _draw_plain_bar(place, scale, words=method.unit)


def _draw_picture(place: _Place, pixels: UInt8Array, title: str, *, alarming: bool = False) -> None:
    axis = place.axes(0.0, 0.0, place.side, place.side)
    axis.imshow(pixels, interpolation="none", aspect="equal")
    axis.set_axis_off()
    place.name(axis, title, alarming=alarming)


def _draw_plain_bar(place: _Place, scale: float, *, words: str) -> None:
    axis = _bar_axes(place, signed=False)
    axis.set_xticks([0.0, 1.0], ["0", f"≥ {scale:.2g}"])
    axis.set_xlabel(words, labelpad=1.0)
    _align_ends(axis)


def _draw_signed_bar(place: _Place, scale: float, classes: Json, *, middle: str) -> None:
    axis = _bar_axes(place, signed=True)
    axis.set_xticks([0.0, 0.5, 1.0], [f"≥ {scale:.2g}", middle, f"≥ {scale:.2g}"])
    _align_ends(axis)
    ends = (("left", 0.0, f"← towards {classes['negative']}"), ("right", 1.0, f"towards {classes['positive']} →"))
    for side, position, words in ends:
        shown = drawable(visible_text(words, longest=34))
        text = axis.text(position, -2.6, shown, transform=axis.transAxes, ha=side, va="top", size=6.5, color=INK)
        _shrink(text, 0.48 * place.side)


def _bar_axes(place: _Place, *, signed: bool) -> Axes:
    axis = place.axes(0.0, place.side + 0.05, place.side, 0.08)
    axis.imshow(bar(signed=signed), aspect="auto", extent=(0.0, 1.0, 0.0, 1.0), interpolation="none")
    axis.set_yticks([])
    axis.grid(visible=False)
    return axis


def _align_ends(axis: Axes) -> None:
    labels = axis.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")


def _draw_curves(place: _Place, arrays: Arrays, baseline: str) -> None:
    axis = place.axes(_LEFT_AXIS, 0.0, place.side - _LEFT_AXIS - _RIGHT_AXIS, place.side)
    axis.plot(arrays[f"alpha_{baseline}"], arrays[f"probability_{baseline}"], color=BLUE, linewidth=1.3)
    axis.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xticks=[0.0, 0.5, 1.0], yticks=[0.0, 0.5, 1.0])
    axis.set_ylabel("probability (solid)", color=BLUE, labelpad=1.0)
    axis.set_xlabel("α, from the baseline (0) to the frame (1)", labelpad=1.5)
    _draw_gradient(axis.twinx(), arrays[f"alpha_{baseline}"], arrays[f"gradient_{baseline}"])
    place.name(axis, f"Saturation ({BASELINES[baseline].title})")


def _draw_gradient(axis: Axes, alphas: FloatArray, gradient: FloatArray) -> None:
    highest = float(gradient.max()) or 1.0
    # A power of ten goes into the name of the axis, so that its numbers stay narrow.
    power = 0 if 0.1 <= highest < 100 else math.floor(math.log10(highest))
    unit = f" / 10{str(power).translate(_SUPERSCRIPTS)}" if power else ""
    axis.plot(alphas, gradient, color=ORANGE, linewidth=1.1, linestyle="--")
    axis.set_ylim(0.0, 1.08 * highest)
    axis.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value / 10.0**power:.2g}")
    axis.set_ylabel(f"mean |gradient of the logit|{unit} (dashed)", color=ORANGE, labelpad=2.0)
    axis.grid(visible=False)
    axis.spines["right"].set_visible(True)


def _shrink(text: Text, width_in: float) -> None:
    """Make a text smaller where it is wider than its place."""
    ruler: Any = RendererAgg(1, 1, 600)  # type: ignore[no-untyped-call]  # measures at 600 DPI, and holds one pixel
    width, _, _ = ruler.get_text_width_height_descent(text.get_text(), text.get_fontproperties(), ismath=False)
    # A little less than its place, as glyphs are fitted to pixels and so a little wider at some resolutions.
    ratio = 0.98 * width_in * ruler.dpi / max(width, 1.0)
    if ratio < 1:
        text.set_fontsize(float(text.get_fontsize()) * ratio)
