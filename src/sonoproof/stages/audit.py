"""Sheet and folder to records, quarantine and groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.data.audit import AuditOutcome, audit_cohort, write_audit
from sonoproof.data.audit.findings import Level
from sonoproof.data.cohort.cohort import Cohort, build_cohort, build_test_cohort
from sonoproof.data.cohort.description import describe_cohort
from sonoproof.data.frames.facts import decode, read_frames_facts
from sonoproof.data.lookalike import find_lookalikes
from sonoproof.errors import CohortError
from sonoproof.reporting.figures.audit_pictures import draw_audit
from sonoproof.runfolder import QUARANTINE_COLUMNS, RECORD_COLUMNS, files_in, write_json, write_table
from sonoproof.stages.context import RunContext
from sonoproof.stages.probe import PROBE_FILES

__all__ = ["audit"]


def audit(context: RunContext) -> list[Path]:
    """Sheet and folder to records, quarantine and groups: every row is used or says why it is not."""
    assert context.inputs is not None
    cohort = build_cohort(context.inputs.sheet, images=context.inputs.images, config=context.config.sheet)
    cohorts = [cohort]
    if context.inputs.test_images is not None:
        cohorts.append(_test_cohort(context, cohort))
    for line in describe_cohort(cohort):
        context.say(line)
    records, quarantine = _read_frames(context, cohorts)
    outcome = _audit(context, cohort, records=records, quarantine=quarantine)
    quarantine = pd.concat([quarantine, outcome.quarantined], ignore_index=True)
    _say_accounts(context, cohorts, records=outcome.records, quarantine=quarantine)
    write_table(context.run.records, outcome.records, columns=RECORD_COLUMNS)
    write_table(context.run.quarantine, quarantine, columns=QUARANTINE_COLUMNS)
    write_json(context.run.cohort, _cohort_facts(cohorts, outcome.records, quarantine), schema="cohort")
    outcome.require_clear()
    # audit.json is added to by the probes, which then answer for it.
    written = [path for path in files_in(context.run.audit_folder) if path.name not in PROBE_FILES]
    return [context.run.records, context.run.quarantine, context.run.cohort, *written]


def _audit(context: RunContext, cohort: Cohort, *, records: pd.DataFrame, quarantine: pd.DataFrame) -> AuditOutcome:
    """Search look-alikes, look for defects, apply the policies; write what was found with its pictures."""
    path_of = dict(zip(records["image_id"], records["path"], strict=True))

    def load(image_id: str) -> npt.NDArray[np.uint8]:
        return decode(path_of[image_id], max_pixels=context.config.frames.max_pixels)

    lookalikes = None
    if context.config.audit.lookalikes:
        lookalikes = find_lookalikes(
            list(records["image_id"]),
            load=load,
            work=context.run.store,
            workers=context.config.frames.workers,
            resume=context.resume,
            progress=context.progress,
        )
    outcome = audit_cohort(
        records,
        quarantine=quarantine,
        classes=cohort.classes,
        group_columns=cohort.group_columns,
        lookalikes=lookalikes,
        config=context.config.audit,
        frames=context.config.frames,
        progress=context.progress,
    )
    pictures = draw_audit(outcome, folder=context.run.audit_folder, load=load)
    write_audit(context.run, outcome, pictures=pictures)
    for finding in outcome.findings:
        if finding.level != Level.INFO:
            context.say(f"{finding.level}: {finding.title}")
    return outcome


def _test_cohort(context: RunContext, cohort: Cohort) -> Cohort:
    """The frames of the test folder, with the classes and the group columns of the sheet."""
    assert context.inputs is not None
    assert context.inputs.test_images is not None
    config = dataclasses.replace(context.config.sheet, group_columns=cohort.group_headers, find_groups=False)
    return build_test_cohort(
        context.inputs.test_images, sheet=context.inputs.test_sheet, config=config, classes=cohort.classes
    )


def _read_frames(context: RunContext, cohorts: Sequence[Cohort]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every frame once, into the store; those that cannot be decoded join the quarantine."""
    wanted = pd.concat([cohort.records for cohort in cohorts], ignore_index=True).fillna("")
    with context.store.writer() as store:
        records, unreadable = read_frames_facts(
            wanted, config=context.config.frames, progress=context.progress, decoded=store.add
        )
    quarantined = [cohort.quarantine for cohort in cohorts if len(cohort.quarantine)]
    quarantine = pd.concat([*quarantined, unreadable], ignore_index=True) if quarantined else unreadable
    return records.reset_index(drop=True), quarantine


def _say_accounts(
    context: RunContext, cohorts: Sequence[Cohort], *, records: pd.DataFrame, quarantine: pd.DataFrame
) -> None:
    read = sum(cohort.rows_read for cohort in cohorts)
    if read != len(records) + len(quarantine):
        raise CohortError(
            f"{read} rows were read, but {len(records)} are used and {len(quarantine)} quarantined; please report this"
        )
    context.say(f"rows read {read:,} = used {len(records):,} + quarantined {len(quarantine):,}")


def _cohort_facts(cohorts: Sequence[Cohort], records: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    first = cohorts[0]
    facts: dict[str, Any] = {
        "classes": dataclasses.asdict(first.classes),
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
