"""Where the model looked over a whole part: attribution inside the sector, on the border, on overlays, on masks.

A single frame proves little; a shortcut shows when frame after frame of different patients gives its attribution to
the same kind of place. Integrated gradients grow with contrast, so a bright mark receives some from any model. What
counts is therefore not the share of the picture that a place takes, but its share of the frame's structure: of the
magnitude of frame minus baseline, which is the attribution of a model that weighs all structure alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.context import ExplanationContext
from sonoproof.explanation.localisation import localise
from sonoproof.explanation.methods import MethodSettings, explainer
from sonoproof.explanation.regions import REGIONS, find_regions
from sonoproof.types import BoolArray

# Enough to see which kind of place is looked at; single maps need not be complete.
_STEPS, _BASELINE = 8, "blur"
# A place that takes less of the picture than this is not there: a few pixels of coloured noise are no overlay.
_MIN_AREA = 5e-4
# A model looks at a place if its attribution there exceeds the structure's share by at least this much, judged by the
# lower limit of the interval. Measured error rates are in docs/explanations.md.
_MAX_EXCESS = 0.05
_MIN_FRAMES = 5


@dataclass(frozen=True)
class Surveyed:
    """One frame of the survey.

    Attributes:
        image_id: Key of the frame.
        group: Its group.
        explained_class: The predicted class, whose logit is explained.
        regions: For each of `REGIONS`, the shares ``attribution``, ``structure`` and ``area``, in [0, 1]; None if the
            frame has no such place.
        on_mask: ``mass``, ``area``, ``lift`` and ``pointing`` against the truth mask, if there is one.
    """

    image_id: str
    group: str
    explained_class: str
    regions: Mapping[str, Mapping[str, float] | None]
    on_mask: Mapping[str, float] | None


def survey_part(
    predictions: pd.DataFrame, *, part: str, context: ExplanationContext, confidence: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Explain a sample of a part with few steps, and say where the attribution lies.

    Args:
        predictions: Predictions of the part (columns `PREDICTION_COLUMNS`).
        part: Name of the part.
        context: The model, the frames, and how many of them, one of each group as long as there are groups.
        confidence: Level of the intervals.
        seed: Seed of the sample.

    Returns:
        The content of ``survey.json``: means over the frames with their intervals, findings, and every frame.
    """
    chosen = _sample(predictions, number=context.config.survey, seed=seed)
    surveyed = [_survey_frame(row, context=context) for row in chosen.to_dict("records")]
    regions = {name: _region_summary(name, surveyed, confidence=confidence) for name in REGIONS}
    return {
        "part": part,
        "method": f"integrated gradients, {_STEPS} points from the {_BASELINE} baseline",
        "frames_surveyed": len(surveyed),
        "frames_in_part": len(predictions),
        "groups": len({item.group for item in surveyed}),
        "confidence": confidence,
        "most_excess": _MAX_EXCESS,
        "regions": regions,
        "mask": _mask_summary(surveyed, confidence=confidence),
        "looks_at": [name for name, entry in regions.items() if entry["looked_at"]],
        "frames": [
            {"image_id": item.image_id, "group": item.group, "explained_class": item.explained_class,
             **item.regions, "mask": item.on_mask}
            for item in surveyed
        ],
    }  # fmt: skip


def _sample(predictions: pd.DataFrame, *, number: int, seed: int) -> pd.DataFrame:
    """Random frames of as many groups as there are; a second frame of a group only after a first of every group."""
    table = predictions[np.isfinite(predictions["logit"].astype(float))].sort_values("image_id", kind="stable")
    shuffled = table.sample(frac=1.0, random_state=np.random.default_rng(seed))
    # A frame without a group is a group of its own.
    group = shuffled["group"].where(shuffled["group"] != "", "image:" + shuffled["image_id"])
    turn = shuffled.groupby(group, sort=False).cumcount()
    return shuffled.iloc[np.argsort(turn.to_numpy(), kind="stable")[:number]]


def _survey_frame(row: Mapping[Any, Any], *, context: ExplanationContext) -> Surveyed:
    frame, mask = context.frames([row["image_id"]])[0], context.mask(row["image_id"])
    explain = explainer("integrated_gradients", settings=MethodSettings(baseline=_BASELINE, steps=_STEPS))
    values = explain(context.logit(row["predicted"]), frame)
    structure = np.abs(frame - make_baselines(_BASELINE, frame)[0]).sum(axis=2)
    regions = find_regions(frame)
    sector = regions.pop("sector")
    places = {"outside_sector": ~sector & bool(sector.any()), **regions}
    found = localise(values, mask) if mask is not None else None
    return Surveyed(
        image_id=row["image_id"],
        group=row["group"],
        explained_class=row["predicted"],
        regions={name: _shares(place, np.abs(values), structure) for name, place in places.items()},
        on_mask=None if found is None else {
            "mass": found.mass, "area": found.area, "lift": found.lift, "pointing": float(found.pointing)
        },
    )  # fmt: skip


def _shares(place: BoolArray, magnitude: NDArray[Any], structure: NDArray[Any]) -> dict[str, float] | None:
    totals = float(magnitude.sum(dtype=np.float64)), float(structure.sum(dtype=np.float64))
    if place.mean() < _MIN_AREA or min(totals) <= 0.0:
        return None
    return {
        "attribution": float(magnitude[place].sum(dtype=np.float64)) / totals[0],
        "structure": float(structure[place].sum(dtype=np.float64)) / totals[1],
        "area": float(place.mean()),
    }


def _region_summary(name: str, surveyed: Sequence[Surveyed], *, confidence: float) -> dict[str, Any]:
    """Means over the frames that have such a place, each of equal weight, and whether the model looks there."""
    present = [(item.group or item.image_id, found) for item in surveyed if (found := item.regions[name]) is not None]
    units = [unit for unit, _ in present]
    shares = {
        kind: _mean([found[kind] for _, found in present], units=units, confidence=confidence, bounds=(0.0, 1.0))
        for kind in ("attribution", "structure", "area")
    }
    excess = _mean([s["attribution"] - s["structure"] for _, s in present], units=units, confidence=confidence)
    return {
        "frames": len(present),
        **{kind: share.to_dict() for kind, share in shares.items()},
        "excess": excess.to_dict(),
        "looked_at": bool(len(set(units)) >= _MIN_FRAMES and excess.low > _MAX_EXCESS),
    }


def _mask_summary(surveyed: Sequence[Surveyed], *, confidence: float) -> dict[str, Any] | None:
    present = [(item.group or item.image_id, item.on_mask) for item in surveyed if item.on_mask is not None]
    if not present:
        return None
    units = [unit for unit, _ in present]
    return {
        "frames": len(present),
        **{
            kind: _mean(
                [found[kind] for _, found in present], units=units, confidence=confidence, bounds=(0.0, most)
            ).to_dict()
            for kind, most in (("mass", 1.0), ("area", 1.0), ("lift", np.inf), ("pointing", 1.0))
        },
    }


def _mean(
    values: Sequence[float], *, units: Sequence[str], confidence: float, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """Mean over groups of their means, with Student's interval within bounds; none with fewer than two groups."""
    if not values:
        return Interval()
    means = pd.Series(values).groupby(list(units), sort=False).mean().to_numpy()
    centre = float(means.mean())
    if len(means) < 2:
        return Interval(centre)
    reach = float(student.ppf(0.5 + confidence / 2, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means)))
    return Interval(centre, max(centre - reach, bounds[0]), min(centre + reach, bounds[1]))
