"""Frames side by side as one picture, each with its label in words and in the colour of its class."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from sonoproof.reporting.figures.style import BLUE, INK, MUTED, ORANGE, label_text

__all__ = ["Tile", "class_colours", "contact_sheet", "thumbnail"]

TILE_PX: Final = 128
_GAP_PX: Final = 8
_LINE_PX: Final = 15
_FRAME_PX: Final = 3
_TITLE_PX: Final = 15
_TEXT_PX: Final = 11

Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        pixels: RGB, uint8 (H, W, 3).
        lines: What stands below it, a line each.
        colour: Colour of its frame.
    """

    pixels: Rgb
    lines: tuple[str, ...]
    colour: str = MUTED


def class_colours(classes: Sequence[str]) -> Mapping[str, str]:
    """Colours of the negative and of the positive class, told apart with any colour vision."""
    return dict(zip(classes, (BLUE, ORANGE), strict=True))


def thumbnail(pixels: Rgb, *, side: int = TILE_PX) -> Rgb:
    """The frame within a black square of `side` pixels, its aspect ratio kept."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = smaller
    return square


def contact_sheet(tiles: Sequence[Tile], *, title: str, columns: int) -> Image.Image:
    """Lay tiles out row by row below a title.

    Args:
        tiles: At least one.
        title: What the sheet shows; broken into lines where it is too long.
        columns: Tiles a row.
    """
    columns = min(columns, len(tiles))
    lines = max(len(tile.lines) for tile in tiles)
    cell = (TILE_PX + 2 * _FRAME_PX + _GAP_PX, TILE_PX + 2 * _FRAME_PX + lines * _LINE_PX + _GAP_PX)
    width = max(columns * cell[0] + _GAP_PX, 420)
    heading = _wrapped(label_text_long(title), width=width - 2 * _GAP_PX, font=_font(_TITLE_PX))
    top = _GAP_PX + len(heading) * (_TITLE_PX + 5) + _GAP_PX
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (width, top + rows * cell[1]), "white")
    pen = ImageDraw.Draw(sheet)
    pen.multiline_text((_GAP_PX, _GAP_PX), "\n".join(heading), fill=INK, font=_font(_TITLE_PX), spacing=5)
    for number, tile in enumerate(tiles):
        place = (_GAP_PX + number % columns * cell[0], top + number // columns * cell[1])
        _draw_tile(sheet, pen, tile, place=place)
    return sheet


def label_text_long(text: str) -> str:
    """A title as it can be drawn: every word made visible and of characters that the font has."""
    return " ".join(label_text(word) for word in text.split())


def _draw_tile(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, *, place: tuple[int, int]) -> None:
    left, top = place
    outer = TILE_PX + 2 * _FRAME_PX
    pen.rectangle((left, top, left + outer - 1, top + outer - 1), fill=tile.colour)
    sheet.paste(Image.fromarray(thumbnail(tile.pixels)), (left + _FRAME_PX, top + _FRAME_PX))
    for number, line in enumerate(tile.lines):
        shown = _cut(label_text(line), width=outer, font=_font(_TEXT_PX))
        fill = tile.colour if number == 0 else MUTED
        pen.text((left, top + outer + 1 + number * _LINE_PX), shown, fill=fill, font=_font(_TEXT_PX))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans")), size)


def _cut(text: str, *, width: int, font: ImageFont.FreeTypeFont) -> str:
    """The end of a text that is too wide, for file names differ there."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text


def _wrapped(text: str, *, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
