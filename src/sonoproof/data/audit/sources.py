"""Source groups: how many independent sources there are, and whether their labels agree."""

from __future__ import annotations

from typing import Final

import pandas as pd

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.groups import effective_number
from sonoproof.wording import counted, of_rows

_FEW_SOURCES: Final = 0.5
_MAX_SHOWN: Final = 10
_USUALLY_ONE_LABEL: Final = 0.9
_HONEST_SHARE: Final = 0.75


def mixed_sources(records: pd.DataFrame) -> pd.DataFrame:
    """Rows of source groups that hold both labels."""
    labelled = records[(records["label"] != "") & (records["source"] != "")]
    labels = labelled.groupby("source")["label"].transform("nunique")
    return labelled[labels > 1]


def find_sources(material: Material) -> list[Finding]:
    """How much of the data is views of a few sources."""
    records = material.sheet_records
    if material.lookalikes is None or not len(records):
        return []
    sizes = records.groupby("source").size().sort_values(ascending=False)
    shared = sizes[sizes > 1]
    if not len(shared):
        return []
    effective, top = effective_number(sizes), int(sizes.head(_MAX_SHOWN).sum())
    known = _explained_by_columns(material)
    few = effective < _FEW_SOURCES * len(records)
    level = Level.INFO if known else Level.SERIOUS if few else Level.WARNING
    detail = (
        f"{of_rows(int(shared.sum()), len(records))} are views of a source that other rows show too (crops, zooms, "
        f"flips, neighbouring frames). There are {counted(len(sizes), 'source')}, which are worth "
        f"{effective:,.0f} independent ones of equal size; the {min(_MAX_SHOWN, len(sizes))} largest hold "
        f"{100 * top / len(records):.1f} % of the rows. Each source stays on one side of the split"
        f"{'; the group columns of the sheet say the same' if known else ''}."
    )
    numbers = {"rows": len(records), "rows_in_shared_sources": int(shared.sum()), "sources": len(sizes),
               "effective_sources": round(effective, 1), "largest_source": int(sizes.iloc[0]),
               "suspected_links": len(material.lookalikes.suspected)}  # fmt: skip
    title = f"{len(records):,} rows come from the equivalent of {effective:,.0f} independent sources"
    return [Finding("sources", level, title, detail, numbers)]


def find_sources_across_groups(material: Material) -> list[Finding]:
    """Look-alike frames that the sheet says are of different patients, clips or sites."""
    records = material.sheet_records
    findings = []
    for column in material.group_columns:
        named = records[(records[column] != "") & (records["source"] != "")]
        values = named.groupby("source")[column].transform("nunique")
        across = named[values > 1]
        if not len(across) or _is_nested(named, column):
            continue
        detail = (
            f"{of_rows(len(across), len(records))} are views of one source although column {column!r} gives them "
            f"different values ({counted(across['source'].nunique(), 'source')}, "
            f"{counted(across[column].nunique(), 'value')}). They are kept together on one side of the split; check "
            f"whether {column!r} was filled in correctly."
        )
        numbers = {"column": column, "rows": len(across), "sources": int(across["source"].nunique())}
        title = f"Frames of one source have different values of {column!r}"
        findings.append(Finding(f"sources-across-{column}", Level.WARNING, title, detail, numbers))
    return findings


def find_label_outliers(material: Material) -> list[Finding]:
    """Rows whose label differs from the rest of their patient or clip, where a group has one label as a rule."""
    records = material.sheet_records[material.labelled[material.of_sheet]]
    findings = []
    for column in material.group_columns:
        share = _majority_share(records[records[column] != ""], column)
        outliers = records.loc[share.index[share["odd"]]]
        if not len(outliers) or share["share"].mean() < _USUALLY_ONE_LABEL:
            continue
        detail = (
            f"{of_rows(len(outliers), len(records))} are labelled differently from the rest of their {column!r} "
            f"({counted(outliers[column].nunique(), 'value')}), although {100 * share['share'].mean():.1f} % of the "
            "rows agree with theirs. Nothing was changed: check whether these labels are mistakes "
            "(they are near the top of the review workbook)."
        )
        numbers = {"column": column, "rows": len(outliers), "of": len(records)}
        title = f"{counted(len(outliers), 'label')} in disagreement with the rest of the {column!r}"
        findings.append(Finding(f"label-outliers-{column}", Level.WARNING, title, detail, numbers))
    return findings


def _majority_share(records: pd.DataFrame, column: str) -> pd.DataFrame:
    """For each row of a group of two or more: share of the group's commonest label; whether it has another."""
    sizes = records.groupby(column)["label"].transform("size")
    records = records[sizes >= 2]
    if not len(records):
        return pd.DataFrame({"share": pd.Series(dtype="float64"), "odd": pd.Series(dtype="bool")})
    same = records.groupby([column, "label"])["label"].transform("size") / sizes[sizes >= 2]
    highest = same.groupby(records[column]).transform("max")
    odd = (same < highest) & (highest >= _HONEST_SHARE)
    return pd.DataFrame({"share": highest, "odd": odd})


def _explained_by_columns(material: Material) -> bool:
    """Whether frames of one source always agree in a group column of the sheet."""
    records = material.sheet_records
    return any(
        bool((records[column] != "").all()) and bool((records.groupby("source")[column].nunique() <= 1).all())
        for column in material.group_columns
    )


def _is_nested(records: pd.DataFrame, column: str) -> bool:
    """Whether every row has a value of its own, which then names frames, not groups."""
    return bool(records[column].is_unique)
