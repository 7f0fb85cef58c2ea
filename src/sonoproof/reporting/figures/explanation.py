"""The pictures of explained frames as files: PNG, PDF, a preview for the screen, and the caption.

They are made from the arrays and the JSON that the stage `explain` wrote.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sonoproof.concurrency import map_in_processes
from sonoproof.errors import RunFolderError
from sonoproof.malloc import keep_freed_memory
from sonoproof.progress import SILENT, Progress
from sonoproof.reporting.figures.explanation_panels import explanation_figure, explanation_style
from sonoproof.reporting.wording.captions import figure_caption, title_lines
from sonoproof.runfolder import atomic_path, read_json, write_text
from sonoproof.types import Json, UInt8Array

_PREVIEW_WIDTH_PX = 1080
# Starting a process takes as long as drawing a figure or two.
_FIGURES_PER_PROCESS = 4


@dataclass(frozen=True)
class _Order:
    """One figure to draw."""

    folder: Path
    item: Json
    content: Json
    dpi: int


def draw_explanations(*folders: Path, dpi: int = 600, progress: Progress = SILENT.progress) -> list[Path]:
    """Draw every frame explained in some folders, and write its caption beside it as ``STEM.txt``.

    Args:
        folders: Folders with ``explanations.json`` and the arrays.
        dpi: Resolution of the PNG figures in dots per inch; written into the files as well.
        progress: Called with the number of figures drawn and of all figures.

    Returns:
        The files written.

    Raises:
        RunFolderError: The JSON or an array file is missing or damaged.
    """
    contents = [(folder, read_json(folder / "explanations.json", schema="explanations")) for folder in folders]
    orders = [_Order(folder, item, content, dpi) for folder, content in contents for item in content["frames"]]
    written: list[Path] = []
    for done, files in enumerate(_files_of_all(orders), start=1):
        written += files
        progress(done, len(orders))
    return written


def _files_of_all(orders: Sequence[_Order]) -> Iterator[list[Path]]:
    """The files of each figure, in order; drawn in several processes where there are enough figures for that."""
    workers = min(os.cpu_count() or 1, len(orders) // _FIGURES_PER_PROCESS)
    if workers < 2:
        yield from map(_draw, orders)
        return
    yield from map_in_processes(_draw, orders, workers=workers, initializer=keep_freed_memory)


def _draw(order: _Order) -> list[Path]:
    item, content = order.item, order.content
    png, pdf, preview = (order.folder / item[key] for key in ("png", "pdf", "preview"))
    title, caption = title_lines(item, content)[0], figure_caption(item, content)
    figure = explanation_figure(item, _load_arrays(order.folder / item["arrays"]), content=content)
    with explanation_style():
        picture = Image.fromarray(_draw_then_paste_panels(figure, dpi=order.dpi))
        _save_png(picture, png, dpi=order.dpi, texts={"Title": title, "Description": caption})
        _save_preview(picture, preview)
        with atomic_path(pdf) as temporary:
            about = {"Title": title, "Subject": caption, "CreationDate": None}
            figure.savefig(temporary, format="pdf", metadata=about)
    text = png.with_suffix(".txt")
    write_text(text, caption + "\n")
    return [png, pdf, preview, text]


def _draw_then_paste_panels(figure: Figure, *, dpi: int) -> UInt8Array:
    """The pixels of a figure: matplotlib draws all but the picture panels, which are enlarged and pasted here.

    ::

        matplotlib draws            pasted, enlarged        the figure
        +------------------+                                +------------------+
        | heading          |        +----+    +----+        | heading          |
        | A      B         |        |////|    |////|        | A      B         |
        |        0 --- 1   |    +   |////|    |////|    =   | ////   ////      |
        | C  ~~~~          |        +----+    +----+        | ////   0 --- 1   |
        +------------------+                                +------------------+

    Matplotlib would spend most of its time on enlarging the pictures. Only axes without ticks or frame are pasted, as
    nothing else is drawn on them.

    Returns:
        RGB, uint8, shape (H, W, 3).
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    pictures = [(axis, image) for axis in figure.axes for image in axis.images if not axis.axison]
    for _, image in pictures:
        image.set_visible(False)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgb = cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2RGB)  # type: ignore[no-untyped-call]
    for axis, image in pictures:
        image.set_visible(True)
        left, bottom, right, top = (round(edge) for edge in axis.get_window_extent().extents)
        place = rgb[len(rgb) - top : len(rgb) - bottom, left:right]
        place[:] = cv2.resize(np.asarray(image.get_array()), place.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(rgb, np.uint8)


def _save_png(picture: Image.Image, path: Path, *, dpi: int, texts: dict[str, str]) -> None:
    about = PngInfo()
    for key, text in texts.items():
        about.add_itxt(key, text)
    with atomic_path(path) as temporary:
        # The fastest compression: the slowest saves a tenth of the size and takes many times as long.
        picture.save(temporary, format="png", dpi=(dpi, dpi), pnginfo=about, compress_level=1)


def _save_preview(picture: Image.Image, path: Path) -> None:
    width = min(_PREVIEW_WIDTH_PX, picture.width)
    size = (width, round(picture.height * width / picture.width))
    with atomic_path(path) as temporary:
        picture.resize(size, Image.Resampling.BOX).save(temporary, format="jpeg", quality=92)


def _load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        # Opened here, because numpy would leave the file of a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path}: cannot be read ({error}); run the explanation again") from error
