"""Write a phantom cohort to disk: frames, masks, label sheet and the truth about all of them.

::

    OUT/labels.xlsx             imagePath, Healthy (1 healthy, 0 unhealthy), patient_id, clip
    OUT/images/p017_c1_f03.jpg
    OUT/masks/p017_c1_f03.png   0 background, 1 ovary, 2 follicle
    OUT/truth.json              the seed, every parameter, every planted defect; written last
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sonoproof.errors import RunFolderError
from sonoproof.phantom.patient import PatientJob, WrittenPatient, write_patient
from sonoproof.phantom.plan import plan_defects, plan_jobs
from sonoproof.phantom.settings import PhantomCohort, PhantomConfig
from sonoproof.phantom.sheet import write_sheet
from sonoproof.runfolder import write_json

TRUTH_SCHEMA = "phantom-truth"

_DECIMALS = 5


def write_cohort(
    out: Path, *, config: PhantomConfig, progress: Callable[[int, int], None] | None = None
) -> PhantomCohort:
    """Simulate a cohort and write it. The same settings give the same bytes, whatever the number of workers.

    With more than one worker a script that calls this needs the usual ``if __name__ == "__main__":``, because the
    workers are started afresh.

    Args:
        out: Folder; must be empty or not exist yet.
        config: What to simulate.
        progress: Called with the frames simulated so far and the frames in all.

    Raises:
        RunFolderError: The folder holds something already, or cannot be written.
    """
    cohort = _make_folders(out)
    plan_seed, *patient_seeds = np.random.SeedSequence(config.seed).spawn(1 + config.patients)
    rng = np.random.default_rng(plan_seed)
    defects = plan_defects(rng, config)
    jobs = plan_jobs(rng, config, defects, patient_seeds, images=cohort.images, masks=cohort.masks)
    patients = []
    for patient in _simulate(jobs, workers=_workers(config)):
        patients.append(patient)
        if progress is not None:
            progress(len(patients) * config.frames_per_patient, config.frames)
    rows, mislabelled = _sheet_rows(patients, config, wrong=defects.wrong_labels)
    write_sheet(cohort.sheet, rows)
    write_json(cohort.truth, _truth(config, patients, mislabelled), schema=TRUTH_SCHEMA)
    return replace(cohort, rows=len(rows))


def _make_folders(out: Path) -> PhantomCohort:
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunFolderError(f"{out}: is not an empty folder; name a new one for the phantom cohort")
        for folder in (out / "images", out / "masks"):
            folder.mkdir(parents=True)
    except OSError as error:
        raise RunFolderError(f"{out}: cannot be made ({error.strerror or error})") from error
    return PhantomCohort(
        sheet=out / "labels.xlsx", images=out / "images", masks=out / "masks", truth=out / "truth.json", rows=0
    )


def _workers(config: PhantomConfig) -> int:
    """Processes to use; starting them costs as much time as some dozens of frames."""
    if config.workers:
        return min(config.workers, config.patients)
    return 1 if config.frames < 60 else min(os.cpu_count() or 1, config.patients)


def _simulate(jobs: Sequence[PatientJob], *, workers: int) -> Iterator[WrittenPatient]:
    """Write all patients; yields them in the order of the jobs."""
    if workers == 1:
        yield from map(write_patient, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(write_patient, jobs)


def _sheet_rows(
    patients: Sequence[WrittenPatient], config: PhantomConfig, *, wrong: frozenset[int]
) -> tuple[list[tuple[str, int, str, str]], list[dict[str, Any]]]:
    """Rows of the sheet by file name, and the entries of the truth file for those with the wrong label."""
    rows, mislabelled = [], []
    for number, patient in enumerate(patients):
        for index, (name, clip) in enumerate(patient.rows):
            healthy = patient.truth["healthy"]
            is_simulated = index < config.frames_per_patient
            if is_simulated and number * config.frames_per_patient + index in wrong:
                mislabelled.append({"kind": "wrong label", "image": name, "true": healthy, "written": 1 - healthy})
                healthy = 1 - healthy
            rows.append((name, healthy, patient.truth["patient_id"], clip))
    return sorted(rows), mislabelled


def _truth(
    config: PhantomConfig, patients: Sequence[WrittenPatient], mislabelled: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    planted = [entry for patient in patients for entry in patient.planted]
    truth = {
        "seed": config.seed,
        "config": config.content(),
        "mask_values": {"background": 0, "ovary": 1, "follicle": 2},
        "planted": [*planted, *mislabelled],
        "patients": [patient.truth for patient in patients],
    }
    rounded: dict[str, Any] = _rounded(truth)
    return rounded


def _rounded(value: Any) -> Any:
    """The same with every measure rounded to what a person could want to know."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return np.round(value, _DECIMALS).tolist()
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value
