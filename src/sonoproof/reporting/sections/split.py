"""Section "Split": who is in which part, and that nobody is in two."""

from __future__ import annotations

import pandas as pd

from sonoproof.parts import REPORTED, Part
from sonoproof.reporting.page.blocks import Notice, Prose, Section, Table
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.tables import USES
from sonoproof.wording import counted


def split_section(files: RunFiles) -> Section:
    """Frames and groups of each part, by class."""
    split = files.labelled_split()
    if split is None:
        return Section("split", "Split", (Notice("The run has no split.csv."),))
    return Section("split", "Split", (Prose(f"{_origin(files, split)} {_separation(split)}"), _table(files, split)))


def _origin(files: RunFiles, split: pd.DataFrame) -> str:
    """Whose split it is."""
    if "given" not in split or not (split["given"] != "").any():
        return "Sonoproof made the split."
    column = (files.cohort.get("inferred") or {}).get("split_column", "")
    given = ", ".join(f"“{part}”" for part in sorted(set(split["given"]) - {""}))
    own = split[(split["part"] == Part.VAL) & (split["given"] == "fit")]
    drawn = " Sonoproof took the validation part from its training rows, by groups." if len(own) else ""
    return f"The split was given by the column “{column}” of the sheet ({given}).{drawn}"


def _separation(split: pd.DataFrame) -> str:
    sides = split.groupby("group")["part"].nunique()
    astride = int((sides > 1).sum())
    whole = f"The {counted(len(split), 'frame')} form {counted(len(sides), 'group')}"
    if astride:
        are = "is" if astride == 1 else "are"
        return f"{whole}; {counted(astride, 'group')} {are} in more than one part, so the parts are not independent."
    return f"{whole}; every group is in one part only."


def _table(files: RunFiles, split: pd.DataFrame) -> Table:
    names = files.class_names[::-1]
    rows = [
        _row(rows, part, use, names)
        for part in (Part.FIT, *REPORTED)
        for use in USES
        if len(rows := split[(split["part"] == part) & (split["use"] == use)])
    ]
    header = ("Part", "Frames", "Groups", *names, "No label")
    sources = ("split.csv",) if files.records is None else ("split.csv", "records.csv")
    return Table("Frames and groups of each part.", header, tuple(rows), sources=sources, numeric=True)


def _row(rows: pd.DataFrame, part: Part, use: str, names: tuple[str, ...]) -> tuple[str, ...]:
    counts = [int((rows["label"] == name).sum()) for name in (*names, "")]
    title = f"{part.title}, {USES[use]}" if part == Part.FIT else part.title
    return (title, f"{len(rows):,}", f"{rows['group'].nunique():,}", *(f"{count:,}" for count in counts))
