"""One image explained: which pixels the model's answer rests on, and how far the sum is from the whole."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sonoproof.config import ExplainConfig
from sonoproof.explanation.attribution import ClassLogit, integrated_gradients
from sonoproof.explanation.baselines import BASELINES, make_baselines
from sonoproof.explanation.display import colour_scale, shown_map
from sonoproof.explanation.methods import network_input
from sonoproof.reporting.figures.heatmap import overlay
from sonoproof.reporting.wording.text import visible_text
from sonoproof.training.bundle import ModelBundle
from sonoproof.types import Float32Array, UInt8Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Explanation:
    """Integrated gradients of one image. It was not put to the checks that `sonoproof explain` makes of a part.

    Attributes:
        frame: The image as the network sees it, RGB, (H, W, 3) uint8.
        attribution: Share of each pixel in the difference of logits, (H, W).
        explained_class: The class whose logit is explained: the predicted one.
        probability: Its calibrated probability.
        baseline: What the image is compared with: ``blur``, ``black`` or ``mean``.
        logit_difference: Logit of the image minus that of the baseline.
        gap: How far the sum of the attribution is from this difference, relative to it.
        converged: Whether the gap is below 0.01.
        steps_used: Points of the path at which a gradient was taken.
    """

    frame: UInt8Array
    attribution: Float32Array
    explained_class: str
    probability: float
    baseline: str
    logit_difference: float
    gap: float
    converged: bool
    steps_used: int

    def plot(self) -> Figure:
        """The image beside its map: orange speaks for the explained class, blue against it."""
        from matplotlib.figure import Figure

        shown, scale = shown_map(self.attribution), colour_scale([self.attribution])
        figure = Figure(figsize=(7, 4), layout="constrained")
        panels = (self.frame, overlay(self.frame, shown, scale=scale, signed=True))
        for axes, pixels, title in zip(figure.subplots(1, 2), panels, ("image", "attribution"), strict=True):
            axes.imshow(pixels)
            axes.set_title(title)
            axes.set_axis_off()
        figure.suptitle(repr(self), fontsize=8, parse_math=False)
        return figure

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.plot().savefig(picture, format="png", dpi=110)
        return picture.getvalue()

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return (
            f"logit of {visible_text(self.explained_class)} (probability {self.probability:.3f}), "
            f"integrated gradients from {BASELINES[self.baseline].words};\n"
            f"completeness gap {self.gap:.4f}, {state} in {self.steps_used} steps; not checked by the gate"
        )


def explain_canvas(
    bundle: ModelBundle, canvas: UInt8Array, *, positive: bool, probability: float, baseline: str
) -> Explanation:
    """Explain an image for one class by integrated gradients.

    Args:
        bundle: The model.
        canvas: The image as the network takes it, (H, W, 3).
        positive: Whether the positive class is explained.
        probability: Calibrated probability of that class.
        baseline: Name of the baseline.

    Raises:
        ConfigError: There is no such baseline, or it needs reference frames.
    """
    settings, classes = ExplainConfig(), bundle.spec.classes
    logit = ClassLogit(bundle.classifier.eval(), positive=positive)
    (target,) = network_input(canvas[None], like=logit)
    (start,) = network_input(make_baselines(baseline, canvas), like=logit)
    found = integrated_gradients(logit, target, baseline=start, steps=settings.steps, tolerance=settings.tolerance)
    return Explanation(
        frame=canvas,
        attribution=np.asarray(found.attribution.cpu().numpy().sum(axis=0), np.float32),
        explained_class=classes.positive if positive else classes.negative,
        probability=probability,
        baseline=baseline,
        logit_difference=found.logit_difference,
        gap=found.gap,
        converged=found.converged,
        steps_used=found.steps_used,
    )
