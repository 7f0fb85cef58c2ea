"""Write a phantom cohort to disk: frames, masks, label sheet and the truth about all of them.

::

    OUT/labels.xlsx             imagePath, Healthy (1 healthy, 0 unhealthy), patient_id, clip
    OUT/images/p017_c1_f03.jpg
    OUT/masks/p017_c1_f03.png   0 background, 1 ovary, 2 follicle
    OUT/truth.json              the seed, every parameter, every planted defect; written last
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sonoproof.concurrency import map_in_processes
from sonoproof.errors import RunFolderError
from sonoproof.phantom.patient import WrittenPatient, write_patient
from sonoproof.phantom.plan import PatientJob, plan_jobs
from sonoproof.phantom.settings import PhantomCohort, PhantomConfig
from sonoproof.phantom.sheet import write_sheet
from sonoproof.phantom.tissue import BACKGROUND, FOLLICLE, OVARY
from sonoproof.progress import SILENT, Progress
from sonoproof.runfolder import write_json

TRUTH_SCHEMA = "phantom-truth"

_DECIMALS = 5


def write_cohort(out: Path, *, config: PhantomConfig, progress: Progress = SILENT.progress) -> PhantomCohort:
    """Simulate a cohort and write it. The same settings give the same bytes, whatever the number of workers.

    With more than one worker a script that calls this needs the usual ``if __name__ == "__main__":``, because the
    workers are started afresh.

    Args:
        out: Folder; must be empty or not exist yet.
        config: What to simulate.
        progress: Called with the number of frames simulated so far and the total.

    Raises:
        ConfigError: No frame is left to be re-cropped.
        RunFolderError: The folder is not empty, or cannot be written.
    """
    cohort = _make_folders(out)
    patients: list[WrittenPatient] = []
    for patient in _simulate(plan_jobs(config, cohort), config):
        patients.append(patient)
        progress(len(patients) * config.frames_per_patient, config.frames)
    rows = sorted(row for patient in patients for row in patient.rows)
    write_sheet(cohort.sheet, rows)
    write_json(cohort.truth, _rounded(_truth(config, patients)), schema=TRUTH_SCHEMA)
    return replace(cohort, rows=len(rows))


def _make_folders(out: Path) -> PhantomCohort:
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunFolderError(f"{out}: is not an empty folder; name a new one for the phantom cohort")
        for folder in (out / "images", out / "masks"):
            folder.mkdir(parents=True)
    except OSError as error:
        raise RunFolderError(f"{out}: cannot be created ({error.strerror or error})") from error
    return PhantomCohort(
        sheet=out / "labels.xlsx", images=out / "images", masks=out / "masks", truth=out / "truth.json", rows=0
    )


def _simulate(jobs: Sequence[PatientJob], config: PhantomConfig) -> Iterator[WrittenPatient]:
    """Write all patients; yields them in the order of the jobs.

    Small cohorts are simulated in this process: starting others takes as long as some dozens of frames.
    """
    default = 1 if config.frames < 60 else os.cpu_count() or 1
    workers = min(config.workers or default, config.patients)
    if workers == 1:
        yield from map(write_patient, jobs)
        return
    yield from map_in_processes(write_patient, jobs, workers=workers, initializer=cv2.setNumThreads, arguments=(1,))


def _truth(config: PhantomConfig, patients: Sequence[WrittenPatient]) -> dict[str, Any]:
    planted = [entry for patient in patients for entry in patient.planted]
    return {
        "seed": config.seed,
        # The number of workers has no influence on the content.
        "config": {name: value for name, value in vars(config).items() if name != "workers"},
        "mask_values": {"background": BACKGROUND, "ovary": OVARY, "follicle": FOLLICLE},
        "planted": sorted(planted, key=lambda entry: entry["kind"] == "wrong label"),  # those last
        "patients": [patient.truth for patient in patients],
    }


def _rounded(value: Any) -> Any:
    """The same with every number rounded to a precision that a reader can use."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return np.round(value, _DECIMALS).tolist()
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value
