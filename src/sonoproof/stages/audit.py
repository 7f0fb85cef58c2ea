"""Sheet and folder to records, quarantine and groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.data.audit import AuditOutcome, Examination, audit_cohort, examine_frames, write_audit
from sonoproof.data.audit.findings import Level
from sonoproof.data.cohort.cohort import Cohort, build_cohort, build_test_cohort, require_two_classes
from sonoproof.data.cohort.description import describe_cohort
from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.one_pass import find_depth
from sonoproof.data.frames.store import open_store
from sonoproof.data.labels.spelling import unify_groups
from sonoproof.errors import CohortError
from sonoproof.reporting.figures.audit_pictures import draw_audit
from sonoproof.runfolder import QUARANTINE_COLUMNS, RECORD_COLUMNS, files_in, write_json, write_table
from sonoproof.stages.context import RunContext
from sonoproof.stages.probe import PROBE_FILES
from sonoproof.types import UInt8Array


def audit(context: RunContext) -> list[Path]:
    """Sheet and folder to records, quarantine and groups: every row is used or says why it is not."""
    assert context.inputs is not None
    cohort = build_cohort(
        context.inputs.sheet,
        images=context.inputs.images,
        config=context.config.sheet,
        test_images=context.inputs.test_images,
        test_sheet=context.inputs.test_sheet,
    )
    cohorts = [cohort]
    if context.inputs.test_images is not None:
        cohorts.append(_test_cohort(context, cohort))
    for line in describe_cohort(cohort):
        context.say(line)
    if len(cohorts) > 1 and (left_out := cohorts[1].inferred["left_out"]):
        context.say(f"left out of the test folder: {', '.join(f'{kind} {named}' for kind, named in left_out.items())}")
    _check_masks(context, cohorts)
    examined = _examine(context, cohorts)
    lost = [table for table in (*(part.quarantine for part in cohorts), examined.unreadable) if len(table)]
    unusable = pd.concat(lost, ignore_index=True) if lost else examined.unreadable
    _require_frames(examined.records, unusable, classes=cohort.classes, with_test=len(cohorts) > 1)
    outcome = _audit(context, cohort, examined, unusable=unusable)
    quarantine = pd.concat([unusable, outcome.quarantined], ignore_index=True)
    _say_accounts(context, cohorts, records=outcome.records, quarantine=quarantine)
    write_table(context.run.records, outcome.records, columns=RECORD_COLUMNS)
    write_table(context.run.quarantine, quarantine, columns=QUARANTINE_COLUMNS)
    write_json(
        context.run.cohort, _cohort_facts(cohorts, outcome.records, quarantine, bits=examined.bits), schema="cohort"
    )
    outcome.require_clear()
    # audit.json is added to by the probes, which then answer for it.
    written = [path for path in files_in(context.run.audit_folder) if path.name not in PROBE_FILES]
    return [context.run.records, context.run.quarantine, context.run.cohort, *written]


def _check_masks(context: RunContext, cohorts: Sequence[Cohort]) -> None:
    """Say how many frames have a truth mask, and refuse a folder that fits none before anything is computed."""
    if context.masks is not None:
        image_ids = [image_id for cohort in cohorts for image_id in cohort.records["image_id"]]
        masked = context.masks.check_fit(image_ids)
        context.say(f"masks: {masked:,} of {len(image_ids):,} frames have one")


def _examine(context: RunContext, cohorts: Sequence[Cohort]) -> Examination:
    """Read every frame once, its grey levels scaled by the depth of the cohort."""
    records = pd.concat([part.records for part in cohorts], ignore_index=True).fillna("")
    preprocessing = dataclasses.replace(context.preprocessing, bits=_bits(context, cohorts[0]))
    return examine_frames(
        unify_groups(records, cohorts[0].group_columns)[0],
        store=open_store(context.run.store, preprocessing=preprocessing, frames=context.config.frames),
        folder=context.run.store / "examined",
        lookalikes=context.config.audit.lookalikes,
        resume=context.resume,
        progress=context.progress,
    )


def _audit(context: RunContext, cohort: Cohort, examined: Examination, *, unusable: pd.DataFrame) -> AuditOutcome:
    """Look for defects and apply the policies; write what was found with its pictures."""
    outcome = audit_cohort(
        examined,
        quarantine=unusable,
        classes=cohort.classes,
        group_columns=cohort.group_columns,
        config=context.config.audit,
    )
    path_of = dict(zip(examined.records["image_id"], examined.records["path"], strict=True))

    def load(image_id: str) -> UInt8Array:
        return decode(path_of[image_id], max_pixels=context.config.frames.max_pixels, bits=examined.bits)

    pictures = draw_audit(outcome, folder=context.run.audit_folder, load=load)
    write_audit(context.run, outcome, pictures=pictures)
    for finding in outcome.findings:
        if finding.level != Level.INFO:
            context.say(f"{finding.level}: {finding.title}")
    return outcome


def _bits(context: RunContext, cohort: Cohort) -> int:
    """The depth of the frames: as set, else as the frames of the sheet have it.

    Raises:
        CohortError: They do not have one depth.
    """
    if context.config.frames.bits:
        return context.config.frames.bits
    paths = cohort.records["path"].tolist()
    depth = find_depth(paths, config=context.config.frames, progress=context.progress)
    if not depth.agreed:
        needs = ", ".join(f"{count:,} need {bits}" for bits, count in depth.needs.items())
        raise CohortError(
            f"the 16-bit frames do not have one depth ({needs} of their 16 bits), and scaled alike some would be "
            "black; convert them to the same depth, or set frames.bits"
        )
    if depth.needs:
        context.say(f"16-bit frames: {depth.bits} bits are in use, white is {2**depth.bits - 1:,}")
    return depth.bits


def _require_frames(records: pd.DataFrame, unusable: pd.DataFrame, *, classes: Classes, with_test: bool) -> None:
    """Check that the files left something to learn from and, if there is a test folder, to test on."""
    of_sheet, lost_of_sheet = (table[table["origin"] == "sheet"] for table in (records, unusable))
    require_two_classes(of_sheet, lost_of_sheet, classes=classes)
    if with_test and len(of_sheet) == len(records):
        lost = len(unusable) - len(lost_of_sheet)
        raise CohortError(f"none of the {lost} test frames can be read; the first {unusable['reason'].iloc[-1]}")


def _test_cohort(context: RunContext, cohort: Cohort) -> Cohort:
    """The frames of the test folder, with the classes and the group columns of the sheet."""
    assert context.inputs is not None
    assert context.inputs.test_images is not None
    config = dataclasses.replace(
        context.config.sheet, group_columns=cohort.group_headers, find_groups=False, split_column=None
    )
    return build_test_cohort(
        context.inputs.test_images,
        sheet=context.inputs.test_sheet,
        config=config,
        classes=cohort.classes,
        label_images=context.inputs.images,
        label_sheet=context.inputs.sheet,
    )


def _say_accounts(
    context: RunContext, cohorts: Sequence[Cohort], *, records: pd.DataFrame, quarantine: pd.DataFrame
) -> None:
    read = sum(cohort.rows_read for cohort in cohorts)
    if read != len(records) + len(quarantine):
        raise CohortError(
            f"{read} rows were read, but {len(records)} are used and {len(quarantine)} quarantined; please report this"
        )
    context.say(f"rows read {read:,} = used {len(records):,} + quarantined {len(quarantine):,}")


def _cohort_facts(
    cohorts: Sequence[Cohort], records: pd.DataFrame, quarantine: pd.DataFrame, *, bits: int
) -> dict[str, Any]:
    first = cohorts[0]
    facts: dict[str, Any] = {
        "classes": dataclasses.asdict(first.classes), "group_columns": list(first.group_columns), "bits": bits
    }  # fmt: skip
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
