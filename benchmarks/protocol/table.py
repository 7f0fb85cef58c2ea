"""The table of the variants: differences on the same frames, for each set and over sets.

The AUC of a set is computed within each fold and seed and averaged: logits of different networks have no common scale.
Intervals come from resampling groups, the same for both variants. Over sets, a random-effects mean.

References:
    DerSimonian, Laird (1986), Meta-analysis in clinical trials, Control. Clin. Trials 7:177 (of statsmodels).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.protocol.pack import read_rows
from benchmarks.protocol.training import Task
from benchmarks.protocol.variants import VARIANTS
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize
from statsmodels.stats.meta_analysis import combine_effects

from sonoproof.training.batches import Rows

BEFORE = "before"
RESAMPLES = 1000
SEEDS, FOLDS = 10, 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A training's results.

    Attributes:
        places: Places of the held-out frames in the set.
        logits: Their logits.
        stop: Places of the frames set aside.
        stop_logits: Their logits.
        facts: What else is known of it.
    """

    places: NDArray[np.intp]
    logits: Floats
    stop: NDArray[np.intp]
    stop_logits: Floats
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """A difference from the variant that it is compared with.

    Attributes:
        auc: That variant's own AUC.
        difference: Its AUC less that of the other.
        variance: Variance of the difference, by resampling groups.
        loss: Difference of the loss after calibration on the rows set aside.
        slope: Calibration slope on the frames held out.
        cpu_minutes: Processor time of its trainings.
        trainings: How many trainings there are on both sides.
    """

    auc: float
    difference: float
    variance: float
    loss: float
    slope: float
    cpu_minutes: float
    trainings: int

    @property
    def limits(self) -> tuple[float, float]:
        """The 95 % interval of the difference."""
        reach = float(stats.norm.ppf(0.975)) * math.sqrt(self.variance)
        return self.difference - reach, self.difference + reach


def table(pack: Path, results: Path, *, against: str = BEFORE) -> str:
    """The table in Markdown: a row per variant, a column per set, then the mean over sets."""
    sets = {file.stem: read_rows(file)[0] for file in sorted(pack.glob("*.npz"))}
    own = {name: effect(against, against, name, rows, results) for name, rows in sets.items()}
    head = ["variant", *sets, "mean over sets", "largest loss", "loss", "slope", "trainings"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines.append(
        "| " + " | ".join([against, *(f"{one.auc:.3f}" if one else "" for one in own.values()), *[""] * 5]) + " |"
    )
    for variant in VARIANTS:
        effects = {name: effect(variant, against, name, rows, results) for name, rows in sets.items()}
        found = {name: one for name, one in effects.items() if one is not None}
        if found and variant != against:
            lines.append("| " + " | ".join([variant, *(_cell(effects[name]) for name in sets), *_over(found)]) + " |")
    return "\n".join(lines)


def effect(variant: str, against: str, of_set: str, rows: Rows, results: Path) -> Effect | None:
    """A variant against another on one set, on the trainings that both have; None where there are none."""
    first, second = (read_trainings(name, of_set, results) for name in (variant, against))
    both = sorted(first.keys() & second.keys())
    if not both:
        return None
    targets, groups = rows.targets > 0.5, np.unique(rows.groups, return_inverse=True)[1]
    weights = _resampled(groups, targets)
    values = np.array([[_auc(one, targets, weights) for one in (first[key], second[key])] for key in both])
    with np.errstate(invalid="ignore"):
        mean = np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0)  # (2, 1 + resamples)
    differences = mean[0] - mean[1]
    losses = [calibrated_loss(first[key], targets) - calibrated_loss(second[key], targets) for key in both]
    return Effect(
        auc=float(mean[0, 0]),
        difference=float(differences[0]),
        variance=float(np.nanvar(differences[1:], ddof=1)),
        loss=float(np.mean(losses)),
        slope=float(np.median([calibration_slope(first[key], targets) for key in both])),
        cpu_minutes=sum(first[key].facts["cpu_seconds"] for key in both) / 60.0,
        trainings=len(both),
    )


