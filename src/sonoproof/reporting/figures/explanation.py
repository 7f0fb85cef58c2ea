"""The figure of one explained frame: frame, saliency, signed integrated gradients and saturation curves.

Drawn from the arrays and the JSON that the explanation stage wrote. Every length is set by hand, in inches: an
automatic layout would draw each figure several times over.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from numpy.typing import NDArray
from PIL import Image

from sonoproof.errors import RunFolderError
from sonoproof.explanation.display import SIGNED_METHODS, shown_map
from sonoproof.malloc import keep_freed_memory
from sonoproof.reporting.figures.heatmap import bar, overlay
from sonoproof.reporting.figures.png import png_bytes
from sonoproof.reporting.figures.style import BLUE, INK, NO_GLYPH, ORANGE, drawn
from sonoproof.reporting.wording.captions import (
    BAR_WORDS,
    METHOD_WORDS,
    Panel,
    figure_caption,
    panel_verdict,
    panels_of,
    title_lines,
)
from sonoproof.reporting.wording.text import visible_text
from sonoproof.runfolder import atomic_path, read_json, write_text

__all__ = ["draw_explanation", "draw_explanations", "explanation_figure"]

Arrays = Mapping[str, NDArray[Any]]
Json = Mapping[str, Any]

# Inches. The width is that of a journal's text.
_WIDTH, _MARGIN, _GUTTER = 7.2, 0.12, 0.2
_HEADER, _TITLE, _FOOT = 0.74, 0.2, 0.5
_PREVIEW_WIDTH_PX = 1080
_FIGURES_PER_PROCESS = 4
_RC: dict[Any, Any] = {
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.titley": 1.0,  # said, not found by measuring every label of every axis
    "axes.labelsize": 6.5,
    "xtick.labelsize": 6.0,
    "ytick.labelsize": 6.0,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.major.pad": 1.5,
    "ytick.major.pad": 1.5,
    "pdf.fonttype": 42,  # TrueType: text of the PDF stays text, and journals take it
    "ps.fonttype": 42,  # matplotlib 3.11 goes by this one when it parts a PDF's characters: else each font is cut twice
}


@dataclass(frozen=True)
class _Grid:
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

    def place(self, number: int) -> tuple[float, float]:
        row, column = divmod(number, self.columns)
        left = _MARGIN + column * (self.side + _GUTTER)
        return left, _HEADER + _TITLE + row * (_TITLE + self.side + _FOOT)


def draw_explanations(*folders: Path, dpi: int = 600, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Draw every frame explained in some folders, and write its caption beside it as ``STEM.txt``.

    Args:
        folders: Folders with ``explanations.json`` and the arrays.
        dpi: Resolution of the png figures in dots per inch.
        progress: Called with figures done and figures in all.

    Returns:
        The files written.

    Raises:
        RunFolderError: The JSON or an array file is missing or damaged.
    """
    contents = [(folder, read_json(folder / "explanations.json", schema="explanations")) for folder in folders]
    orders = [_Order(folder, item, content, dpi) for folder, content in contents for item in content["frames"]]
    written: list[Path] = []
    for done, files in enumerate(_drawn_orders(orders)):
        written += files
        if progress is not None:
            progress(done + 1, len(orders))
    return written


@dataclass(frozen=True)
class _Order:
    """One figure to draw."""

    folder: Path
    item: Json
    content: Json
    dpi: int


