"""Where the path of integrated gradients starts: baselines by name.

The baseline decides what can receive attribution at all: a pixel equal to its baseline gets none. Against black, an
anechoic follicle gets zero by construction; the blurred frame keeps the brightness and removes the structure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from sonoproof.errors import ConfigError
from sonoproof.types import Float32Array, UInt8Array

# A sixteenth of the side, 14 px at 224: a follicle of a sixth of the frame's width fades into its surroundings.
_BLUR_SHARE = 1 / 16
# Grey level under which a pixel is background rather than tissue (JPEG leaves a few levels of noise on black).
_BACKGROUND_LEVEL = 12


@dataclass(frozen=True)
class Baseline:
    """A baseline.

    Attributes:
        words: What it is, for a sentence.
        title: The same in the title of a panel.
        make: Gives the baselines, float32, shape (B, H, W, 3), of a frame and the reference frames.
    """

    words: str
    title: str
    make: Callable[[UInt8Array, UInt8Array | None], Float32Array]


def make_baselines(name: str, frame: UInt8Array, *, references: UInt8Array | None = None) -> Float32Array:
    """Baselines of one frame; integrated gradients are averaged over them.

    Args:
        name: One of `BASELINES`.
        frame: The frame as the network sees it, uint8, shape (H, W, 3).
        references: Frames for ``references``, uint8, shape (R, H, W, 3).

    Returns:
        Grey levels in [0, 255], float32, shape (B, H, W, 3); B is 1 except for ``references``.

    Raises:
        ConfigError: The name is unknown, or ``references`` is asked for and none are given.

    References:
        Sturmfels, Lundberg, Lee 2020, "Visualizing the impact of feature attribution baselines", Distill.
        Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and
        expected gradients", for the average over references.
    """
    if name not in BASELINES:
        raise ConfigError(f"explain.baselines: there is no baseline {name!r}; there are {', '.join(BASELINES)}")
    return BASELINES[name].make(frame, references)


def _blurred(frame: UInt8Array, _references: UInt8Array | None) -> Float32Array:
    sigma = max(frame.shape[:2]) * _BLUR_SHARE
    return np.asarray(cv2.GaussianBlur(frame.astype(np.float32), (0, 0), sigmaX=sigma), dtype=np.float32)[None]


def _black(frame: UInt8Array, _references: UInt8Array | None) -> Float32Array:
    return np.zeros((1, *frame.shape), dtype=np.float32)


def _mean_tissue(frame: UInt8Array, _references: UInt8Array | None) -> Float32Array:
    tissue = frame[frame.max(axis=2) > _BACKGROUND_LEVEL]
    pixels = tissue if len(tissue) else frame.reshape(-1, 3)
    return np.broadcast_to(np.asarray(pixels.mean(axis=0), dtype=np.float32), (1, *frame.shape)).copy()


def _references(_frame: UInt8Array, references: UInt8Array | None) -> Float32Array:
    if references is None or len(references) == 0:
        raise ConfigError("explain.baselines: 'references' needs reference frames, and there are none")
    return references.astype(np.float32)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "blur": Baseline("the blurred frame", "blurred baseline", _blurred),
        "black": Baseline("a black frame", "black baseline", _black),
        "mean": Baseline("an even frame of the mean tissue grey", "mean-grey baseline", _mean_tissue),
        "references": Baseline("the average over reference frames", "reference baseline", _references),
    }
)
