"""Where a model looked over a whole part: a shortcut is caught, and an honest model is not accused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.trained_phantom import TrainedPhantom

from sonoproof.classes import Classes
from sonoproof.config import ExplainConfig
from sonoproof.explanation.context import ExplanationContext
from sonoproof.explanation.survey import survey_part
from sonoproof.types import LoadMask

pytestmark = pytest.mark.slow


def survey(
    phantom: TrainedPhantom,
    *,
    frames: int = 48,
    seed: int = 0,
    predictions: pd.DataFrame | None = None,
    masks: LoadMask | None = None,
) -> dict[str, Any]:
    context = ExplanationContext(
        frames=phantom.load,
        classifier=phantom.network,
        classes=Classes("healthy", "unhealthy"),
        config=ExplainConfig(survey=frames),
        masks=masks,
    )
    chosen = phantom.predictions if predictions is None else predictions
    return survey_part(chosen, part="val", context=context, seed=seed)


@pytest.fixture(scope="module")
def marked(trained: Callable[..., TrainedPhantom]) -> TrainedPhantom:
    """The same patients, those of the positive class with a caliper, and a network trained on that."""
    return trained(caliper=True)


def test_a_model_trained_with_a_planted_caliper_is_caught_looking_at_it(marked: TrainedPhantom) -> None:
    found = survey(marked)
    assert found["looks_at"] == ["overlay"]
    overlay = found["regions"]["overlay"]
    assert overlay["attribution"]["low"] > 2 * overlay["structure"]["value"]


def test_an_honest_model_is_not_accused(phantom: TrainedPhantom) -> None:
    found = survey(phantom, masks=phantom.mask)
    assert found["looks_at"] == []
    assert found["regions"]["overlay"]["frames"] == 0
    assert found["mask"]["lift"]["low"] > 1.1


def test_an_honest_model_shown_calipers_is_not_accused(phantom: TrainedPhantom, marked: TrainedPhantom) -> None:
    """The very frames on which the other model is caught: what is judged is the model, not the frame."""
    shown = TrainedPhantom(marked.frames, marked.masks, marked.predictions, phantom.network)
    overlay = survey(shown)["regions"]["overlay"]
    assert overlay["frames"] > 10
    assert not overlay["looked_at"]


def test_frames_are_of_as_many_groups_as_there_are(phantom: TrainedPhantom) -> None:
    groups = phantom.predictions["group"].nunique()
    few, many = survey(phantom, frames=groups), survey(phantom, frames=groups + 3)
    assert few["groups"] == few["frames_surveyed"] == groups
    assert many["frames_surveyed"] == groups + 3
    other = survey(phantom, frames=5, seed=1)
    assert other == survey(phantom, frames=5, seed=1)
    assert [f["image_id"] for f in other["frames"]] != [f["image_id"] for f in survey(phantom, frames=5)["frames"]]


def test_an_overlay_seen_in_few_groups_convicts_nobody(marked: TrainedPhantom) -> None:
    few = marked.predictions[marked.predictions["group"].isin(marked.predictions["group"].unique()[:4])]
    found = survey(TrainedPhantom(marked.frames, marked.masks, marked.predictions, marked.network))
    assert found["looks_at"]
    assert survey(marked, frames=24, predictions=few)["looks_at"] == []


def test_nothing_to_survey_is_said(phantom: TrainedPhantom, tmp_path: Path) -> None:
    found = survey(phantom, frames=0)
    assert found["frames_surveyed"] == 0
    assert found["regions"]["overlay"]["attribution"] == {"value": None, "low": None, "high": None}


def test_shares_are_shares(phantom: TrainedPhantom) -> None:
    frame = survey(phantom, frames=1)["frames"][0]
    sector = 1.0 - frame["outside_sector"]["attribution"]
    assert 0.0 < sector < 1.0
    assert np.isfinite(list(frame["border"].values())).all()
