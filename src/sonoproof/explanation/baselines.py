"""Where the path of integrated gradients starts: baselines by name.

The baseline decides what can receive attribution at all: a pixel equal to its baseline gets none. Against black, an
anechoic follicle gets zero by construction; the blurred frame keeps the brightness and takes the structure away.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.errors import ConfigError

__all__ = ["BASELINES", "BASELINE_WORDS", "make_baselines"]

BASELINES = ("blur", "black", "mean", "references")

BASELINE_WORDS = {
    "blur": "the blurred frame",
    "black": "a black frame",
    "mean": "an even frame of the mean tissue grey",
    "references": "the average over reference frames",
}

# A sixteenth of the side, 14 px at 224: a follicle of a sixth of the frame's width fades into its surroundings.
_BLUR_SHARE = 1 / 16
# Grey level under which a pixel is background rather than tissue (JPEG leaves a few levels of noise on black).
_BACKGROUND_LEVEL = 12


def make_baselines(
    name: str, frame: NDArray[np.uint8], *, references: NDArray[np.uint8] | None = None
) -> NDArray[np.float32]:
    """Baselines of one frame; integrated gradients are averaged over them.

    Args:
        name: ``blur``, ``black``, ``mean`` or ``references``.
        frame: The frame as the network sees it, uint8, shape (H, W, 3).
        references: Frames for ``references``, uint8, shape (R, H, W, 3).

    Returns:
        Grey levels in [0, 255], float32, shape (B, H, W, 3); B is 1 but for ``references``.

    Raises:
        ConfigError: The name is unknown, or ``references`` is asked for and none are given.

    References:
        Sturmfels, Lundberg, Lee 2020, "Visualizing the impact of feature attribution baselines", Distill.
        Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and
        expected gradients", for the average over references.
    """
    if name == "blur":
        sigma = max(frame.shape[:2]) * _BLUR_SHARE
        blurred = cv2.GaussianBlur(frame.astype(np.float32), (0, 0), sigmaX=sigma)
        return np.asarray(blurred, dtype=np.float32)[None]
    if name == "black":
        return np.zeros((1, *frame.shape), dtype=np.float32)
    if name == "mean":
        return np.broadcast_to(_mean_tissue(frame), (1, *frame.shape)).astype(np.float32)
    if name == "references":
        if references is None or len(references) == 0:
            raise ConfigError("explain.baselines: 'references' needs reference frames, and there are none")
        return references.astype(np.float32)
    raise ConfigError(f"explain.baselines: there is no baseline {name!r}; there are {', '.join(BASELINES)}")


def _mean_tissue(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    tissue = frame[frame.max(axis=2) > _BACKGROUND_LEVEL]
    pixels = tissue if len(tissue) else frame.reshape(-1, 3)
    return np.asarray(pixels.mean(axis=0), dtype=np.float32)
