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
from sonoproof.runfolder import RunFolder, read_json
from sonoproof.stages.context import Inputs

pytestmark = pytest.mark.slow

# Neither the probes nor the pictures bear on what is learned.
LEARNING = tuple(stage for stage in STAGES if stage.name not in ("probe", "explain", "report"))


@pytest.fixture(scope="module")
def demo_cohort(shelf: Shelf) -> PhantomCohort:
    return phantom_of(shelf, DEMO_COHORT)


def validation_auc(out: Path, *, sheet: Path, images: Path) -> float:
    config = override(demo_config(), {"audit": {"lookalikes": False, "probes": False}}, origin="test")
    inputs = Inputs(sheet=sheet, images=images)
    run_pipeline(out, inputs=inputs, config=config, reporter=Silent(), stages_wanted=LEARNING)
    return float(read_json(RunFolder(out).evaluation("val"), schema="evaluation")["auc"]["value"])


def test_it_reaches_an_auc_of_090_on_patients_it_has_not_seen(demo_cohort: PhantomCohort, tmp_path: Path) -> None:
    assert validation_auc(tmp_path / "run", sheet=demo_cohort.sheet, images=demo_cohort.images) >= 0.90


def test_it_learns_nothing_from_labels_shuffled_by_patient(demo_cohort: PhantomCohort, tmp_path: Path) -> None:
    rows = pd.read_excel(demo_cohort.sheet, dtype=str, engine="calamine")
    of_patient = rows.groupby("patient_id")["Healthy"].first()
    shuffled = np.random.default_rng(1).permutation(of_patient.to_numpy())
    rows["Healthy"] = rows["patient_id"].map(dict(zip(of_patient.index, shuffled, strict=True)))
    rows.to_excel(tmp_path / "shuffled.xlsx", index=False)
    auc = validation_auc(tmp_path / "run", sheet=tmp_path / "shuffled.xlsx", images=demo_cohort.images)
    assert 0.35 <= auc <= 0.65
