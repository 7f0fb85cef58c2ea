"""Records to parts: fit, validation, test, and folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sonoproof.data.split.leakage import check_no_leak
from sonoproof.data.split.split import split_groups
from sonoproof.runfolder import RECORD_COLUMNS, SPLIT_COLUMNS, read_table, write_table
from sonoproof.stages.context import group_columns
from sonoproof.stages.job import Job

__all__ = ["split"]


def split(job: Job) -> list[Path]:
    """Records to parts, whole groups only; a leak is an error.

    The folds of an ensemble are those of the fit part alone: its members learn from all folds but one. Each sets rows
    aside from its own, and so none are set aside here.
    """
    records = read_table(job.run.records, columns=RECORD_COLUMNS)
    ensemble, config = job.config.fit.ensemble, job.config.split
    parts = split_groups(
        records, config=replace(config, stop=0.0) if ensemble else config, fold_validation=not ensemble
    )
    check_no_leak(parts, records, columns=group_columns(job.run))
    write_table(job.run.split, parts, columns=SPLIT_COLUMNS)
    for part, rows in parts.groupby("part", sort=False):
        job.say(f"{part}: {len(rows):,} frames of {rows['group'].nunique():,} groups")
    return [job.run.split]
