"""Frames side by side as one picture, each with its label in words and in the colour of its class."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont, ImageOps

from sonoproof.reporting.figures.style import INK, MUTED, label_text
from sonoproof.types import UInt8Array

TILE_PX: Final = 128
_GAP_PX: Final = 8
_LINE_PX: Final = 15
_FRAME_PX: Final = 3
_TITLE_PX: Final = 15
_TEXT_PX: Final = 11


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        pixels: RGB, uint8 (H, W, 3).
        lines: The lines of text below it.
        colour: Colour of its frame.
    """

    pixels: UInt8Array
    lines: tuple[str, ...]
    colour: str = MUTED


def thumbnail(pixels: UInt8Array, *, side: int = TILE_PX) -> Image.Image:
    """The frame within a black square of `side` pixels, its aspect ratio kept."""
    return ImageOps.pad(Image.fromarray(pixels), (side, side), color="black")


def contact_sheet(tiles: Sequence[Tile], *, title: str, columns: int) -> Image.Image:
    """Lay tiles out row by row below a title.

    Args:
        tiles: At least one.
        title: What the sheet shows; broken into lines where it is too long.
        columns: Tiles per row.
    """
    columns = min(columns, len(tiles))
    lines = max(len(tile.lines) for tile in tiles)
    cell = (TILE_PX + 2 * _FRAME_PX + _GAP_PX, TILE_PX + 2 * _FRAME_PX + lines * _LINE_PX + _GAP_PX)
    width = max(columns * cell[0] + _GAP_PX, 420)
    heading = _wrapped(title, width=width - 2 * _GAP_PX, font=_font(_TITLE_PX))
    top = _GAP_PX + len(heading) * (_TITLE_PX + 5) + _GAP_PX
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (width, top + rows * cell[1]), "white")
    pen = ImageDraw.Draw(sheet)
    pen.multiline_text((_GAP_PX, _GAP_PX), "\n".join(heading), fill=INK, font=_font(_TITLE_PX), spacing=5)
    for number, tile in enumerate(tiles):
        place = (_GAP_PX + number % columns * cell[0], top + number // columns * cell[1])
        _draw_tile(sheet, pen, tile, place=place)
    return sheet


def _draw_tile(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, *, place: tuple[int, int]) -> None:
    left, top = place
    outer = TILE_PX + 2 * _FRAME_PX
    pen.rectangle((left, top, left + outer - 1, top + outer - 1), fill=tile.colour)
    sheet.paste(thumbnail(tile.pixels), (left + _FRAME_PX, top + _FRAME_PX))
    for number, line in enumerate(tile.lines):
        shown = _cut(label_text(line), width=outer, font=_font(_TEXT_PX))
        fill = tile.colour if number == 0 else MUTED
        pen.text((left, top + outer + 1 + number * _LINE_PX), shown, fill=fill, font=_font(_TEXT_PX))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans")), size)


def _cut(text: str, *, width: int, font: ImageFont.FreeTypeFont) -> str:
    """The end of a text that is too wide, as file names differ at their ends."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text


def _wrapped(text: str, *, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """The text in lines, of characters that the font has."""
    lines = [""]
    for word in map(label_text, text.split()):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
