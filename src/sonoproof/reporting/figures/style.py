"""How the figures look: one palette, one set of type sizes, and the way from a figure to a file or into the page.

The palette is that of Okabe and Ito, whose colours can be told apart with every common form of colour blindness. Series
differ in dash pattern or marker as well, so that a grey print can be read.

References:
    Okabe, M., Ito, K. (2008). Color Universal Design: how to make figures and presentations that are friendly to
    colorblind people. https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from sonoproof.reporting.wording.text import visible_text
from sonoproof.runfolder import atomic_path

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
INK, MUTED, RULE = "#1f2933", "#5b6672", "#d5dae0"
NO_GLYPH = "▯"

# In the page the colours follow the reader's light or dark setting (custom properties of report.css).
_PAGE_COLOURS = {
    BLUE: "var(--series-1)",
    ORANGE: "var(--series-2)",
    GREEN: "var(--series-3)",
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
}
_STYLE_SHEET = Path(__file__).with_name("house.mplstyle")
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Within the block, matplotlib draws in the report's style; afterwards the caller's own style is back."""
    with style.context(_STYLE_SHEET):
        yield


def panels(count: int = 1, *, width_in: float = 4.2, height_in: float = 3.5) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, each of the given size in inches; no window, no global state."""
    figure = Figure(figsize=(width_in * count, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, count, number + 1) for number in range(count)]


def stacked(
    *, height_ratios: Sequence[float], width_in: float = 4.2, height_in: float = 3.5
) -> tuple[Figure, list[Axes]]:
    """A figure with panels one above the other that share the horizontal axis."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(height_ratios), 1, sharex=True, height_ratios=list(height_ratios))
    return figure, list(axes)


def drawable(text: str) -> str:
    """The text with a box for every character that the font lacks, about which matplotlib would warn."""
    glyphs = get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap()
    return "".join(character if ord(character) in glyphs else NO_GLYPH for character in text)


def label_text(text: str) -> str:
    """Text from a sheet for use in a figure: visible, short, and of characters that the font has."""
    return drawable(visible_text(text, longest=40))


def save(figure: Figure, stem: Path, *, dpi: int) -> tuple[Path, Path]:
    """Write a figure as ``stem.png``, on white and at `dpi` dots per inch, and as ``stem.svg``, on nothing.

    Returns:
        Paths of the png and of the svg.
    """
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    with house_style():
        # The layout is computed once. Left with an engine, or with "none", which is one, each format would draw twice.
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", dpi=dpi, facecolor="white")
        with atomic_path(svg) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
    return png, svg


def inline_svg(svg: str, *, name: str, title: str, description: str) -> str:
    """A saved drawing as an ``svg`` element for the page: described, its colours following light and dark.

    Args:
        svg: Content of a file that `save` wrote.
        name: Prefix of every id in the element, so that figures on one page do not clash.
        title: The name of the picture, for a screen reader.
        description: What the picture shows, in words and numbers, read after the name.
    """
    root = ET.fromstring(svg)  # noqa: S314 - written by matplotlib a moment ago
    _drop_metadata(root)
    _make_ids_unique(root, prefix=name)
    for element in root.iter():
        if "style" in element.attrib:
            element.set("style", _page_colours(element.attrib["style"]))
    _describe(root, name=name, title=title, description=description)
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _drop_metadata(root: ET.Element) -> None:
    for child in list(root):
        if child.tag == f"{{{_SVG}}}metadata":
            root.remove(child)


def _make_ids_unique(root: ET.Element, *, prefix: str) -> None:
    for element in root.iter():
        if "id" in element.attrib:
            element.set("id", f"{prefix}-{element.attrib['id']}")
        if _HREF in element.attrib:
            element.set("href", f"#{prefix}-{element.attrib.pop(_HREF)[1:]}")
        for name in ("clip-path", "style"):
            if name in element.attrib:
                element.set(name, element.attrib[name].replace("url(#", f"url(#{prefix}-"))


def _page_colours(style: str) -> str:
    for colour, variable in _PAGE_COLOURS.items():
        style = style.replace(colour, variable)
    return style.replace("'DejaVu Sans', sans-serif", "var(--sans)").replace("'DejaVu Sans'", "var(--sans)")


def _describe(root: ET.Element, *, name: str, title: str, description: str) -> None:
    for attribute in ("width", "height"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    texts = (("title", title), ("desc", description))
    for position, (tag, text) in enumerate(texts):
        element = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        element.text = text
        root.insert(position, element)
