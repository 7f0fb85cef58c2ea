"""The changes that `sonoproof.training.augmentation` draws, made to frames in memory or on a GPU.

The order is that of a scan: where the probe is held (one affine resampling), how sharp it sees (blur), the grey curve
of the machine (one table of levels), then its time gain and its speckle. All but the first keep black at black, so that
the outline of the sector neither appears nor vanishes.
"""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sonoproof.data.frames.preprocessing import grey_plane
from sonoproof.training.augmentation import Changes
from sonoproof.types import Float32Array, FloatArray, UInt8Array

_CV_BORDER = {"nearest": cv2.BORDER_REPLICATE, "mirror": cv2.BORDER_REFLECT}
_TORCH_BORDER = {"nearest": "border", "mirror": "reflection"}
# The common field of grain is larger than a frame by this many pixels, so that frames get different cuts of it.
_GRAIN_MARGIN = 256
# Standard deviation, in pixels, of the smoothing that makes white noise into grain.
_GRAIN_SIZE_PX = 0.7


def augment(frames: UInt8Array, changes: Changes) -> UInt8Array:
    """Change frames.

    Args:
        frames: (N, S, S, 3) square frames.
        changes: What is done to each of them.

    Returns:
        (N, S, S, 3) changed frames.
    """
    changed = np.empty_like(frames)
    for place, (frame, target) in enumerate(zip(frames, changed, strict=True)):
        plane = grey_plane(frame)
        if plane is None:
            target[...] = _changed(frame, changes, place)
        else:  # as most frames are: the same bytes for less work
            cv2.cvtColor(_changed(plane, changes, place), cv2.COLOR_GRAY2RGB, dst=target)
    return changed


def augment_on_device(frames: Tensor, changes: Changes) -> Tensor:
    """The same as `augment`, where the frames are: on a GPU it costs next to nothing.

    Between pixels it interpolates exactly, where OpenCV rounds the place to 1/32 of a pixel and the value to a level.

    Args:
        frames: (N, C, S, S) square frames of levels in [0, 255], of floating point.
        changes: What is done to each of them.

    Returns:
        (N, C, S, S) changed frames of levels in [0, 255], in channels-last memory.
    """
    frames = _warped_on_device(frames, changes)
    if changes.moves_only:
        return frames.contiguous(memory_format=torch.channels_last)
    frames = _blurred_on_device(frames, changes.blur_px)
    tables = torch.from_numpy(changes.tones).to(frames)
    frames = tables.gather(1, frames.round().long().flatten(1)).view_as(frames)
    fields = np.stack([_field(changes, place, size=frames.shape[-1]) for place in range(len(frames))])
    changed = (frames * torch.from_numpy(fields).to(frames)[:, None]).clamp_(0.0, 255.0)
    return changed.contiguous(memory_format=torch.channels_last)


def _changed(frame: UInt8Array, changes: Changes, place: int) -> UInt8Array:
    """One frame of (S, S) or (S, S, 3), changed."""
    size = frame.shape[0]
    border, flags = _CV_BORDER[changes.border], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    changed = cv2.warpAffine(frame, changes.maps[place], (size, size), flags=flags, borderMode=border)
    if sigma := float(changes.blur_px[place]):
        changed = cv2.GaussianBlur(changed, (2 * _blur_radius(sigma) + 1,) * 2, sigma)
    if (changes.tones[place] != np.arange(256)).any():
        changed = cv2.LUT(changed, changes.tones[place])
    if changes.time_gain[place] or changes.speckle[place]:
        field = _field(changes, place, size=size)
        changed = cv2.multiply(changed, field if frame.ndim == 2 else cv2.merge([field] * 3), dtype=cv2.CV_8U)
    return np.asarray(changed, np.uint8)


def _field(changes: Changes, place: int, *, size: int) -> Float32Array:
    """(S, S) factors of the levels of one frame: its time gain, along the depth of the frame as it was, and grain."""
    field = np.ones((size, size), np.float32)
    if gain := np.float32(changes.time_gain[place]):
        # 1 + gain * (2 depth - 1), the depth being 0 at the near and 1 at the far end of the frame as it was.
        across, down, start = (changes.maps[place, 1] * 2.0 * gain / size).astype(np.float32)
        steps = np.arange(size, dtype=np.float32)
        ramp = np.add.outer(down * steps + (start + gain / size - gain), across * steps)
        field += np.clip(ramp, -abs(gain), abs(gain), out=ramp)
    if speckle := np.float32(changes.speckle[place]):
        top, left = (changes.grain[place] * _GRAIN_MARGIN).astype(int)
        field *= 1.0 + speckle * _grain(size)[top : top + size, left : left + size]
    return field


@functools.lru_cache(maxsize=2)
def _grain(size: int) -> Float32Array:
    """A common field of grain, (S + margin, S + margin), of mean 0 and standard deviation 1."""
    side = size + _GRAIN_MARGIN
    noise = np.random.default_rng(0).standard_normal((side, side), np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), _GRAIN_SIZE_PX)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def _blur_radius(sigma: float) -> int:
    return max(1, math.ceil(3.0 * sigma))


def _warped_on_device(frames: Tensor, changes: Changes) -> Tensor:
    size, maps = frames.shape[-1], changes.maps
    linear, shift = maps[:, :, :2], maps[:, :, 2]
    # In units where -1 and 1 are the outer edges of the outermost pixels: place = (2 pixel + 1) / size - 1.
    scaled = ((size - 1) * linear.sum(axis=2) + 2.0 * shift + 1.0) / size - 1.0
    theta = torch.from_numpy(np.concatenate([linear, scaled[:, :, None]], axis=2)).to(frames)
    places = F.affine_grid(theta, list(frames.shape), align_corners=False)
    border = _TORCH_BORDER[changes.border]
    return F.grid_sample(frames, places, mode="bilinear", padding_mode=border, align_corners=False)


def _blurred_on_device(frames: Tensor, sigmas: FloatArray) -> Tensor:
    """The frames, those of a positive sigma blurred along both axes."""
    chosen = np.flatnonzero(sigmas)
    if not len(chosen):
        return frames
    radius = _blur_radius(float(sigmas.max()))
    steps = np.arange(-radius, radius + 1)
    kernels = np.exp(-0.5 * (steps / sigmas[chosen, None]) ** 2)
    kernels /= kernels.sum(axis=1, keepdims=True)
    weights = torch.from_numpy(np.repeat(kernels, frames.shape[1], axis=0)).to(frames)
    places = torch.from_numpy(chosen).to(frames.device)
    planes = frames[places].contiguous().flatten(0, 1)[None]
    padded = F.pad(planes, (radius,) * 4, mode="reflect")
    across = F.conv2d(padded, weights[:, None, None, :], groups=len(weights))
    down = F.conv2d(across, weights[:, None, :, None], groups=len(weights))
    return frames.index_copy(0, places, down[0].view(len(chosen), *frames.shape[1:]))
