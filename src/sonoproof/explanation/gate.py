"""The trust gate: whether a way of explaining follows the model and the frame, or only looks as if it did.

The gate takes any explainer, so that one can be put before it that is known to be wrong. It judges the maps as a
reader sees them (averaged over a small neighbourhood). What each threshold rests on is in ``docs/explanations.md``.

References:
    Adebayo et al. 2018, "Sanity checks for saliency maps".
    Petsiuk, Das, Saenko 2018, "RISE: randomized input sampling for explanation", for deletion and insertion.
    Ghorbani, Abid, Zou 2019, "Interpretation of neural networks is fragile", for repeatability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.display import shown_map
from sonoproof.explanation.gate_checks import (
    Check,
    GateSettings,
    OrdersWithoutAMap,
    baseline_agreement,
    completeness,
    deletion_and_insertion,
    finite_and_varied,
    label_randomisation,
    model_randomisation,
    orders_without_a_map,
    repeatability,
)
from sonoproof.explanation.methods import Explainer

__all__ = ["Check", "GateReport", "GateSettings", "label_randomisation", "run_gate"]

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class GateReport:
    """The verdict on one method.

    Attributes:
        method: Name of the method.
        passed: Whether every check passed.
        frames: Number of frames it was judged on.
        checks: The checks.
    """

    method: str
    passed: bool
    frames: int
    checks: tuple[Check, ...]


def run_gate(
    explain: Explainer,
    *,
    method: str,
    network: nn.Module,
    frames: Frames,
    positive: Sequence[bool],
    gaps: Sequence[float] = (),
    tolerance: float = 0.01,
    other_baselines: Mapping[str, Explainer] | None = None,
    random_labels: nn.Module | None = None,
    settings: GateSettings | None = None,
    others: OrdersWithoutAMap | None = None,
) -> GateReport:
    """Put an explainer before the gate.

    Args:
        explain: Gives the map, shape (H, W), of a logit and a frame.
        method: Its name.
        network: The trained network, in evaluation mode: frames to logits of the positive class.
        frames: Frames to judge it on, uint8, shape (N, H, W, 3); 3 or more.
        positive: Of each frame, whether the positive class's logit is explained.
        gaps: Completeness gaps of the frames explained; empty where the method promises no completeness.
        tolerance: Largest completeness gap that counts as converged.
        other_baselines: The same method from other baselines.
        random_labels: A network of the same kind trained on shuffled labels, for the check on request.
        settings: How much work is done.
        others: What `orders_without_a_map` gave for these frames, where another method was judged on them before.
    """
    settings = settings or GateSettings()
    logits = [ClassLogit(network, positive=side) for side in positive]
    maps = [np.asarray(explain(logit, frame)) for logit, frame in zip(logits, frames, strict=True)]
    checks = [finite_and_varied(maps)]
    if gaps:
        checks.append(completeness(gaps, tolerance))
    if checks[0].passed:
        shown = [shown_map(values) for values in maps]
        checks += [
            model_randomisation(explain, shown, network=network, frames=frames, positive=positive, settings=settings),
            *deletion_and_insertion(
                maps,
                logits=logits,
                frames=frames,
                settings=settings,
                others=others or orders_without_a_map(logits=logits, frames=frames, settings=settings),
            ),
            repeatability(explain, shown, logits=logits, frames=frames, settings=settings),
        ]
        if other_baselines:
            checks.append(baseline_agreement(other_baselines, shown, logits=logits, frames=frames))
        if random_labels is not None:
            pair = {"network": network, "random_labels": random_labels}
            checks.append(label_randomisation(explain, **pair, frames=frames, positive=positive))
    return GateReport(method, all(check.passed for check in checks), len(frames), tuple(checks))
