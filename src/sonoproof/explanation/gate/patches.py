"""Deletion and insertion: the logit as the patches that a map calls important go or come.

References:
    Petsiuk, Das, Saenko 2018, "RISE: randomized input sampling for explanation", section 3.3.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sonoproof.explanation.attribution import Logit

# Shares of patches between none and all at which the logit is taken, and frames evaluated at a time.
_LEVELS, _BATCH = 12, 16


def edge_map(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Strength of the edges of a frame (Sobel), shape (H, W): which looks like an explanation but knows no model."""
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), sigmaX=1.0)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(across, down), dtype=np.float32)


def patch_means(values: NDArray[Any], *, patches: int) -> NDArray[np.float32]:
    """Means of a map over a grid of about square patches, shape (patches * patches,)."""
    means = cv2.resize(values.astype(np.float32), (patches, patches), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float32).ravel()


def perturbation_score(
    model: Logit, frame: torch.Tensor, *, baseline: torch.Tensor, importance: NDArray[np.floating], patches: int
) -> float:
    """Mean logit while the most important patches come first, minus that while they go first.

    Args:
        model: The logit that was explained.
        frame: The frame in [-1, 1], shape (3, H, W).
        baseline: What a deleted patch shows, and the frame before anything is inserted, same shape.
        importance: One number per patch, shape (patches * patches,).
        patches: Patches along a side.

    Returns:
        Area between the insertion and the deletion curve, in logits; about 0 for a random order.
    """
    # Equal values (a constant map) are ordered by place, so that no order is invented.
    ranks = np.empty(len(importance), dtype=np.int64)
    ranks[np.argsort(-importance, kind="stable")] = np.arange(len(importance))
    shares = (np.arange(_LEVELS) + 0.5) / _LEVELS
    first = ranks[None] < np.rint(shares * len(ranks))[:, None]
    inserted = _masked(frame, baseline, torch.from_numpy(first), patches)
    deleted = _masked(frame, baseline, torch.from_numpy(~first), patches)
    with torch.no_grad():
        logits = [torch.cat([model(part) for part in torch.split(frames, _BATCH)]) for frames in (inserted, deleted)]
    return float(logits[0].mean() - logits[1].mean())


def _masked(frame: torch.Tensor, baseline: torch.Tensor, shown: torch.Tensor, patches: int) -> torch.Tensor:
    """Frames that show the frame in some patches and the baseline in the others; `shown` (L, patches²)."""
    grid = shown.reshape(-1, 1, patches, patches).to(frame)
    masks = torch.nn.functional.interpolate(grid, size=frame.shape[-2:], mode="nearest")
    return masks * frame + (1.0 - masks) * baseline
