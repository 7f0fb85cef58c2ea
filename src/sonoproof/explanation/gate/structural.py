"""Checks of the maps themselves: finite, complete, repeatable, and not contradicted by other baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoproof.explanation.gate.check import Check
from sonoproof.explanation.gate.trial import SEED, Trial
from sonoproof.explanation.methods import Explainer

_MIN_REPEATABLE = 0.5
# Standard deviation of the imperceptible noise, in grey levels of 255.
_NOISE_LEVELS = 1.0
_MIN_AGREEMENT = -0.25


def finite_and_varied(maps: Sequence[NDArray[Any]]) -> Check:
    """Whether every map is finite and not constant."""
    share = float(np.mean([bool(np.isfinite(values).all() and np.ptp(values) > 0) for values in maps]))
    detail = "share of maps that are finite and not constant"
    return Check("finite_and_varied", share >= 1.0, share, 1.0, "above", detail)


def completeness(gaps: Sequence[float], tolerance: float) -> Check:
    """Whether the paths of the explained frames converged; the median, as each figure states its own gap."""
    median = float(np.median([gap if math.isfinite(gap) else math.inf for gap in gaps]))
    detail = "median completeness gap of the explained frames"
    return Check.below("completeness", median, tolerance, detail, series={"gaps": list(gaps)})


def repeatability(explain: Explainer, shown: Sequence[NDArray[Any]], *, trial: Trial) -> Check:
    """Whether noise that no eye sees leaves the maps as they are."""
    rng = np.random.default_rng(SEED)
    noisy = []
    for frame in trial.frames:
        # The same noise on all channels: a grey frame stays grey.
        noise = _NOISE_LEVELS * rng.standard_normal((*frame.shape[:2], 1))
        noisy.append(np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8))
    similar = trial.similarity(shown, trial.maps(explain, frames=noisy))
    return Check.above(
        "repeatability",
        float(np.mean(similar)),
        _MIN_REPEATABLE,
        f"rank correlation of the map with that of the frame under noise of {_NOISE_LEVELS:g} grey level",
        series={"similarity": similar},
    )


def baseline_agreement(others: Mapping[str, Explainer], shown: Sequence[NDArray[Any]], *, trial: Trial) -> Check:
    """Whether other baselines contradict the map; that they tell another story is expected."""
    agreement = {name: trial.similarity(shown, trial.maps(explain)) for name, explain in others.items()}
    return Check.above(
        "baseline_agreement",
        float(np.mean([np.mean(values) for values in agreement.values()])),
        _MIN_AGREEMENT,
        "rank correlation of the map with those from the other baselines",
        series=agreement,
    )
