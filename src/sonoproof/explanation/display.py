"""Maps as they are shown: averaged over a small neighbourhood, on one scale for a whole set.

The attribution of a convolutional network alternates in sign from pixel to pixel. What a reader can use is the net
effect of a neighbourhood, which a Gaussian average gives and whose sum it keeps. The saved arrays are not averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# The colour scale of a set ends at this percentile: one hot pixel must not make the rest invisible.
SCALE_PERCENTILE = 99.5
_SIGMA_SHARE = 1 / 75


def display_sigma_px(side: int) -> float:
    """Standard deviation of the averaging in pixels of the network's frame: 3 px at 224."""
    return side * _SIGMA_SHARE


def shown_map(values: NDArray[Any]) -> NDArray[np.float32]:
    """One value per pixel, shape (H, W), averaged over its neighbourhood for display."""
    sigma = display_sigma_px(max(values.shape))
    averaged = cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigmaX=sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(averaged, dtype=np.float32)


def colour_scale(maps: Sequence[NDArray[Any]]) -> float:
    """End of the colour scale of a set of maps of shape (H, W): a percentile of |value as shown|; 0 for no maps."""
    if not maps:
        return 0.0
    return float(np.percentile(np.abs([shown_map(values) for values in maps]), SCALE_PERCENTILE))
