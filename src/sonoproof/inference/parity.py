"""Whether an exported model answers as the bundle does: frames of odd sizes, in batches of several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sonoproof.inference.engines import OnnxRuntimeEngine, TorchEngine
from sonoproof.types import UInt8Array

if TYPE_CHECKING:
    from sonoproof.training.bundle import ModelBundle

TOLERANCE = 1e-4
BATCHES = (1, 2, 7)
# Of the frames: one pixel, thin, odd, square, larger and smaller than any network's input.
WIDTHS = (1, 5, 1023, 97, 225, 301, 333, 640, 224, 799)
HEIGHTS = (1, 9, 17, 641, 223, 457, 111, 480, 224, 601)


@dataclass(frozen=True)
class Parity:
    """Largest differences from the bundle over the parity set.

    Attributes:
        logit: Of the logits; relative where a logit is larger than 1, since rounding errors grow with it.
        probability: Of the calibrated probabilities.
    """

    logit: float
    probability: float

    @property
    def holds(self) -> bool:
        """Whether both are within the tolerance; NaN is not."""
        return self.logit <= TOLERANCE and self.probability <= TOLERANCE


def measure_parity(bundle: ModelBundle, exported: OnnxRuntimeEngine) -> Parity:
    """Compare an exported model, in batches of `BATCHES`, with its bundle, each with its own preprocessing."""
    frames, decision = _frames(), bundle.spec.decision
    wanted = TorchEngine(bundle, device="cpu").logits(np.stack([bundle.spec.preprocessing(frame) for frame in frames]))
    canvases = np.stack([exported.spec.preprocessing(frame) for frame in frames])
    parts = [exported.outputs(batch) for batch in np.split(canvases, np.cumsum(BATCHES)[:-1])]
    logits, probabilities = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Parity(
        logit=float(np.max(np.abs(logits - wanted) / np.maximum(1.0, np.abs(wanted)))),
        probability=float(np.max(np.abs(probabilities - decision.probability(wanted)))),
    )


def _frames() -> list[UInt8Array]:
    """One frame, (height, width, 3), for each width and height: speckle on a slope, the same every time."""
    rng = np.random.default_rng(0)
    return [_speckle(width, height, rng=rng) for width, height in zip(WIDTHS, HEIGHTS, strict=True)]


def _speckle(width: int, height: int, *, rng: np.random.Generator) -> UInt8Array:
    slope = np.linspace(0.1, 1.0, height)[:, None] * np.linspace(1.0, 0.4, width)
    speckle = rng.rayleigh(0.4, (height, width))
    grey = np.clip(255.0 * slope * speckle, 0.0, 255.0)
    tint = rng.uniform(0.8, 1.0, 3)
    return np.asarray(grey[..., None] * tint, np.uint8)
