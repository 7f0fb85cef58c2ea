"""How a decoded frame becomes the network's input: defined once, saved with the model, used everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

import cv2
import numpy as np

from sonoproof.data.frames.decode import DECODER_VERSION
from sonoproof.data.frames.depth import DEPTHS
from sonoproof.errors import BundleError, ConfigError
from sonoproof.types import UInt8Array

Aspect = Literal["pad", "stretch", "crop"]

# Raised whenever the same settings would give another canvas.
RESIZE_VERSION: Final = 1

# Most frames in colour show it in every so many rows, before all of them are looked at.
_ROW_STEP: Final = 32


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels.

    Attributes:
        left: First column.
        top: First row.
        width: Columns.
        height: Rows.
    """

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Preprocessing:
    """Size, aspect ratio and scaling of the network's input.

    Attributes:
        size: Side of the square canvas in pixels.
        aspect: ``pad`` keeps the aspect ratio and fills with black on both sides, ``stretch`` does not keep
            it, ``crop`` keeps it and cuts the longer side at both ends.
        scaling: How bytes become numbers; ``x/127.5-1`` is what MobileNet's published weights expect.
        bits: Bits in use of samples of 16 bits (8 where no frame had such samples); None, as in models of earlier
            versions, for each file's own.
    """

    size: int
    aspect: Aspect = "pad"
    scaling: Literal["x/127.5-1"] = "x/127.5-1"
    bits: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or isinstance(self.size, bool) or self.size < 1:
            raise ConfigError(f"frames.size must be a positive number of pixels, not {self.size!r}")
        if self.aspect not in get_args(Aspect):
            raise ConfigError(f"frames.aspect must be one of {', '.join(get_args(Aspect))}, not {self.aspect!r}")
        if self.scaling != "x/127.5-1":
            raise ConfigError(f"scaling must be x/127.5-1, not {self.scaling!r}")
        if self.bits not in (None, *DEPTHS):
            raise ConfigError(f"frames.bits must be one of {', '.join(map(str, DEPTHS))}, not {self.bits!r}")

    def __call__(self, image: UInt8Array) -> UInt8Array:
        """Bring a frame to the canvas.

        Args:
            image: RGB, (H, W, 3) uint8.

        Returns:
            RGB, (size, size, 3) uint8.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"a frame is (H, W, 3) uint8, not {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        seen, place = self.seen_box(width, height), self.content_box(width, height)
        part = image[seen.top : seen.top + seen.height, seen.left : seen.left + seen.width]
        content = _resized(part, width=place.width, height=place.height)
        if content.shape[:2] == (self.size, self.size):
            return content
        canvas = np.zeros((self.size, self.size, 3), np.uint8)
        canvas[place.top : place.top + place.height, place.left : place.left + place.width] = content
        return canvas

    def seen_box(self, width: int, height: int) -> Box:
        """The rectangle of a frame that reaches the canvas: all of it, or its middle square for ``crop``."""
        if self.aspect != "crop":
            return Box(0, 0, width, height)
        side = min(width, height)
        return Box((width - side) // 2, (height - side) // 2, side, side)

    def content_box(self, width: int, height: int) -> Box:
        """The rectangle of the canvas that a frame of this size covers; what is outside is black filling."""
        if self.aspect != "pad":
            return Box(0, 0, self.size, self.size)
        longer = max(width, height)
        covered_width = max(1, round(self.size * width / longer))
        covered_height = max(1, round(self.size * height / longer))
        left, top = (self.size - covered_width) // 2, (self.size - covered_height) // 2
        return Box(left, top, covered_width, covered_height)

    def to_dict(self) -> dict[str, Any]:
        """The settings as a JSON object that `from_dict` reads back to an equal object."""
        settings = asdict(self)
        return settings if self.bits is not None else {name: settings[name] for name in settings if name != "bits"}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` wrote.

        Raises:
            BundleError: A setting is missing, unknown or not valid.
        """
        known = {field.name for field in fields(cls)}
        if set(settings) | {"bits"} != known:
            raise BundleError(f"preprocessing must have exactly {sorted(known)}, not {sorted(settings)}")
        try:
            return cls(**settings)
        except ConfigError as error:
            raise BundleError(f"preprocessing: {error}") from error

    def key(self) -> str:
        """A short name for everything that decides the bytes of a canvas; names the folder of the store."""
        decides: dict[str, Any] = {
            "size": self.size,
            "aspect": self.aspect,
            "decoder": DECODER_VERSION,
            "resize": RESIZE_VERSION,
        }
        if self.bits not in (None, 8):
            decides["bits"] = self.bits
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def grey_plane(image: UInt8Array) -> UInt8Array | None:
    """The plane, (H, W) uint8, of an RGB image of (H, W, 3) whose channels are equal everywhere; None of any other."""
    some = image[::_ROW_STEP]
    if not np.array_equal(some[..., 0], some[..., 1]):
        return None
    plane = cv2.extractChannel(image, 0)
    is_grey = cv2.norm(cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB), image, cv2.NORM_INF) == 0
    return np.asarray(plane, np.uint8) if is_grey else None


def _resized(image: UInt8Array, *, width: int, height: int) -> UInt8Array:
    """An RGB image of another size. Of a grey one, as most frames are, one plane is resized: the same pixels."""
    if image.shape[1::-1] == (width, height):
        return image.copy()  # never the caller's own pixels
    plane = grey_plane(image)
    if plane is None:
        return _resize(image, width=width, height=height)
    grey = _resize(plane, width=width, height=height)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _resize(image: UInt8Array, *, width: int, height: int) -> UInt8Array:
    """Average over areas along an axis that shrinks, then interpolate linearly along an axis that grows.

    In two steps, for OpenCV falls back from averaging to interpolation, and aliases, as soon as one axis
    grows. ``INTER_LINEAR_EXACT`` is the variant that gives the same bytes on every machine.
    """
    shrunk = (min(width, image.shape[1]), min(height, image.shape[0]))
    if shrunk != image.shape[1::-1]:
        image = np.asarray(cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    if (width, height) != shrunk:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)
    return image
