"""The audit on the phantom: planted shortcuts are flagged, clean cohorts raise nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonoproof.classes import Classes
from sonoproof.config import AuditConfig, FramesConfig, SheetConfig
from sonoproof.data.audit import audit_cohort, examine_frames
from sonoproof.data.cohort.cohort import build_cohort
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import open_store
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.probes.probe import probe_cohort
from sonoproof.phantom import PhantomConfig, write_cohort

pytestmark = pytest.mark.slow


def levels(folder: Path, **planted: Any) -> dict[str, str]:
    """Level of each finding of audit and probes on a cohort of 32 patients."""
    config = PhantomConfig(patients=32, frames_per_patient=2, workers=1, **planted)
    written = write_cohort(folder, config=config)
    sheet = SheetConfig(group_columns=("patient_id",))
    cohort = build_cohort(written.sheet, images=written.images, config=sheet)
    store = open_store(folder / "store", preprocessing=Preprocessing(32), frames=FramesConfig(workers=1))
    examined = examine_frames(cohort.records, store=store, folder=folder / "examined", lookalikes=False)
    outcome = audit_cohort(
        examined,
        quarantine=examined.unreadable,
        classes=cohort.classes,
        group_columns=cohort.group_columns,
        config=AuditConfig(),
    )
    classes = Classes(negative=cohort.classes.negative, positive=cohort.classes.positive)
    noise = np.random.default_rng(0).normal(size=(len(outcome.records), 4))
    probed = probe_cohort(
        outcome.records,
        measures=outcome.measures,
        features=noise.astype(np.float32),  # of no concern to the probes themselves
        classes=classes,
        bootstrap=Bootstrap(resamples=300),
    )
    return {finding.id: finding.level for finding in (*outcome.findings, *probed.findings)}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_clean_cohort_raises_nothing(tmp_path: Path, seed: int) -> None:
    assert set(levels(tmp_path / "cohort", seed=seed).values()) == {"info"}


@pytest.mark.parametrize(
    ("defect", "probe"),
    [("caliper", "shortcut-overlays"), ("text", "shortcut-overlays"), ("size_shortcut", "shortcut-metadata")],
)
def test_a_planted_shortcut_is_flagged(tmp_path: Path, defect: str, probe: str) -> None:
    assert levels(tmp_path / "cohort", **{defect: True})[probe] == "serious"


def test_damaged_and_repeated_files_are_found(tmp_path: Path) -> None:
    found = levels(tmp_path / "cohort", unreadable=0.05, exact_duplicates=0.05)

    assert (found["unusable-rows"], found["exact-duplicates"]) == ("warning", "warning")
