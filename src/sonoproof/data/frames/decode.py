"""From the bytes of an image file to RGB pixels: one decoder, used by every stage.

Pillow reads the headers and decodes everything but JPEG (`sonoproof.data.frames.jpeg`). Its plugins
are opened by name instead of through ``PIL.Image.open``: the list of formats is closed, and the size limit
is ours, checked on the header before any pixel is allocated, without touching Pillow's global
``MAX_IMAGE_PIXELS``.

What a pixel means:

- 16-bit samples are scaled linearly by the depth of the cohort (`sonoproof.data.frames.depth`). 16-bit colour is read
  by OpenCV, for Pillow keeps its high byte only.
- Alpha is composited on black, the background of an ultrasound frame.
- Embedded colour profiles are not applied; CMYK is converted by Pillow's arithmetic.
- The EXIF (or TIFF) orientation is applied, so that a frame looks as a viewer shows it.
- A file of several pages is refused: the sheet's label does not say which page it means.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from sonoproof.data.frames.deep import DeepPixels, decode_deep, is_deep
from sonoproof.data.frames.jpeg import check_jpeg, decode_jpeg
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

# Part of the store's key: raised whenever the same file would decode to other pixels.
DECODER_VERSION: Final = 1

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_OPENERS: Final = (
    (_JPEG, JpegImageFile),
    (_PNG, PngImageFile),
    (b"BM", BmpImageFile),
    (b"II*\x00", TiffImageFile),
    (b"MM\x00*", TiffImageFile),
    (b"II+\x00", TiffImageFile),
    (b"MM\x00+", TiffImageFile),
)
_TIFF: Final = tuple(magic for magic, opener in _OPENERS if opener is TiffImageFile)
_OTHER_KINDS: Final = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftyp", "HEIC, AVIF or video"),
    (128, b"DICM", "DICOM"),
    (0, b"\x00\x00\x00\x0cjP", "JPEG 2000"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "zip or office document"),
)
# What Pillow's plugins raise on damaged input, found by flipping bits in the tests.
_DECODER_FAULTS: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, AttributeError, ArithmeticError,
    AssertionError, RuntimeError, Warning, struct.error, zlib.error, cv2.error, Image.DecompressionBombError,
)  # fmt: skip

_ORIENTATION: Final = 274


@dataclass(frozen=True)
class DecodedFrame:
    """Pixels and what the file said about itself.

    Attributes:
        pixels: RGB, (H, W, 3) uint8, upright.
        format: ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.
        mode: Pillow's name of the pixel layout in the file (``L``, ``RGB``, ``P``, ``I;16``, …).
        jpeg_luminance: Quantisation table of a JPEG's luminance, 64 numbers row by row; None for other formats.
        bits: Bits that the samples need; 8 for files that are not deeper.
        overlay: Share of the samples above the white of the cohort.
    """

    pixels: UInt8Array
    format: str
    mode: str
    jpeg_luminance: tuple[int, ...] | None
    bits: int = 8
    overlay: float = 0.0


def decode_bytes(data: bytes, *, max_pixels: int, bits: int | None = None) -> DecodedFrame:
    """Decode an image file held in memory.

    Args:
        data: The file's bytes.
        max_pixels: Images with more pixels than this are refused from their header alone.
        bits: The depth of 16-bit samples; None for each file's own, as older models have it.

    Raises:
        FrameError: The bytes are no readable image; the reason is short enough for ``quarantine.csv``.
    """
    try:
        with _open(data) as image:
            _check_header(image, max_pixels=max_pixels)
            _check_chunks(image, data)
            mode, tables = image.mode, getattr(image, "quantization", None) or {}
            luminance = tuple(tables[0]) if 0 in tables else None
            found = _upright_rgb(image, data, bits=bits)
            return DecodedFrame(found.rgb, image.format or "", mode, luminance, found.bits, found.overlay)
    except FrameError:
        raise
    except MemoryError as error:
        raise FrameError("does not fit into memory") from error
    except _DECODER_FAULTS as error:
        raise FrameError(_reason(error)) from error


def pixels_of_image(image: Image.Image, *, max_pixels: int, bits: int | None = None) -> UInt8Array:
    """The pixels of an image that Pillow holds, as `decode_bytes` gives those of its file.

    Args:
        image: Grey, RGB or whatever else Pillow converts to RGB; colour of 8 bits per sample.
        max_pixels: Images with more pixels than this are refused.
        bits: The depth of 16-bit samples.

    Returns:
        RGB, (H, W, 3), upright.

    Raises:
        FrameError: It cannot be used; says why.
    """
    try:
        _check_header(image, max_pixels=max_pixels)
        orientation = image.getexif().get(_ORIENTATION, 1)
        deep = image.mode.startswith("I")
        pixels = decode_deep(image, b"", bits=bits).rgb if deep else _eight_bit_to_rgb(image)
        return np.ascontiguousarray(pixels if isinstance(image, TiffImageFile) else _turn_upright(pixels, orientation))
    except FrameError:
        raise
    except _DECODER_FAULTS as error:
        raise FrameError(_reason(error)) from error


def may_be_deep(head: bytes) -> bool:
    """Whether a file may have more than 8 bits per sample, by its first 32 bytes."""
    if head.startswith(_PNG):
        return head[24:25] == b"\x10"  # IHDR: bit depth
    return head.startswith(_TIFF)


def needs_depth(data: bytes) -> bool:
    """Whether a file has more than 8 bits per sample, by its header; False for what cannot be read."""
    try:
        with _open(data) as image:
            return is_deep(image, data)
    except (FrameError, *_DECODER_FAULTS):
        return False


def _open(data: bytes) -> ImageFile.ImageFile:
    if not data:
        raise FrameError("is empty (0 bytes)")
    if data.startswith(_JPEG) and len(data) > len(_JPEG):
        check_jpeg(data)
    for magic, opener in _OPENERS:
        if data.startswith(magic):
            return opener(io.BytesIO(data))
    for offset, magic, kind in _OTHER_KINDS:
        if data[offset : offset + len(magic)] == magic:
            raise FrameError(f"is a {kind} file; save it as PNG")
    raise FrameError("is not a JPEG, PNG, BMP or TIFF image, whatever its name says")


def _check_header(image: Image.Image, *, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise FrameError(f"has {width} x {height} pixels, more than frames.max_pixels ({max_pixels}); not decoded")
    pages = getattr(image, "n_frames", 1)
    if pages > 1:
        raise FrameError(f"has {pages} pages; save the page that is meant as a file of its own")


def _check_chunks(image: ImageFile.ImageFile, data: bytes) -> None:
    """Find what Pillow forgives in a PNG: a chunk whose checksum does not hold."""
    if isinstance(image, PngImageFile):
        PngImageFile(io.BytesIO(data)).verify()


def _upright_rgb(image: ImageFile.ImageFile, data: bytes, *, bits: int | None) -> DeepPixels:
    orientation = image.getexif().get(_ORIENTATION, 1)
    decoded = _rgb(image, data, bits=bits)
    turned_already = isinstance(image, TiffImageFile)  # by Pillow and by OpenCV; of other formats by neither
    upright = decoded.rgb if turned_already else _turn_upright(decoded.rgb, orientation)
    contiguous = np.require(upright, requirements=["C_CONTIGUOUS", "WRITEABLE"])  # Pillow's own array is read-only
    return dataclasses.replace(decoded, rgb=contiguous)


def _rgb(image: ImageFile.ImageFile, data: bytes, *, bits: int | None) -> DeepPixels:
    if is_deep(image, data):
        return decode_deep(image, data, bits=bits)
    pixels = decode_jpeg(data, image) if isinstance(image, JpegImageFile) else None
    if pixels is None:
        image.load()
        pixels = _eight_bit_to_rgb(image)
    return DeepPixels(pixels, bits=8, overlay=0.0)


def _eight_bit_to_rgb(image: Image.Image) -> UInt8Array:
    if image.mode == "F":
        raise FrameError("has floating-point pixels; save it with 8 or 16 bits")
    if image.mode == "LAB":
        raise FrameError("is in the LAB colour space; save it as RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _turn_upright(pixels: UInt8Array, orientation: int) -> UInt8Array:
    """Undo the camera's orientation (Exif 2.32, tag 274: which sides the 0th row and column are)."""
    turned = {
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        4: lambda image: image[::-1],
        5: lambda image: image.transpose(1, 0, 2),
        6: lambda image: np.rot90(image, -1),
        7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
        8: lambda image: np.rot90(image),
    }
    return turned[orientation](pixels) if orientation in turned else pixels


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncated" in text.lower():
        return f"is truncated ({text[:120]})"
    return f"cannot be decoded ({text[:120] or type(error).__name__})"
