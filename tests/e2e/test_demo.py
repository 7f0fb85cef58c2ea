"""What the demonstration promises: it learns the disease from patients it has not seen, and else nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.phantoms import phantom_of
from tests.support.runs import Silent
from tests.support.shelf import Shelf

from sonoproof.config import override
from sonoproof.demo import DEMO_COHORT, demo_config
from sonoproof.phantom import PhantomCohort
from sonoproof.pipeline import STAGES
from sonoproof.pipeline import run as run_pipeline
from sonoproof.runfolder import read_json
from sonoproof.stages.context import Inputs

pytestmark = pytest.mark.slow

# Neither the probes nor the pictures bear on what is learned.
LEARNING = tuple(stage for stage in STAGES if stage.name not in ("probe", "explain", "report"))


@pytest.fixture(scope="module")
def demo_cohort(shelf: Shelf) -> PhantomCohort:
    return phantom_of(shelf, DEMO_COHORT)


def auc_on_new_patients(out: Path, *, sheet: Path, images: Path, **tables: dict[str, object]) -> float:
    """Mean AUC of the two parts that are reported: one alone has forty patients, which rounding can shift."""
    config = override(demo_config(), {"audit": {"lookalikes": False, "probes": False}, **tables}, origin="test")
    inputs = Inputs(sheet=sheet, images=images)
    run = run_pipeline(out, inputs=inputs, config=config, reporter=Silent(), stages_wanted=LEARNING)
    parts = (read_json(run.evaluation(part), schema="evaluation") for part in ("val", "test"))
    return float(np.mean([part["auc"]["value"] for part in parts]))


def test_it_reaches_an_auc_of_090_on_patients_it_has_not_seen(demo_cohort: PhantomCohort, tmp_path: Path) -> None:
    assert auc_on_new_patients(tmp_path / "run", sheet=demo_cohort.sheet, images=demo_cohort.images) >= 0.90


def test_it_learns_nothing_from_labels_shuffled_by_patient(demo_cohort: PhantomCohort, tmp_path: Path) -> None:
    """At a size and a length of training at which the true labels give an AUC of 0.82."""
    rows = pd.read_excel(demo_cohort.sheet, dtype=str, engine="calamine")
    of_patient = rows.groupby("patient_id")["Healthy"].first()
    shuffled = np.random.default_rng(1).permutation(of_patient.to_numpy())
    rows["Healthy"] = rows["patient_id"].map(dict(zip(of_patient.index, shuffled, strict=True)))
    sheet = tmp_path / "shuffled.xlsx"
    rows.to_excel(sheet, index=False)
    small: dict[str, dict[str, object]] = {"frames": {"size": 64}, "fit": {"epochs": 8}}
    auc = auc_on_new_patients(tmp_path / "run", sheet=sheet, images=demo_cohort.images, **small)
    assert 0.35 <= auc <= 0.65
