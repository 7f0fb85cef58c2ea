"""Images that a program holds instead of files, as the pixels that their file would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from sonoproof.data.frames.decode import may_be_deep, pixels_of_image
from sonoproof.data.frames.facts import decode
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

GivenImage = Path | npt.NDArray[np.uint8] | Image.Image
"""One image: a file, grey or RGB pixels (H, W) or (H, W, 3) uint8, or an image of Pillow."""

_KINDS: Final = "a path, a uint8 array (H, W), (H, W, 3) or (N, H, W, 3), or an image of Pillow"


def given_images(images: Any) -> list[GivenImage]:
    """One image or many, as a list.

    Args:
        images: An image, or a list, tuple, array or column of images.

    Raises:
        FrameError: One of them is neither a path nor pixels of a known layout; its place is named.
    """
    if isinstance(images, str | Path | Image.Image):
        return [_given_image(images)]
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OUS":
        if images.ndim == 4:
            return [_checked(image, place=place) for place, image in enumerate(images)]
        return [_checked(images)]
    if hasattr(images, "columns") or isinstance(images, dict | bytes) or not hasattr(images, "__len__"):
        raise FrameError(f"an image must be {_KINDS}, not {type(images).__name__}; of a table give one column")
    return [_given_image(image, place=place) for place, image in enumerate(images)]


def pixels_of(image: GivenImage, *, max_pixels: int, bits: int | None) -> UInt8Array:
    """The RGB pixels of an image, (H, W, 3), as if it were decoded from its file.

    Args:
        image: The image.
        max_pixels: Images with more pixels than this are refused.
        bits: The depth of 16-bit samples; None for each image's own.

    Raises:
        FrameError: It cannot be read, or holds more than its pixels say.
    """
    if isinstance(image, Path):
        return decode(image, max_pixels=max_pixels, bits=bits)
    if isinstance(image, Image.Image):
        _refuse_lost_bits(image)
        return pixels_of_image(image, max_pixels=max_pixels, bits=bits)
    if image.shape[0] * image.shape[1] > max_pixels:
        raise FrameError(f"has {image.shape[1]} x {image.shape[0]} pixels, more than frames.max_pixels ({max_pixels})")
    return np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))


def _given_image(image: Any, *, place: int | None = None) -> GivenImage:
    if isinstance(image, str | Path):
        return Path(image)
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, np.ndarray):
        return _checked(image, place=place)
    raise FrameError(f"{_at(place)}an image must be {_KINDS}, not {type(image).__name__}")


def _checked(pixels: npt.NDArray[Any], *, place: int | None = None) -> UInt8Array:
    found = f"{_at(place)}an array of {pixels.dtype} and shape {pixels.shape}"
    if pixels.dtype != np.uint8:
        raise FrameError(f"{found} is not an image: pixels must be uint8, 0 to 255 (for 16 bits, give the path)")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or 0 in pixels.shape:
        raise FrameError(f"{found} is not an image: it must be (H, W), (H, W, 3) or, for many, (N, H, W, 3)")
    return pixels


def _refuse_lost_bits(image: Image.Image) -> None:
    """Pillow keeps the high byte of 16-bit colour, which is almost black where fewer bits are in use."""
    if image.mode.startswith("I"):
        return
    if isinstance(image, TiffImageFile):
        deep = max(image.tag_v2.get(258, (8,))) > 8  # BitsPerSample
    else:
        deep = isinstance(image, PngImageFile) and _is_deep_png(image)
    if deep:
        raise FrameError("has 16 bits per sample, of which Pillow keeps 8; give the path of the file")


def _is_deep_png(image: PngImageFile) -> bool:
    if any("16" in str(tile[3]) for tile in image.tile):
        return True
    name = str(getattr(image, "filename", "") or "")
    if not name or not Path(name).is_file():
        return False
    with Path(name).open("rb") as file:
        return may_be_deep(file.read(32))


def _at(place: int | None) -> str:
    return "" if place is None else f"image {place}: "
