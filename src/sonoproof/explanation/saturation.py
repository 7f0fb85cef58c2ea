"""Gradient saturation along the path: where the probability has risen, the gradient says nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sonoproof.explanation.attribution import GradientPath

ToProbability = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Share of the largest mean |gradient| below which a point of the path counts as saturated.
_SATURATED_SHARE = 0.1


@dataclass(frozen=True)
class SaturationCurve:
    """What the network does on the way from the baseline (alpha 0) to the frame (alpha 1).

    Attributes:
        alphas: Points of the path, ascending, in [0, 1], float64, shape (S,).
        probability: Probability of the explained class at each point, float64, shape (S,).
        mean_absolute_gradient: Mean over all pixels and channels of the absolute gradient of the logit, in logits
            per unit of network input (the whole grey range is 2 units), float64, shape (S,).
    """

    alphas: NDArray[np.float64]
    probability: NDArray[np.float64]
    mean_absolute_gradient: NDArray[np.float64]


def saturation_curve(path: GradientPath, *, positive: bool, to_probability: ToProbability = expit) -> SaturationCurve:
    """The curves of one path.

    Args:
        path: Logits and gradients of the explained class along the path.
        positive: Whether the explained class is the positive one.
        to_probability: Turns logits of the positive class into its probability (a calibrated model has its own).

    References:
        Sundararajan, Taly, Yan 2017, "Axiomatic attribution for deep networks", section 2.1, on saturation.
    """
    logits = path.logits.numpy()
    probability = to_probability(logits) if positive else 1.0 - to_probability(-logits)
    return SaturationCurve(
        alphas=path.alphas.numpy(),
        probability=np.asarray(probability, dtype=np.float64),
        mean_absolute_gradient=path.mean_absolute_gradient.numpy(),
    )


def mean_curve(curves: Sequence[SaturationCurve]) -> SaturationCurve:
    """The average of the curves of several baselines, on every point that one of them has."""
    if len(curves) == 1:
        return curves[0]
    alphas = np.unique(np.concatenate([curve.alphas for curve in curves]))
    probability = [np.interp(alphas, curve.alphas, curve.probability) for curve in curves]
    gradient = [np.interp(alphas, curve.alphas, curve.mean_absolute_gradient) for curve in curves]
    return SaturationCurve(alphas, np.mean(probability, axis=0), np.mean(gradient, axis=0))


def share_saturated(curve: SaturationCurve) -> float:
    """Share of the path, in [0, 1], on which the mean |gradient| is under a tenth of its largest value."""
    grid = np.linspace(0.0, 1.0, 201)
    gradient = np.interp(grid, curve.alphas, curve.mean_absolute_gradient)
    return float(np.mean(gradient < _SATURATED_SHARE * gradient.max()))
