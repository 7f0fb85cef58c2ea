"""From a logit to a probability and a call: calibration and operating point. Needs numpy alone, as inference may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Calibration", "OperatingPoint", "calibrated"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """How a logit becomes a probability: ``sigmoid(slope * logit + intercept)``.

    Attributes:
        method: ``none``, ``temperature`` or ``platt``.
        slope: Factor on the logit (one over the temperature).
        intercept: Added after.
        chosen_on: The rows on which it was chosen, in words.
    """

    method: str = "none"
    slope: float = 1.0
    intercept: float = 0.0
    chosen_on: str = "not calibrated"


@dataclass(frozen=True)
class OperatingPoint:
    """From which probability a frame is called positive.

    Attributes:
        threshold: The probability, itself included.
        policy: How it was chosen.
        chosen_on: The rows on which it was chosen, in words.
    """

    threshold: float = 0.5
    policy: str = "fixed"
    chosen_on: str = "set before training"


def calibrated(logits: Floats, *, calibration: Calibration) -> Floats:
    """Probability of the positive class for (N) logits."""
    scaled = calibration.slope * logits + calibration.intercept
    # Written with tanh, the sigmoid neither overflows nor warns.
    probability: Floats = 0.5 * (1.0 + np.tanh(0.5 * scaled))
    return probability
