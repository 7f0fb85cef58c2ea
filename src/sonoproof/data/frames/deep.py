"""Files with samples of 16 bits, as 8-bit RGB of one depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from sonoproof.data.frames.depth import OVERLAY_SHARE, needed_bits, own_white, share_above, to_eight_bits
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

_PHOTOMETRIC: Final = 262
_BITS_PER_SAMPLE: Final = 258


@dataclass(frozen=True)
class DeepPixels:
    """A 16-bit file scaled to 8 bits.

    Attributes:
        rgb: (H, W, 3).
        bits: Bits that the samples need (`needed_bits`).
        overlay: Share of the samples above the white of the cohort.
    """

    rgb: UInt8Array
    bits: int
    overlay: float


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether a file that Pillow opened has more than 8 bits per sample, by its header."""
    return image.mode.startswith("I") or _is_deep_colour(image, data)


def decode_deep(image: Image.Image, data: bytes, *, bits: int | None) -> DeepPixels:
    """Decode a 16-bit file and scale it to 8 bits.

    Args:
        image: The file as Pillow opened it.
        data: Its bytes.
        bits: The depth of the cohort; None for the file's own.

    Raises:
        FrameError: Its layout is not supported, or it needs more bits than the cohort has.
    """
    colour = _is_deep_colour(image, data)
    image.load()
    samples = _colour_samples(data) if colour else _grey_samples(image)
    shown = samples[..., :3] if colour else samples
    needed = needed_bits(shown)
    overlay = 0.0 if bits is None else share_above(shown, bits=bits)
    if overlay > OVERLAY_SHARE:
        raise FrameError(
            f"needs {needed} bits per sample, and the frames of the cohort have {bits}; convert it (frames.bits)"
        )
    scaled = to_eight_bits(shown, white=own_white(shown) if bits is None else 2**bits - 1)
    rgb = _over_black(scaled, samples) if colour else _as_rgb(scaled, image)
    return DeepPixels(rgb, needed, overlay)


def _grey_samples(image: Image.Image) -> npt.NDArray[np.uint16]:
    samples = np.asarray(image)
    if samples.min(initial=0) < 0 or samples.max(initial=0) > 65535:
        raise FrameError("has 32-bit pixels outside 0 to 65535; save it with 8 or 16 bits")
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        samples = np.where(samples == transparent, 0, samples)
    return samples.astype(np.uint16)


def _as_rgb(grey: UInt8Array, image: Image.Image) -> UInt8Array:
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:  # WhiteIsZero
        grey = 255 - grey
    return np.repeat(grey[..., None], 3, axis=-1)


def _is_deep_colour(image: Image.Image, data: bytes) -> bool:
    if image.mode.startswith(("I", "F")):
        return False
    if isinstance(image, PngImageFile):
        return data[24] == 16  # IHDR: bit depth
    if isinstance(image, TiffImageFile):
        return bool(max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) == 16)
    return False


def _colour_samples(data: bytes) -> npt.NDArray[np.uint16]:
    """The samples by OpenCV, RGB or RGBA: of 12-bit data Pillow's high byte would leave four bits.

    Pillow has decoded the same bytes before without a complaint, so that nothing truncated comes this far.
    """
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16 or samples.ndim != 3 or samples.shape[2] not in (3, 4):
        raise FrameError("has a 16-bit pixel layout that is not supported; save it as grey or RGB")
    order = [2, 1, 0, 3][: samples.shape[2]]
    return np.asarray(samples[..., order], np.uint16)


def _over_black(rgb: UInt8Array, samples: npt.NDArray[np.uint16]) -> UInt8Array:
    if samples.shape[2] == 3:
        return rgb
    return np.rint(rgb * (samples[..., 3:] / 65535.0)).astype(np.uint8)
