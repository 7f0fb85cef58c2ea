"""Zoom, shear and horizontal flip, drawn from (seed, epoch, image) alone.

Whatever the batch, the order, the number of workers or an interruption, an image is changed in the same way in the same
epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sonoproof.config import FitConfig
from sonoproof.types import FloatArray, UInt8Array


def draw(image_ids: Sequence[str], *, config: FitConfig, epoch: int, size: int) -> FloatArray:
    """Draw one affine map for each image.

    Args:
        image_ids: The images.
        config: How far they are changed (``zoom``, ``shear_degrees``, ``flip``), and the seed.
        epoch: Number of the epoch.
        size: Side of the square frames in pixels.

    Returns:
        (N, 2, 3) maps from output to input pixel coordinates (x, y), about the centre of the frame.
    """
    uniform = np.stack([_uniform(image_id, seed=config.effective_seed, epoch=epoch) for image_id in image_ids])
    zoom_x, zoom_y = (1.0 + config.zoom * (2.0 * uniform[:, k] - 1.0) for k in (0, 1))
    shear = np.deg2rad(config.shear_degrees) * (2.0 * uniform[:, 2] - 1.0)
    mirror = np.where(config.flip & (uniform[:, 3] < 0.5), -1.0, 1.0)
    # Columns: where a step in output x and in output y leads in the input. A zoom factor above 1 shows more of the
    # frame, as in Keras.
    linear = np.empty((len(image_ids), 2, 2))
    linear[:, 0, 0] = mirror * zoom_x
    linear[:, 0, 1] = -mirror * zoom_x * np.sin(shear)
    linear[:, 1, 0] = 0.0
    linear[:, 1, 1] = zoom_y * np.cos(shear)
    centre = np.full(2, (size - 1) / 2.0)
    shift = centre - linear @ centre
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def augment(frames: UInt8Array, maps: FloatArray) -> UInt8Array:
    """Apply affine maps to frames; outside of the frame its nearest edge is repeated.

    Args:
        frames: (N, H, W, C) frames.
        maps: (N, 2, 3) maps from output to input pixel coordinates.

    Returns:
        (N, H, W, C) changed frames.
    """
    changed = np.empty_like(frames)
    for frame, affine, target in zip(frames, maps, changed, strict=True):
        cv2.warpAffine(
            frame,
            affine,
            (frame.shape[1], frame.shape[0]),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return changed


def augment_on_device(frames: Tensor, maps: FloatArray) -> Tensor:
    """The same as `augment`, where the frames are: on a GPU it costs next to nothing.

    Between pixels it interpolates exactly, where OpenCV rounds the place to 1/32 of a pixel and the value to a level.

    Args:
        frames: (N, C, S, S) square frames, of floating point.
        maps: (N, 2, 3) maps from output to input pixel coordinates.

    Returns:
        (N, C, S, S) changed frames, in channels-last memory.
    """
    size = frames.shape[-1]
    linear, shift = maps[:, :, :2], maps[:, :, 2]
    # In units where -1 and 1 are the outer edges of the outermost pixels: place = (2 pixel + 1) / size - 1.
    scaled = ((size - 1) * linear.sum(axis=2) + 2.0 * shift + 1.0) / size - 1.0
    theta = torch.from_numpy(np.concatenate([linear, scaled[:, :, None]], axis=2)).to(frames)
    places = F.affine_grid(theta, list(frames.shape), align_corners=False)
    changed = F.grid_sample(frames, places, mode="bilinear", padding_mode="border", align_corners=False)
    return changed.contiguous(memory_format=torch.channels_last)


def _uniform(image_id: str, *, seed: int, epoch: int) -> FloatArray:
    """Four uniform numbers in [0, 1) from a hash: no state to save, none to restore."""
    digest = hashlib.blake2b(f"{seed}\0{epoch}\0{image_id}".encode(), digest_size=32).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.float64) / 2.0**64
