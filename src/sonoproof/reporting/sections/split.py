"""Section "Split": who is in which part, and that nobody is in two."""

from __future__ import annotations

import pandas as pd

from sonoproof.reporting.page.blocks import Block, Notice, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.reporting.sections.cohort import PART_TITLES, USE_WORDS, with_labels
from sonoproof.wording import counted

__all__ = ["split_section"]


def split_section(evidence: Evidence) -> Section:
    """Frames and groups of each part, by class."""
    split = evidence.split
    if split is None:
        return Section("split", "Split", (Notice("The run holds no split.csv."),))
    blocks: list[Block] = [Prose(_separation(split)), _table(evidence, split)]
    return Section("split", "Split", tuple(blocks))


def _separation(split: pd.DataFrame) -> str:
    sides = split.groupby("group")["part"].nunique()
    astride = int((sides > 1).sum())
    whole = f"The {counted(len(split), 'frame')} form {counted(len(sides), 'group')}"
    if astride:
        are = "is" if astride == 1 else "are"
        return f"{whole}; {counted(astride, 'group')} {are} in more than one part, so the parts are not independent."
    return f"{whole}; every group is in one part only."


def _table(evidence: Evidence, split: pd.DataFrame) -> Table:
    names = evidence.class_names[::-1]
    labelled = with_labels(split, evidence)
    rows = [
        _row(rows, part, use, names)
        for part in PART_TITLES
        for use in USE_WORDS
        if len(rows := labelled[(labelled["part"] == part) & (labelled["use"] == use)])
    ]
    header = ("Part", "Frames", "Groups", *names, "No label")
    sources = ("split.csv",) if evidence.records is None else ("split.csv", "records.csv")
    return Table("Frames and groups of each part.", header, tuple(rows), sources=sources, numeric=True)


def _row(rows: pd.DataFrame, part: str, use: str, names: tuple[str, ...]) -> tuple[str, ...]:
    counts = [int((rows["label"] == name).sum()) for name in (*names, "")]
    name = PART_TITLES[part]
    title = f"{name}, {USE_WORDS[use]}" if part == "fit" else name
    return (title, f"{len(rows):,}", f"{rows['group'].nunique():,}", *(f"{count:,}" for count in counts))
