"""From the bytes of an image file to RGB pixels: one decoder, used by every stage.

Pillow reads the headers and decodes everything but JPEG (`sonoproof.data.frames.jpeg`). Its plugins
are opened by name instead of through ``PIL.Image.open``: the list of formats is closed, and the size limit
is ours, checked on the header before any pixel is allocated, without touching Pillow's global
``MAX_IMAGE_PIXELS``.

What a pixel means:

- 16-bit samples are scaled linearly by the smallest depth of 8, 12 and 16 bits that holds the file's largest
  sample. Scanners write 12-bit (and 8-bit) data into 16-bit files; scaled by the container's depth they
  would be black. The steps are a factor of 16 apart, so that two frames of one clip do not fall on different
  sides of one by chance. 16-bit colour is read by OpenCV, for Pillow keeps its high byte only.
- Alpha is composited on black, the background of an ultrasound frame.
- Embedded colour profiles are not applied; CMYK is converted by Pillow's arithmetic.
- The EXIF (or TIFF) orientation is applied, so that a frame looks as a viewer shows it.
- A file of several pages is refused: the sheet's label does not say which page it means.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from sonoproof.data.frames.jpeg import check_jpeg, decode_jpeg
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

# Part of the store's key: raised whenever the same file would decode to other pixels.
DECODER_VERSION: Final = 1

_JPEG: Final = b"\xff\xd8\xff"
_OPENERS: Final = (
    (_JPEG, JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"BM", BmpImageFile),
    (b"II*\x00", TiffImageFile),
    (b"MM\x00*", TiffImageFile),
    (b"II+\x00", TiffImageFile),
    (b"MM\x00+", TiffImageFile),
)
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

_TIFF_PHOTOMETRIC: Final = 262
_TIFF_BITS_PER_SAMPLE: Final = 258
_ORIENTATION: Final = 274


@dataclass(frozen=True)
class DecodedFrame:
    """Pixels and what the file said about itself.

    Attributes:
        pixels: RGB, (H, W, 3) uint8, upright.
        format: ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.
        mode: Pillow's name of the pixel layout in the file (``L``, ``RGB``, ``P``, ``I;16``, …).
        jpeg_luminance: Quantisation table of a JPEG's luminance, 64 numbers row by row; None for other formats.
    """

    pixels: UInt8Array
    format: str
    mode: str
    jpeg_luminance: tuple[int, ...] | None


def decode_bytes(data: bytes, *, max_pixels: int) -> DecodedFrame:
    """Decode an image file held in memory.

    Args:
        data: The file's bytes.
        max_pixels: Images with more pixels than this are refused from their header alone.

    Raises:
        FrameError: The bytes are no readable image; the reason is short enough for ``quarantine.csv``.
    """
    try:
        with _open(data) as image:
            _check_header(image, max_pixels=max_pixels)
            _check_chunks(image, data)
            mode, tables = image.mode, getattr(image, "quantization", None) or {}
            luminance = tuple(tables[0]) if 0 in tables else None
            return DecodedFrame(_upright_rgb(image, data), image.format or "", mode, luminance)
    except FrameError:
        raise
    except MemoryError as error:
        raise FrameError("does not fit into memory") from error
    except _DECODER_FAULTS as error:
        raise FrameError(_reason(error)) from error


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


def _check_header(image: ImageFile.ImageFile, *, max_pixels: int) -> None:
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


def _upright_rgb(image: ImageFile.ImageFile, data: bytes) -> UInt8Array:
    orientation = image.getexif().get(_ORIENTATION, 1)
    pixels = decode_jpeg(data, image) if isinstance(image, JpegImageFile) else None
    if pixels is None:
        pixels = _by_pillow(image, data)
    turned_already = isinstance(image, TiffImageFile)  # by Pillow and by OpenCV; of other formats by neither
    upright = pixels if turned_already else _turn_upright(pixels, orientation)
    return np.require(upright, requirements=["C_CONTIGUOUS", "WRITEABLE"])  # Pillow's own array is read-only


def _by_pillow(image: ImageFile.ImageFile, data: bytes) -> UInt8Array:
    deep_colour = _is_deep_colour(image, data)
    image.load()
    if deep_colour:
        return _deep_colour_to_rgb(data)
    return _deep_grey_to_rgb(image) if image.mode.startswith("I") else _eight_bit_to_rgb(image)


def _eight_bit_to_rgb(image: Image.Image) -> UInt8Array:
    if image.mode == "F":
        raise FrameError("has floating-point pixels; save it with 8 or 16 bits")
    if image.mode == "LAB":
        raise FrameError("is in the LAB colour space; save it as RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _deep_grey_to_rgb(image: Image.Image) -> UInt8Array:
    samples = np.asarray(image)
    if samples.min(initial=0) < 0 or samples.max(initial=0) > 65535:
        raise FrameError("has 32-bit pixels outside 0 to 65535; save it with 8 or 16 bits")
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        samples = np.where(samples == transparent, 0, samples)
    grey: UInt8Array = _to_eight_bits(samples.astype(np.uint16))
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0:  # WhiteIsZero
        grey = 255 - grey
    return np.repeat(grey[..., None], 3, axis=-1)


def _is_deep_colour(image: ImageFile.ImageFile, data: bytes) -> bool:
    if image.mode.startswith(("I", "F")):
        return False
    if isinstance(image, PngImageFile):
        return data[24] == 16  # IHDR: bit depth
    if isinstance(image, TiffImageFile):
        return bool(max(image.tag_v2.get(_TIFF_BITS_PER_SAMPLE, (8,))) == 16)
    return False


def _deep_colour_to_rgb(data: bytes) -> UInt8Array:
    """Decode 16-bit colour with OpenCV: of 12-bit data Pillow's high byte would leave four bits.

    Pillow has decoded the same bytes before without a complaint, so that nothing truncated comes this far.
    """
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16 or samples.ndim != 3 or samples.shape[2] not in (3, 4):
        raise FrameError("has a 16-bit pixel layout that is not supported; save it as grey or RGB")
    rgb: UInt8Array = _to_eight_bits(samples[..., 2::-1].astype(np.uint16))
    if samples.shape[2] == 4:
        rgb = np.rint(rgb * (samples[..., 3:] / 65535.0)).astype(np.uint8)
    return rgb


def _to_eight_bits(samples: npt.NDArray[np.uint16]) -> UInt8Array:
    largest = int(samples.max(initial=0))
    white = next(2**bits - 1 for bits in (8, 12, 16) if largest < 2**bits)
    scaled: UInt8Array = np.rint(samples * (255.0 / white)).astype(np.uint8)
    return scaled


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
