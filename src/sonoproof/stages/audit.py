"""Sheet and folder to records, quarantine and groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.data.audit import AuditOutcome, add_to_audit, audit_cohort, write_audit
from sonoproof.data.audit.findings import Level
from sonoproof.data.cohort.cohort import Cohort, build_cohort, build_test_cohort
from sonoproof.data.cohort.description import describe_cohort
from sonoproof.data.frames.facts import decode, read_frames_facts
from sonoproof.data.lookalike import find_lookalikes
from sonoproof.errors import CohortError
from sonoproof.evaluation.probes.probe import DOUBT_COLUMNS, REVIEW_WORKBOOK, ProbeOutcome, probe_cohort
from sonoproof.reporting.figures.audit_pictures import draw_audit
from sonoproof.reporting.workbooks.review_workbook import write_review_workbook
from sonoproof.runfolder import QUARANTINE_COLUMNS, RECORD_COLUMNS, RunFolder, read_table, write_json, write_table
from sonoproof.stages.context import class_names, files_in, probe_features, store_of
from sonoproof.stages.job import Job

__all__ = ["audit", "probe"]

DOUBTS = "label_doubts.csv"
PROBE_FILES = (DOUBTS, Path(REVIEW_WORKBOOK).name)


def audit(job: Job) -> list[Path]:
    """Sheet and folder to records, quarantine and groups: every row is used or says why it is not."""
    assert job.inputs is not None
    cohort = build_cohort(job.inputs.sheet, images=job.inputs.images, config=job.config.sheet)
    cohorts = [cohort]
    if job.inputs.test_images is not None:
        cohorts.append(_test_cohort(job, cohort))
    for line in describe_cohort(cohort):
        job.say(line)
    records, quarantine = _read_frames(job, cohorts)
    outcome = _audit(job, cohort, records=records, quarantine=quarantine)
    quarantine = pd.concat([quarantine, outcome.quarantined], ignore_index=True)
    _say_accounts(job, cohorts, records=outcome.records, quarantine=quarantine)
    write_table(job.run.records, outcome.records, columns=RECORD_COLUMNS)
    write_table(job.run.quarantine, quarantine, columns=QUARANTINE_COLUMNS)
    write_json(job.run.cohort, _cohort_facts(cohorts, outcome.records, quarantine), schema="cohort")
    outcome.require_clear()
    # audit.json is added to by the probes, which then answer for it.
    written = [path for path in files_in(job.run.audit_folder) if path.name not in PROBE_FILES]
    return [job.run.records, job.run.quarantine, job.run.cohort, *written]


def _audit(job: Job, cohort: Cohort, *, records: pd.DataFrame, quarantine: pd.DataFrame) -> AuditOutcome:
    """Search look-alikes, look for defects, apply the policies; write what was found with its pictures."""
    path_of = dict(zip(records["image_id"], records["path"], strict=True))

    def load(image_id: str) -> npt.NDArray[np.uint8]:
        return decode(path_of[image_id], max_pixels=job.config.frames.max_pixels)

    lookalikes = None
    if job.config.audit.lookalikes:
        lookalikes = find_lookalikes(
            list(records["image_id"]),
            load=load,
            work=job.run.store,
            workers=job.config.frames.workers,
            resume=job.resume,
            progress=job.progress,
        )
    outcome = audit_cohort(
        records,
        quarantine=quarantine,
        classes=cohort.classes,
        group_columns=cohort.group_columns,
        lookalikes=lookalikes,
        config=job.config.audit,
        frames=job.config.frames,
        progress=job.progress,
    )
    pictures = draw_audit(outcome, folder=job.run.audit_folder, load=load)
    write_audit(job.run, outcome, pictures=pictures)
    for finding in outcome.findings:
        if finding.level != Level.INFO:
            job.say(f"{finding.level}: {finding.title}")
    return outcome


def probe(job: Job) -> list[Path]:
    """Records and frozen features to shortcut probes, honest against naive, and doubtful labels."""
    if not job.config.audit.probes:
        return [job.run.audit]
    records = read_table(job.run.records, columns=RECORD_COLUMNS)
    names = class_names(job.run)
    path_of = dict(zip(records["image_id"], records["path"], strict=True))
    features, features_are = probe_features(job, list(records["image_id"]))
    outcome = probe_cohort(
        records,
        measures=_measures(job.run),
        features=features,
        features_are=features_are,
        classes=Classes(negative=names.negative, positive=names.positive),
        confidence=job.config.evaluate.confidence,
        seed=job.config.evaluate.seed,
    )
    add_to_audit(job.run, outcome.findings, summary=outcome.summary)
    for finding in outcome.findings:
        job.say(f"{finding.level}: {finding.title}")
    return [job.run.audit, *_write_doubts(job, outcome, path_of=path_of)]


def _write_doubts(job: Job, outcome: ProbeOutcome, *, path_of: dict[str, str]) -> list[Path]:
    table, workbook = job.run.audit_folder / DOUBTS, job.run.root / REVIEW_WORKBOOK
    write_table(table, outcome.doubts, columns=DOUBT_COLUMNS)
    names = class_names(job.run)
    write_review_workbook(
        workbook,
        outcome.doubts.head(outcome.review),
        classes=(names.negative, names.positive),
        load=lambda image_id: decode(path_of[image_id], max_pixels=job.config.frames.max_pixels),
    )
    return [table, workbook]


def _measures(run: RunFolder) -> pd.DataFrame:
    """The measures of the frames, numbers as numbers."""
    return pd.read_csv(run.audit_folder / "frames.csv", dtype={"image_id": str}, keep_default_na=False, na_values=[""])


def _test_cohort(job: Job, cohort: Cohort) -> Cohort:
    """The frames of the test folder, with the classes and the group columns of the sheet."""
    assert job.inputs is not None
    assert job.inputs.test_images is not None
    config = dataclasses.replace(job.config.sheet, group_columns=cohort.group_headers, find_groups=False)
    return build_test_cohort(job.inputs.test_images, sheet=job.inputs.test_sheet, config=config, classes=cohort.classes)


def _read_frames(job: Job, cohorts: Sequence[Cohort]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every frame once, into the store; those that cannot be decoded join the quarantine."""
    wanted = pd.concat([cohort.records for cohort in cohorts], ignore_index=True).fillna("")
    with store_of(job).writer() as store:
        records, unreadable = read_frames_facts(
            wanted, config=job.config.frames, progress=job.progress, decoded=store.add
        )
    quarantined = [cohort.quarantine for cohort in cohorts if len(cohort.quarantine)]
    quarantine = pd.concat([*quarantined, unreadable], ignore_index=True) if quarantined else unreadable
    return records.reset_index(drop=True), quarantine