def _drawn_orders(orders: Sequence[_Order]) -> Iterator[list[Path]]:
    """Draw here, and in more processes where there is enough to draw: starting one costs as much as some figures."""
    helpers = min(os.cpu_count() or 1, len(orders) // _FIGURES_PER_PROCESS) - 1
    if helpers < 1:
        yield from map(_draw_order, orders)
        return
    context = multiprocessing.get_context("spawn")
    waiting, under_way = deque(orders), deque[Future[list[Path]]]()
    with ProcessPoolExecutor(helpers, mp_context=context, initializer=keep_freed_memory) as pool:
        while waiting:
            # One ahead for each helper, so that none waits for this process to look up from its own figure.
            ahead = 2 * helpers if len(waiting) > 2 * helpers else helpers
            while len(waiting) > 1 and len(under_way) < ahead:
                under_way.append(pool.submit(_draw_order, waiting.popleft()))
            yield _draw_order(waiting.popleft())
            while under_way and under_way[0].done():
                yield under_way.popleft().result()
        for future in under_way:
            yield future.result()


def _draw_order(order: _Order) -> list[Path]:
    item, content = order.item, order.content
    arrays = _load_arrays(order.folder / item["arrays"])
    png, pdf, preview = (order.folder / item[key] for key in ("png", "pdf", "preview"))
    draw_explanation(item, arrays, content=content, png=png, pdf=pdf, preview=preview, dpi=order.dpi)
    caption = png.with_suffix(".txt")
    write_text(caption, figure_caption(item, content) + "\n")
    return [png, pdf, preview, caption]


def draw_explanation(
    item: Json, arrays: Arrays, *, content: Json, png: Path, pdf: Path | None, preview: Path, dpi: int = 600
) -> None:
    """Draw one frame to files.

    Args:
        item: The frame's record in ``explanations.json``.
        arrays: Its arrays, as `sonoproof.explanation.explain.explain_frame` describes them.
        content: The whole of ``explanations.json``: class names, shared scales, trust gate.
        png: The figure at `dpi`; its tag says so.
        pdf: The vector figure, or None for none.
        preview: The figure reduced to 1080 pixels in width, a JPEG for the screen.
        dpi: Dots per inch of `png`.
    """
    figure = explanation_figure(item, arrays, content=content)
    title, caption = title_lines(item, content)[0], figure_caption(item, content)
    with drawn(), rc_context(_RC):
        rgb = _rendered(figure, dpi=dpi)
        picture = Image.fromarray(rgb)
        with atomic_path(png) as temporary:
            temporary.write_bytes(png_bytes(rgb, dpi=dpi, words={"Title": title, "Description": caption}))
        with atomic_path(preview) as temporary:
            picture.resize(_preview_size(picture), Image.Resampling.BOX).save(temporary, format="jpeg", quality=92)
        if pdf is not None:
            with atomic_path(pdf) as temporary:
                about = {"Title": title, "Subject": caption, "CreationDate": None}
                figure.savefig(temporary, format="pdf", metadata=about)


def explanation_figure(item: Json, arrays: Arrays, *, content: Json) -> Figure:
    """The figure of one frame; see `draw_explanation`."""
    panels = panels_of(item, content)
    grid = _Grid(len(panels))
    with drawn(), rc_context(_RC):
        figure = Figure(figsize=(_WIDTH, grid.height), facecolor="white")
        FigureCanvasAgg(figure)
        _draw_header(figure, item, content)
        for number, panel in enumerate(panels):
            _draw_panel(figure, grid, number, panel, arrays=arrays, item=item, content=content)
    return figure


def _draw_panel(
    figure: Figure, grid: _Grid, number: int, panel: Panel, *, arrays: Arrays, item: Json, content: Json
) -> None:
    if panel.kind == "frame":
        _picture(figure, grid, number, arrays["frame"], "Frame, as the network sees it")
        return
    if panel.kind == "curves":
        _curves(figure, grid, number, arrays, panel.baseline)
        return
    # Colours stand for classes in the whole set, whichever class's logit is explained.
    towards_positive = 1.0 if item["explained_class"] == content["classes"]["positive"] else -1.0
    signed, scale = panel.kind in SIGNED_METHODS, content["scale"][panel.kind]
    values = arrays[f"ig_{panel.baseline}"].sum(axis=0) if panel.baseline else arrays[panel.kind]
    values = towards_positive * values if signed else values
    seen = overlay(arrays["frame"], shown_map(values), scale=scale, signed=signed)
    title = METHOD_WORDS[panel.kind] + (f" ({_short(panel.baseline)})" if panel.baseline else "")
    verdict = panel_verdict(panel, content)
    _picture(figure, grid, number, seen, f"{title}: {verdict}" if verdict else title, alarmed="FAILED" in verdict)
    if signed:
        _signed_bar(figure, grid, number, scale, content["classes"], middle=BAR_WORDS[panel.kind])
    else:
        _plain_bar(figure, grid, number, scale, words=BAR_WORDS[panel.kind])


def _rendered(figure: Figure, *, dpi: int) -> NDArray[np.uint8]:
    """RGB of the figure drawn once; both the full picture and the preview are made from these pixels.

    Panels that are nothing but pixels are enlarged beside matplotlib, which would take most of its time for them.
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    bare = [(axis, image) for axis in figure.axes for image in axis.images if not axis.axison]
    for _, image in bare:
        image.set_visible(False)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgb = cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2RGB)  # type: ignore[no-untyped-call]
    for axis, image in bare:
        image.set_visible(True)
        left, bottom, right, top = (round(edge) for edge in axis.get_window_extent().extents)
        place = rgb[len(rgb) - top : len(rgb) - bottom, left:right]
        place[:] = cv2.resize(np.asarray(image.get_array()), place.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(rgb, np.uint8)


def _preview_size(picture: Image.Image) -> tuple[int, int]:
    width = min(_PREVIEW_WIDTH_PX, picture.width)
    return width, round(picture.height * width / picture.width)


def _draw_header(figure: Figure, item: Json, content: Json) -> None:
    lines = title_lines(item, content)
    tops = (0.1, 0.29, 0.43, 0.57)
    for number, (line, top) in enumerate(zip(lines, tops, strict=True)):
        size, longest = (9.0, 88) if number == 0 else (7.0, 116)
        shrunk = min(1.0, longest / len(line))
        alarmed = "NOT CONVERGED" in line or "FAILED" in line or (number == 0 and "WRONG" in line)
        figure.text(
            _MARGIN / _WIDTH,
            1.0 - top / figure.get_figheight(),
            _drawable(line),
            size=size * shrunk,
            weight="bold" if number == 0 else "normal",
            color=ORANGE if alarmed else INK,
            va="top",
        )


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes placed in inches from the top left corner of the figure."""
    total = figure.get_figheight()
    return figure.add_axes((left / _WIDTH, 1.0 - (top + height) / total, width / _WIDTH, height / total))


def _panel_title(axis: Axes, number: int, words: str, *, alarmed: bool = False) -> None:
    axis.set_title(chr(ord("A") + number), loc="left", pad=3.0)
    axis.annotate(
        _drawable(words),
        (0.0, 1.0),
        xytext=(10.0, 3.0),
        xycoords="axes fraction",
        textcoords="offset points",
        size=7.5,
        color=ORANGE if alarmed else INK,
    )


def _picture(
    figure: Figure, grid: _Grid, number: int, pixels: NDArray[np.uint8], title: str, *, alarmed: bool = False
) -> None:
    axis = _axes(figure, *grid.place(number), grid.side, grid.side)
    axis.imshow(pixels, interpolation="none", aspect="equal")
    axis.set_axis_off()
    _panel_title(axis, number, title, alarmed=alarmed)


def _plain_bar(figure: Figure, grid: _Grid, number: int, scale: float, *, words: str) -> None:
    axis = _bar(figure, grid, number, signed=False)
    axis.set_xticks([0.0, 1.0], ["0", f"≥ {scale:.2g}"])
    axis.set_xlabel(words, labelpad=1.0)
    _align_ends(axis)


def _signed_bar(figure: Figure, grid: _Grid, number: int, scale: float, classes: Json, *, middle: str) -> None:
    axis = _bar(figure, grid, number, signed=True)
    axis.set_xticks([0.0, 0.5, 1.0], [f"≥ {scale:.2g}", middle, f"≥ {scale:.2g}"])
    _align_ends(axis)
    ends = (("left", 0.0, f"← towards {classes['negative']}"), ("right", 1.0, f"towards {classes['positive']} →"))
    for side, position, words in ends:
        shown = _drawable(visible_text(words, longest=34))
        size = 6.5 * min(1.0, 24 / len(shown))
        axis.text(position, -2.6, shown, transform=axis.transAxes, ha=side, va="top", size=size, color=INK)


def _bar(figure: Figure, grid: _Grid, number: int, *, signed: bool) -> Axes:
    left, top = grid.place(number)
    axis = _axes(figure, left, top + grid.side + 0.05, grid.side, 0.08)
    axis.imshow(bar(signed=signed), aspect="auto", extent=(0.0, 1.0, 0.0, 1.0), interpolation="none")
    axis.set_yticks([])
    axis.grid(visible=False)
    return axis


def _align_ends(axis: Axes) -> None:
    labels = axis.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")


def _curves(figure: Figure, grid: _Grid, number: int, arrays: Arrays, name: str) -> None:
    left, top = grid.place(number)
    room = 0.3  # for the numbers and names of either vertical axis
    axis = _axes(figure, left + room, top, grid.side - 2 * room, grid.side)
    alphas, gradient = arrays[f"alpha_{name}"], arrays[f"gradient_{name}"]
    axis.plot(alphas, arrays[f"probability_{name}"], color=BLUE, linewidth=1.3)
    axis.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xticks=[0.0, 0.5, 1.0], yticks=[0.0, 0.5, 1.0])
    axis.set_ylabel("probability (solid)", color=BLUE, labelpad=1.0)
    axis.set_xlabel(f"α: {_short(name)} (0) to the frame (1)", labelpad=1.5)
    twin = axis.twinx()
    twin.plot(alphas, gradient, color=ORANGE, linewidth=1.1, linestyle="--")
    twin.set_ylim(0.0, 1.08 * max(float(gradient.max()), 1e-12))
    twin.set_ylabel("mean |gradient of the logit| (dashed)", color=ORANGE, labelpad=2.0)
    twin.grid(visible=False)
    twin.spines["right"].set_visible(True)
    _panel_title(axis, number, f"Saturation ({_short(name)})")


def _short(name: str) -> str:
    words = {"blur": "blurred", "black": "black", "mean": "mean grey", "references": "references"}
    return f"from {words.get(name, name)}"


def _drawable(text: str) -> str:
    """The text with every character that the font lacks replaced: a missing glyph would be a warning and a box."""
    glyphs = get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap()
    return "".join(character if ord(character) in glyphs else NO_GLYPH for character in text)


def _load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        # Opened here: of a damaged archive numpy would leave the file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path}: cannot be read ({error}); run the explanation again") from error
