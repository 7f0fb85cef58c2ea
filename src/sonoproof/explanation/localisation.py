"""Whether attribution lies where the truth is known to be: measures against a mask, corrected for its area.

References:
    Zhang et al. 2018, "Top-down neural attention by excitation backprop", for the pointing game.
    Arras, Osman, Samek 2022, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
    explanations", equations 1 and 2, for relevance mass and rank accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Localisation:
    """How much of a map lies inside a mask.

    Attributes:
        area: Share of the pixels that are inside: what a map that knows nothing would score as mass.
        pointing: Whether the pixel of largest magnitude is inside.
        mass: Share of the magnitude that is inside.
        rank: Share of the K largest pixels that are inside, K being the number of pixels inside.
        lift: mass / area; 1 is what area alone gives.
    """

    area: float
    pointing: bool
    mass: float
    rank: float
    lift: float


def localise(values: NDArray[Any], inside: NDArray[np.bool_]) -> Localisation | None:
    """Measure a map against a mask.

    Args:
        values: Attribution, one value a pixel, any sign, shape (H, W).
        inside: Where the truth is, shape (H, W).

    Returns:
        The measures, or None where the mask is empty or full, or the map is zero: there is nothing to measure.

    Raises:
        ValueError: The shapes differ or the map is not finite.
    """
    if values.shape != inside.shape:
        raise ValueError(f"the map has the shape {values.shape} and the mask {inside.shape}")
    if not np.isfinite(values).all():
        raise ValueError("the map is not finite")
    magnitude = np.abs(values, dtype=np.float64)
    total, count = float(magnitude.sum()), int(inside.sum())
    if total == 0 or count in (0, inside.size):
        return None
    largest = np.argsort(-magnitude, axis=None, kind="stable")[:count]
    area, mass = count / inside.size, float(magnitude[inside].sum()) / total
    return Localisation(
        area=area,
        pointing=bool(inside.flat[largest[0]]),
        mass=mass,
        rank=float(np.mean(inside.ravel()[largest])),
        lift=mass / area,
    )