def _say_accounts(job: Job, cohorts: Sequence[Cohort], *, records: pd.DataFrame, quarantine: pd.DataFrame) -> None:
    read = sum(cohort.rows_read for cohort in cohorts)
    if read != len(records) + len(quarantine):
        raise CohortError(
            f"{read} rows were read, but {len(records)} are used and {len(quarantine)} quarantined; please report this"
        )
    job.say(f"rows read {read:,} = used {len(records):,} + quarantined {len(quarantine):,}")


def _cohort_facts(cohorts: Sequence[Cohort], records: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    first = cohorts[0]
    facts: dict[str, Any] = {
        "classes": {"negative": first.classes.negative, "positive": first.classes.positive},
        "group_columns": list(first.group_columns),
    }
    for origin, cohort in zip(("sheet", "test"), cohorts, strict=False):
        facts[origin] = {
            "rows_read": cohort.rows_read,
            "rows_used": int((records["origin"] == origin).sum()),
            "rows_quarantined": int((quarantine["origin"] == origin).sum()),
            "inferred": cohort.inferred,
        }
    totals = {key: sum(facts[o][key] for o in ("sheet", "test") if o in facts) for key in _COUNTS}
    return {**totals, **facts, "inferred": first.inferred}


_COUNTS = ("rows_read", "rows_used", "rows_quarantined")
