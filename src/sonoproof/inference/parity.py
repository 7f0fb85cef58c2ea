"""Whether an exported model answers as the bundle does: frames of odd sizes, in batches of several sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.types import FloatArray, UInt8Array

__all__ = ["BATCHES", "TOLERANCE", "Parity", "measure_parity", "parity_frames"]

# Logits and probabilities of canvases, (N) each.
Outputs = Callable[[UInt8Array], tuple[FloatArray, FloatArray]]

TOLERANCE = 1e-4
BATCHES = (1, 2, 7)
# Of the frames: one pixel, thin, odd, square, larger and smaller than any network's input.
WIDTHS = (1, 5, 1023, 97, 225, 301, 333, 640, 224, 799)
HEIGHTS = (1, 9, 17, 641, 223, 457, 111, 480, 224, 601)


@dataclass(frozen=True)
class Parity:
    """Largest differences from the bundle over the parity set.

    Attributes:
        logit: Of the logits; relative where a logit is larger than 1, for its rounding errors grow with it.
        probability: Of the calibrated probabilities.
    """

    logit: float
    probability: float

    @property
    def holds(self) -> bool:
        """Whether both are within the tolerance; a difference that is no number is not."""
        return self.logit <= TOLERANCE and self.probability <= TOLERANCE


def parity_frames() -> list[UInt8Array]:
    """One frame, (height, width, 3), for each width and height: speckle on a slope, the same every time."""
    rng = np.random.default_rng(0)
    return [_speckle(width, height, rng=rng) for width, height in zip(WIDTHS, HEIGHTS, strict=True)]


def measure_parity(reference: Outputs, candidate: Outputs, *, wanted: Preprocessing, stated: Preprocessing) -> Parity:
    """Compare two models on the parity set.

    Args:
        reference: Logits and probabilities of canvases by the bundle.
        candidate: The same by the exported model, which is asked in batches of `BATCHES`.
        wanted: The bundle's preprocessing.
        stated: The preprocessing that the exported model asks for.
    """
    frames = parity_frames()
    logits, probabilities = reference(np.stack([wanted(frame) for frame in frames]))
    canvases = np.stack([stated(frame) for frame in frames])
    starts = np.cumsum([0, *BATCHES])
    parts = [candidate(canvases[a:b]) for a, b in itertools.pairwise(starts)]
    found_logits, found_probabilities = (np.concatenate(values) for values in zip(*parts, strict=True))
    allowed = np.maximum(1.0, np.abs(logits))
    return Parity(
        logit=float(np.max(np.abs(found_logits - logits) / allowed)),
        probability=float(np.max(np.abs(found_probabilities - probabilities))),
    )


def _speckle(width: int, height: int, *, rng: np.random.Generator) -> UInt8Array:
    slope = np.linspace(0.1, 1.0, height)[:, None] * np.linspace(1.0, 0.4, width)
    speckle = rng.rayleigh(0.4, (height, width))
    grey = np.clip(255.0 * slope * speckle, 0.0, 255.0)
    tint = rng.uniform(0.8, 1.0, 3)
    return np.asarray(grey[..., None] * tint, np.uint8)
