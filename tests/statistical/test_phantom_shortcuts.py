"""Nothing but the anatomy may tell the classes of the phantom apart."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from sonoproof.phantom.plan import PatientJob, plan_jobs
from sonoproof.phantom.scanner import draw_settings
from sonoproof.phantom.scene import draw_scene
from sonoproof.phantom.settings import PhantomCohort, PhantomConfig

CONFIG = PhantomConfig(patients=400, frames_per_patient=10, wrong_labels=0.2, recrops=0.3, unreadable=0.2)


@pytest.fixture(scope="module")
def jobs() -> list[PatientJob]:
    nowhere = PhantomCohort(sheet=Path(), images=Path(), masks=Path(), truth=Path(), rows=0)
    return plan_jobs(CONFIG, nowhere)


def test_settings_and_surroundings_are_drawn_without_knowing_the_class() -> None:
    assert list(inspect.signature(draw_settings).parameters) == ["rng"]
    assert list(inspect.signature(draw_scene).parameters) == ["rng", "ovary"]


@pytest.mark.parametrize("name", ["frequency_mhz", "depth_mm", "gain_db", "sector_degrees", "aspect", "noise_db"])
def test_scanner_settings_are_alike_in_both_classes(jobs: list[PatientJob], name: str) -> None:
    drawn = [getattr(draw_settings(np.random.default_rng(job.seed.spawn(2)[0])), name) for job in jobs]
    healthy = [value for value, job in zip(drawn, jobs, strict=True) if not job.polycystic]
    polycystic = [value for value, job in zip(drawn, jobs, strict=True) if job.polycystic]

    assert ks_2samp(healthy, polycystic).pvalue > 0.001


def test_the_order_of_patients_tells_nothing(jobs: list[PatientJob]) -> None:
    order = np.flatnonzero([job.polycystic for job in jobs])

    assert len(order) == 200
    assert ks_2samp(order, np.arange(400)).pvalue > 0.001


@pytest.mark.parametrize("defect", ["unreadable", "recrops"])
def test_defects_of_files_fall_on_both_classes(jobs: list[PatientJob], defect: str) -> None:
    healthy, polycystic = (
        sum(len(getattr(job.defects, defect)) for job in jobs if job.polycystic == value) for value in (False, True)
    )

    assert abs(healthy - polycystic) < 4 * np.sqrt(healthy + polycystic)
