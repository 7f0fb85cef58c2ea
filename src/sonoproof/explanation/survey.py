"""Where the model looked over a whole part: attribution inside the sector, on the border, on overlays, on masks.

A single frame proves little; a shortcut shows when frame after frame of other patients gives its attribution to the
same kind of place. Integrated gradients grow with contrast, so that a bright mark receives some from any model. What
counts is therefore not the share of the picture that a place takes, but its share of the frame's structure: of the
magnitude of frame minus baseline, what a model would give that weighs all structure alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student
from torch import nn

from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.localisation import localise
from sonoproof.explanation.methods import MethodSettings, explainer
from sonoproof.explanation.regions import border_mask, overlay_mask, sector_mask

__all__ = ["REGIONS", "REGION_WORDS", "survey_part"]

Frames = NDArray[np.uint8]
Masks = Callable[[str], NDArray[np.bool_] | None]

REGIONS = ("outside_sector", "border", "overlay")
REGION_WORDS = {
    "outside_sector": "what lies outside the ultrasound sector",
    "border": "the border of the picture",
    "overlay": "burnt-in overlays",
}
# Enough to see which kind of place is looked at; the completeness of single maps is not asked for.
_STEPS, _BASELINE = 8, "blur"
# Under this share of the picture a place is not there: a few pixels of coloured noise are no overlay.
_MIN_AREA = 5e-4
# A model is said to look at a place when its attribution there surpasses the structure's share by this much at least,
# by the lower limit of the interval. Measured error rates stand in docs/explanations.md.
_MAX_EXCESS = 0.05
_MIN_FRAMES = 5


@dataclass(frozen=True)
class Surveyed:
    """One frame of the survey: shares of a region are None where the frame has no such place.

    Attributes:
        image_id: Key of the frame.
        group: Its group.
        explained_class: The class predicted, whose logit is explained.
        regions: Of each of `REGIONS`, the shares ``attribution``, ``structure`` and ``area``, in [0, 1].
        on_mask: ``mass``, ``area``, ``lift`` and ``pointing`` against the mask of the truth, where one is known.
    """

    image_id: str
    group: str
    explained_class: str
    regions: Mapping[str, Mapping[str, float] | None]
    on_mask: Mapping[str, float] | None


def survey_part(
    predictions: pd.DataFrame,
    *,
    part: str,
    load: Callable[[Sequence[str]], Frames],
    model: nn.Module,
    positive: str,
    frames: int,
    seed: int = 0,
    confidence: float = 0.95,
    masks: Masks | None = None,
) -> dict[str, Any]:
    """Explain a sample of a part with few steps, and say where the attribution lies.

    Args:
        predictions: Predictions of the part (columns `PREDICTION_COLUMNS`).
        part: Name of the part.
        load: Returns the frames of image ids as the network sees them, uint8, shape (N, H, W, 3).
        model: Network in evaluation mode.
        positive: Name of the positive class.
        frames: Most frames; one of each group, as long as there are groups.
        seed: Seed of the sample.
        confidence: Level of the intervals.
        masks: Returns where the truth of an image id is, shape (H, W), where known.

    Returns:
        The content of ``survey.json``: means over the frames with their intervals, findings, and every frame.
    """
    chosen = _sample(predictions, number=frames, seed=seed)
    surveyed = [
        _survey_frame(
            row,
            load([row["image_id"]])[0],
            logit=ClassLogit(model, positive=row["predicted"] == positive),
            mask=masks(row["image_id"]) if masks is not None else None,
        )
        for row in chosen.to_dict("records")
    ]
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
    """Frames of as many groups as there are, drawn at random; a second frame of a group only when all had a first."""
    table = predictions[np.isfinite(predictions["logit"].astype(float))].sort_values("image_id", kind="stable")
    shuffled = table.sample(frac=1.0, random_state=np.random.default_rng(seed))
    # A frame without a group stands for itself.
    group = shuffled["group"].where(shuffled["group"] != "", "image:" + shuffled["image_id"])
    turn = shuffled.groupby(group, sort=False).cumcount()
    return shuffled.iloc[np.argsort(turn.to_numpy(), kind="stable")[:number]]


def _survey_frame(
    row: Mapping[Any, Any], frame: Frames, *, logit: ClassLogit, mask: NDArray[np.bool_] | None
) -> Surveyed:
    settings = MethodSettings(baseline=_BASELINE, steps=_STEPS)
    values = explainer("integrated_gradients", settings=settings)(logit, frame)
    structure = np.abs(frame - make_baselines(_BASELINE, frame)[0]).sum(axis=2)
    sector = sector_mask(frame)
    places = {
        "outside_sector": ~sector & bool(sector.any()),
        "border": border_mask(frame),
        "overlay": overlay_mask(frame, sector),
    }
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


def _shares(place: NDArray[np.bool_], magnitude: NDArray[Any], structure: NDArray[Any]) -> dict[str, float] | None:
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
    present = [(item.group or item.image_id, shares) for item in surveyed if (shares := item.regions[name]) is not None]
    units = [unit for unit, _ in present]
    summary: dict[str, Any] = {
        kind: _mean([shares[kind] for _, shares in present], units=units, confidence=confidence, bounds=(0.0, 1.0))
        for kind in ("attribution", "structure", "area")
    }
    excess = _mean([s["attribution"] - s["structure"] for _, s in present], units=units, confidence=confidence)
    low = excess["low"]
    return {
        "frames": len(present),
        **summary,
        "excess": excess,
        "looked_at": bool(len(set(units)) >= _MIN_FRAMES and low is not None and low > _MAX_EXCESS),
    }


def _mask_summary(surveyed: Sequence[Surveyed], *, confidence: float) -> dict[str, Any] | None:
    present = [(item.group or item.image_id, item.on_mask) for item in surveyed if item.on_mask is not None]
    if not present:
        return None
    units = [unit for unit, _ in present]
    return {
        "frames": len(present),
        **{
            kind: _mean([found[kind] for _, found in present], units=units, confidence=confidence, bounds=(0.0, most))
            for kind, most in (("mass", 1.0), ("area", 1.0), ("lift", np.inf), ("pointing", 1.0))
        },
    }


def _mean(
    values: Sequence[float], *, units: Sequence[str], confidence: float, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> dict[str, float | None]:
    """Mean over groups of their means, with Student's interval within bounds; none of fewer than two groups."""
    if not values:
        return {"value": None, "low": None, "high": None}
    means = pd.Series(values).groupby(list(units), sort=False).mean().to_numpy()
    centre = float(means.mean())
    if len(means) < 2:
        return {"value": centre, "low": None, "high": None}
    reach = float(student.ppf(0.5 + confidence / 2, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means)))
    low, high = bounds
    return {"value": centre, "low": max(centre - reach, low), "high": min(centre + reach, high)}