def read_trainings(variant: str, of_set: str, results: Path) -> dict[tuple[int, int], Trained]:
    """The trainings of a variant on a set by seed and fold."""
    found = {}
    for seed in range(SEEDS):
        for fold in range(FOLDS):
            file = results / Task(variant, of_set, fold, seed).file
            if file.is_file():
                with np.load(file, allow_pickle=False) as content:
                    found[seed, fold] = Trained(
                        places=content["held_out"],
                        logits=content["logits"].astype(float),
                        stop=content["stop"],
                        stop_logits=content["stop_logits"].astype(float),
                        facts=json.loads(str(content["facts"])),
                    )
    return found


def calibrated_loss(trained: Trained, targets: NDArray[np.bool_]) -> float:
    """Cross-entropy on the frames held out, with a slope and an intercept fitted to those set aside."""
    slope, intercept = _platt(trained.stop_logits, targets[trained.stop])
    return _loss(slope * trained.logits + intercept, targets[trained.places])


def calibration_slope(trained: Trained, targets: NDArray[np.bool_]) -> float:
    """Slope on the held-out frames of the logits calibrated on those set aside; 1 is right, less is too sure."""
    slope, intercept = _platt(trained.stop_logits, targets[trained.stop])
    return _platt(slope * trained.logits + intercept, targets[trained.places])[0]


def random_effects(effects: Mapping[str, Effect]) -> tuple[float, float, float]:
    """The DerSimonian-Laird mean of the differences, and its 95 % interval."""
    values = list(effects.values())
    if len(values) == 1:
        return (values[0].difference, *values[0].limits)
    combined = combine_effects(
        np.array([one.difference for one in values]), np.array([one.variance for one in values]), method_re="dl"
    )
    low, high = combined.conf_int()[1]  # fixed, random effects, and the same by Hartung and Knapp
    return float(combined.mean_effect_re), float(low), float(high)


def _over(effects: Mapping[str, Effect]) -> list[str]:
    mean, low, high = random_effects(effects)
    worst = min(effects, key=lambda name: effects[name].difference)
    return [
        f"{_points(mean)} ({_points(low)} to {_points(high)})",
        f"{_points(effects[worst].difference)} ({worst})",
        f"{np.mean([one.loss for one in effects.values()]):+.3f}",
        f"{np.median([one.slope for one in effects.values()]):.2f}",
        str(sum(one.trainings for one in effects.values())),
    ]


def _cell(one: Effect | None) -> str:
    if one is None:
        return ""
    low, high = one.limits
    return f"{one.auc:.3f}; {_points(one.difference)} ({_points(low)} to {_points(high)})"


def _points(difference: float) -> str:
    return f"{100.0 * difference:+.1f}"


def _resampled(groups: NDArray[np.intp], targets: NDArray[np.bool_]) -> Floats:
    """(1 + resamples, N) weights of the frames: 1, and how often each resample draws their group.

    Groups with a positive frame are drawn apart from those without, so that no resample lacks a class.
    """
    rng = np.random.default_rng(0)
    n_groups = int(groups.max()) + 1
    positive = np.zeros(n_groups, bool)
    np.logical_or.at(positive, groups, targets)
    drawn = np.zeros((RESAMPLES, n_groups))
    for stratum in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        drawn[:, stratum] = rng.multinomial(len(stratum), np.full(len(stratum), 1.0 / len(stratum)), size=RESAMPLES)
    return np.vstack([np.ones(len(groups)), drawn[:, groups]])


def _auc(trained: Trained, targets: NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted AUC of the frames held out, (1 + resamples); NaN where a class is absent."""
    truth, weight = targets[trained.places], weights[:, trained.places]
    above = trained.logits[truth][:, None] - trained.logits[~truth][None, :]
    wins = (above > 0) + 0.5 * (above == 0)
    positives, negatives = weight[:, truth], weight[:, ~truth]
    with np.errstate(invalid="ignore"):
        value: Floats = ((positives @ wins) * negatives).sum(axis=1) / positives.sum(axis=1) / negatives.sum(axis=1)
    return value


def _platt(logits: Floats, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of the least cross-entropy, lightly held to 1 and 0 so that they exist."""

    def cost(at: Floats) -> float:
        return _loss(at[0] * logits + at[1], truth) + 1e-3 * float((at[0] - 1.0) ** 2 + at[1] ** 2)

    found = minimize(cost, np.array([1.0, 0.0]))
    return float(found.x[0]), float(found.x[1])


def _loss(logits: Floats, truth: NDArray[np.bool_]) -> float:
    return float(np.mean(np.logaddexp(0.0, logits) - logits * truth))
