"""How training frames are changed, drawn from (seed, epoch, image) alone.

Whatever the batch, the order, the number of workers or an interruption, an image is changed in the same way in the same
epoch. Here the changes are drawn; `sonoproof.training.augmenting` makes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sonoproof.types import FloatArray, UInt8Array

# Numbers in [0, 1) that zoom, shear and flip are made of, and those of all other changes.
_FIRST, _FURTHER = 4, 23


@dataclass(frozen=True)
class Augmentation:
    """How far training frames are changed; 0 leaves a change out.

    Every frame is zoomed, sheared and, half of the time, mirrored. Each of the other changes is made to a share of the
    frames.

    Attributes:
        zoom: Largest relative zoom in or out, of each axis on its own.
        shear_degrees: Largest shear angle in either direction, in degrees.
        flip: Whether half of the frames are mirrored left to right.
        rotation_degrees: Largest angle of rotation about the centre in either direction, in degrees.
        translation: Largest shift along each axis, as a share of the side.
        crop: Largest share of each side that is cut off; the window lies anywhere in the frame.
        brightness: Largest relative change of all levels.
        contrast: Largest relative change of the slope of the grey curve at mid-grey.
        gamma: Largest difference of the exponent of the grey curve from 1.
        time_gain: Largest relative change of the levels at the near and the far end of the frame, in opposite
            directions, along the frame's own depth.
        speckle: Largest standard deviation of the multiplicative grain, as a share of the level.
        blur_px: Largest standard deviation of the Gaussian blur, in pixels of the network's input.
        changed_share: Share of the frames that each change after ``flip`` is made to.
        border: What is beyond the edge of the frame: its ``nearest`` pixel, or its ``mirror`` image.
    """

    zoom: float = 0.2
    shear_degrees: float = 0.2
    flip: bool = True
    rotation_degrees: float = 0.0
    translation: float = 0.0
    crop: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    time_gain: float = 0.0
    speckle: float = 0.0
    blur_px: float = 0.0
    changed_share: float = 0.5
    border: Literal["nearest", "mirror"] = "nearest"


@dataclass(frozen=True)
class Changes:
    """What is done to each of N frames.

    Attributes:
        maps: (N, 2, 3) affine maps from output to input pixel coordinates (x, y).
        tones: (N, 256) the level that each level becomes.
        time_gain: (N) relative change of the levels at the far end; that at the near end is its opposite.
        speckle: (N) standard deviation of the grain as a share of the level.
        grain: (N, 2) where in [0, 1) the grain of a frame is cut out of the common field, down and across.
        blur_px: (N) standard deviation of the blur in pixels.
        border: What is beyond the edge of the frame.
    """

    maps: FloatArray
    tones: UInt8Array
    time_gain: FloatArray
    speckle: FloatArray
    grain: FloatArray
    blur_px: FloatArray
    border: Literal["nearest", "mirror"]

    @property
    def moves_only(self) -> bool:
        """Whether no level is changed: pixels are moved, and nothing else."""
        changed = (self.time_gain, self.speckle, self.blur_px, self.tones != np.arange(256))
        return not any(values.any() for values in changed)


def draw(image_ids: Sequence[str], *, augmentation: Augmentation, seed: int, epoch: int, size: int) -> Changes:
    """Draw what is done to each image.

    Args:
        image_ids: The images.
        augmentation: How far they are changed.
        seed: Seed of the training.
        epoch: Number of the epoch.
        size: Side of the square frames in pixels.
    """
    keys = [f"{seed}\0{epoch}\0{image_id}".encode() for image_id in image_ids]
    drawn = _Drawn(np.stack([_further(key) for key in keys], axis=1), share=augmentation.changed_share)
    linear = _zoom_shear_flip(np.stack([_first(key) for key in keys], axis=1), augmentation)
    rotated = _rotations(drawn.sometimes(drawn.either_way(augmentation.rotation_degrees))) @ linear
    moved_x, moved_y = drawn.sometimes(drawn.either_way(augmentation.translation, 2))
    cut = drawn.sometimes(augmentation.crop * drawn.next())
    place_x, place_y = cut * drawn.either_way(0.5, 2)
    linear = (1.0 - cut)[:, None, None] * rotated
    centre = np.full(2, (size - 1) / 2.0)
    shift = centre - linear @ centre + size * np.stack([moved_x + place_x, moved_y + place_y], axis=1)
    return Changes(
        maps=np.concatenate([linear, shift[:, :, None]], axis=2),
        tones=_tones(
            brightness=1.0 + drawn.sometimes(drawn.either_way(augmentation.brightness)),
            contrast=1.0 + drawn.sometimes(drawn.either_way(augmentation.contrast)),
            gamma=1.0 + drawn.sometimes(drawn.either_way(augmentation.gamma)),
        ),
        time_gain=drawn.sometimes(drawn.either_way(augmentation.time_gain)),
        speckle=drawn.sometimes(augmentation.speckle * drawn.next()),
        grain=np.stack([drawn.next(), drawn.next()], axis=1),
        blur_px=drawn.sometimes(augmentation.blur_px * drawn.next()),
        border=augmentation.border,
    )


class _Drawn:
    """Uniform numbers handed out change by change; one more change at the end leaves the others as they were."""

    def __init__(self, uniform: FloatArray, *, share: float) -> None:
        self._rows = iter(uniform)
        self._share = share

    def next(self) -> FloatArray:
        """(N) numbers in [0, 1)."""
        return next(self._rows)

    def either_way(self, most: float, rows: int | None = None) -> FloatArray:
        """(N) numbers from -most to most; (rows, N) where rows are asked for."""
        uniform = self.next() if rows is None else np.stack([self.next() for _ in range(rows)])
        return most * (2.0 * uniform - 1.0)

    def sometimes(self, values: FloatArray) -> FloatArray:
        """The values of a share of the images; 0 for the others."""
        return np.where(self.next() < self._share, values, 0.0)


def _zoom_shear_flip(uniform: FloatArray, augmentation: Augmentation) -> FloatArray:
    """(N, 2, 2): where a step in output x and in output y leads in the input, in columns.

    A zoom factor above 1 shows more of the frame, as in Keras.
    """
    zoom_x, zoom_y = (1.0 + augmentation.zoom * (2.0 * uniform[k] - 1.0) for k in (0, 1))
    shear = np.deg2rad(augmentation.shear_degrees) * (2.0 * uniform[2] - 1.0)
    mirror = np.where(augmentation.flip & (uniform[3] < 0.5), -1.0, 1.0)
    linear = np.empty((uniform.shape[1], 2, 2))
    linear[:, 0, 0] = mirror * zoom_x
    linear[:, 0, 1] = -mirror * zoom_x * np.sin(shear)
    linear[:, 1, 0] = 0.0
    linear[:, 1, 1] = zoom_y * np.cos(shear)
    return linear


def _rotations(degrees: FloatArray) -> FloatArray:
    """(N, 2, 2) rotations by (N) angles."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)


def _tones(*, brightness: FloatArray, contrast: FloatArray, gamma: FloatArray) -> UInt8Array:
    """(N, 256) tables of brightness, contrast and gamma in one; black stays black, so that no border appears.

    ``v = x^gamma``, then ``v^c / (v^c + (1 - v)^c)``, whose slope at mid-grey is the contrast ``c``, times the
    brightness.
    """
    level = (np.arange(256) / 255.0) ** gamma[:, None]
    up, down = level ** contrast[:, None], (1.0 - level) ** contrast[:, None]
    table = 255.0 * brightness[:, None] * up / (up + down)
    return np.clip(np.rint(table), 0, 255).astype(np.uint8)


def _first(key: bytes) -> FloatArray:
    """The uniform numbers of zoom, shear and flip, from a hash: no state to save, none to restore."""
    return _uniform(hashlib.blake2b(key, digest_size=8 * _FIRST).digest())


def _further(key: bytes) -> FloatArray:
    """The uniform numbers of all other changes."""
    return _uniform(hashlib.shake_256(key).digest(8 * _FURTHER))


def _uniform(digest: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(digest, dtype="<u8").astype(np.float64) / 2.0**64
