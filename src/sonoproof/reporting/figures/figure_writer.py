"""Pictures for the page: figures as vectors, pictures of frames reduced to a size that the page can hold."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError

from sonoproof.reporting.figures.style import inline_svg, save
from sonoproof.reporting.page.blocks import Picture
from sonoproof.reporting.wording.text import relative_href, visible_text
from sonoproof.runfolder import RunFolder

# A report may take 15 MB at most. Base64 turns 3 bytes into 4; text and vectors stay under 2 MB.
PICTURES_BYTES = 9_000_000
MAX_PER_PICTURE_BYTES = 420_000
# Side in pixels and JPEG quality, tried from the best on until the picture fits.
_REDUCTIONS = ((1800, 88), (1600, 82), (1400, 78), (1200, 72), (900, 65), (640, 55), (400, 45))


@dataclass(frozen=True)
class FigureWriter:
    """Makes the pictures of one report.

    Attributes:
        run: The run folder; figures are saved in its ``figures``.
        pictures: How many pictures of frames share the report's size limit.
        dpi: Resolution of the saved PNG figures in dots per inch.
    """

    run: RunFolder
    pictures: int = 1
    dpi: int = 300

    @property
    def bytes_per_picture(self) -> int:
        """The most bytes that one picture may take."""
        return min(MAX_PER_PICTURE_BYTES, PICTURES_BYTES // max(self.pictures, 1))

    def vector(self, figure: Figure, *, name: str, caption: str, sources: tuple[str, ...], alt: str = "") -> Picture:
        """Save a figure as ``figures/NAME.png`` and ``.svg`` and embed it as a vector; no `alt`: the caption."""
        png, svg = save(figure, self.run.figures / name, dpi=self.dpi)
        title, description = visible_text(caption), visible_text(alt or caption)
        content = svg.read_text(encoding="utf-8")
        markup = inline_svg(content, name=f"figure-{name}", title=title, description=description)
        links = (("PNG", self.run.relative(png)), ("SVG", self.run.relative(svg)))
        return Picture(caption=caption, alt=alt or caption, svg=Markup(markup), sources=sources, links=links)  # noqa: S704

    def photograph(
        self,
        path: str,
        *,
        caption: str,
        alt: str,
        sources: tuple[str, ...] = (),
        links: tuple[tuple[str, str], ...] = (),
        facts: tuple[tuple[str, str], ...] = (),
    ) -> Picture:
        """Embed a picture file of the run, given by its relative path, reduced; link those files that exist."""
        uri = embedded(self.run.root / path, max_bytes=self.bytes_per_picture) if self._holds(path) else None
        present = tuple((name, target) for name, target in links if self._holds(target))
        return Picture(caption=caption, alt=alt, data_uri=uri, sources=sources, links=present, facts=facts)

    def _holds(self, path: str) -> bool:
        return relative_href(path) is not None and (self.run.root / path).is_file()


def embedded(path: Path, *, max_bytes: int) -> Markup | None:
    """A picture as a ``data:`` address of at most `max_bytes` before base64, or None if that is impossible.

    A file that is small enough is embedded as it is; a larger one is reduced to a JPEG on white.
    """
    try:
        with Image.open(path) as image:
            if image.format in {"PNG", "JPEG"} and path.stat().st_size <= max_bytes:
                return _data_uri(path.read_bytes(), kind=image.format.lower())
            return _reduced(_on_white(image), max_bytes=max_bytes)
    except (OSError, UnidentifiedImageError):
        return None


def _reduced(image: Image.Image, *, max_bytes: int) -> Markup | None:
    for side, quality in _REDUCTIONS:
        smaller = image.copy()
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        smaller.save(buffer, format="JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            return _data_uri(buffer.getvalue(), kind="jpeg")
    return None


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _data_uri(content: bytes, *, kind: str) -> Markup:
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}")  # noqa: S704 - base64
