"""Records to parts: fit, validation, test, and folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sonoproof.data.split.leakage import check_no_leak
from sonoproof.data.split.split import split_groups
from sonoproof.runfolder import SPLIT_COLUMNS, write_table
from sonoproof.stages.context import RunContext


def split(context: RunContext) -> list[Path]:
    """Records to parts, whole groups only; a leak is an error.

    The folds of an ensemble are those of the fit part alone: its members learn from all folds but one. Each sets rows
    aside from its own, and so none are set aside here.
    """
    ensemble, config = context.config.fit.ensemble, context.config.split
    config = replace(config, stop=0.0) if ensemble else config
    parts = split_groups(context.records, config=config, fold_validation=not ensemble)
    check_no_leak(parts, context.records, columns=context.group_columns)
    write_table(context.run.split, parts, columns=SPLIT_COLUMNS)
    if "given" in parts:
        context.say("the split is the one that the sheet gives")
    for part, rows in parts.groupby("part", sort=False):
        context.say(f"{part}: {len(rows):,} frames of {rows['group'].nunique():,} groups")
    return [context.run.split]
