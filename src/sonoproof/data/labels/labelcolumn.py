"""Choosing the label column: by what its name and its values say, or by asking.

No column is taken because it is the only one with two values: that may be a split, a side or the opinion of one reader.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pandas as pd

from sonoproof.data.labels.agreement import MIN_AGREEMENT, MIN_ROWS, answer_same_question, share_in_agreement
from sonoproof.data.labels.columnnames import group_level, is_named_for_health_or_disease
from sonoproof.data.labels.columnrules import LABEL_RULES, LabelEvidence, label_facts, other_purpose
from sonoproof.data.labels.purposes import READER, find_purpose
from sonoproof.data.labels.sheetcolumns import Candidate, NoSuchColumns, SheetColumns
from sonoproof.data.labels.vocabulary import squeezed
from sonoproof.errors import SheetError

VALUES_SHOWN = 6
MAX_ONE_QUESTION = 2  # two columns may be yes and no to one question


class UnclearLabels(SheetError):
    """The worksheet has images, but no column says that it holds the labels."""


def label_candidates(columns: SheetColumns, *, taken: Sequence[int]) -> list[Candidate]:
    """The columns that may hold the labels, the likeliest first; some of them only as candidates of a question.

    Columns that identify patients, examinations or clips are none, so that no message lists their values.

    Args:
        columns: The columns of the worksheet.
        taken: Columns that are something else.
    """
    groups = [index for index, name in enumerate(columns.names) if group_level(name) is not None]
    is_only_column = columns.header_row is None and len(columns.free(taken)) == 1
    see = functools.partial(label_facts, is_only_column=is_only_column)
    found = columns.weigh(LABEL_RULES, see, taken=(*taken, *groups))
    weighed = [_reconsidered(columns, candidate) for candidate in found if _says_anything(columns, candidate)]
    return sorted(weighed, key=lambda candidate: -candidate.evidence)


def choose_label(columns: SheetColumns, candidates: Sequence[Candidate]) -> Candidate:
    """The column that its name or its values make the label column.

    Args:
        columns: The columns of the worksheet.
        candidates: What `label_candidates` found.

    Raises:
        NoSuchColumns: There is no candidate.
        UnclearLabels: There are candidates, but no reason to take one of them.
        SheetError: Several have equally good reasons, or the best is hidden; the message lists all candidates.
    """
    if not candidates:
        raise NoSuchColumns(
            f"worksheet {columns.grid.name!r}: no label column was found; name it with --label-column"
            f" (columns: {columns.list_names()})"
        )
    best = [candidate for candidate in candidates if candidate.evidence == candidates[0].evidence]
    if not LabelEvidence(best[0].evidence).is_reason:
        problem = "no column says that it holds the labels, neither by its name nor by its values"
        raise _question(UnclearLabels, columns, problem, candidates)
    if len(best) > 1 and not _agree(columns, best):
        problem = "several columns may be the label column"
    elif _is_one_of_several(columns, best[0], candidates):
        problem = "the columns for health and for diseases say yes in one column per row, one column for each class"
    elif other := _other_question(columns, best[0], candidates):
        problem = (
            f"{columns.names[best[0].column]!r} and {columns.names[other.column]!r} may both be the labels, and differ"
        )
    elif best[0].column in columns.grid.hidden_columns:
        problem = f"the label column would be {columns.names[best[0].column]!r}, which is hidden in the sheet"
    else:
        return best[0]
    raise _question(SheetError, columns, problem, candidates)


def is_reader(name: str) -> bool:
    """Whether a column is named for a single reader."""
    return find_purpose(name) is READER


def _says_anything(columns: SheetColumns, candidate: Candidate) -> bool:
    """Whether a column could be labels at all: one value on all rows is none, unless the name says so."""
    return candidate.evidence > LabelEvidence.YES_NO or columns.values(candidate.column).nunique() > 1


def _reconsidered(columns: SheetColumns, candidate: Candidate) -> Candidate:
    """The candidate, or what it is if it is for something else."""
    name = columns.names[candidate.column]
    why = other_purpose(name, columns.values(candidate.column))
    if squeezed(name) == "y" and "x" in map(squeezed, columns.names):
        why = "there is a column x as well, as for coordinates"
    return Candidate(candidate.column, LabelEvidence.OTHER_PURPOSE, why) if why else candidate


def _agree(columns: SheetColumns, candidates: Sequence[Candidate]) -> bool:
    """Whether columns say the same in every row, or the same words in most; the rows that differ are then in doubt."""
    first, *others = (columns.cells(candidate.column) for candidate in candidates)
    needed = MIN_AGREEMENT if _are_words(columns, candidates) else 1.0
    return all(share_in_agreement(first, other) >= needed for other in others)


def _are_words(columns: SheetColumns, candidates: Sequence[Candidate]) -> bool:
    """Whether columns hold words, for which it is known when they contradict each other, and enough rows."""
    cells = [columns.concepts(candidate.column) for candidate in candidates]
    return all(len(column) >= MIN_ROWS and not column.isin(["yes", "no"]).any() for column in cells)


def _other_question(columns: SheetColumns, best: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """A column that says as plainly that it is the labels, and answers another question than the best; None if none."""
    cells = columns.cells(best.column)
    strong = (other for other in candidates if best.evidence > other.evidence >= LabelEvidence.LABEL_NAME)
    return next((other for other in strong if not answer_same_question(cells, columns.cells(other.column))), None)


def _is_one_of_several(columns: SheetColumns, best: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether a column for health is one of three or more that say yes in turn (normal, benign, malignant)."""
    if best.evidence != LabelEvidence.HEALTH_NAME:
        return False
    named = [other.column for other in candidates if is_named_for_health_or_disease(columns.names[other.column])]
    yes = pd.concat([columns.concepts(column) == "yes" for column in named], axis=1)
    return len(named) > MAX_ONE_QUESTION and bool((yes.sum(axis=1) == 1).all())


def _question(
    kind: type[SheetError], columns: SheetColumns, problem: str, candidates: Sequence[Candidate]
) -> SheetError:
    """The error that lists every candidate."""
    return kind(
        f"worksheet {columns.grid.name!r}: {problem}; name the right one with --label-column"
        + _about_readers(columns, candidates),
        faults=[columns.fault(candidate.column, _offer(columns, candidate)) for candidate in candidates],
    )


def _offer(columns: SheetColumns, candidate: Candidate) -> str:
    """A candidate with its reason and its values, the most frequent first."""
    counts = columns.values(candidate.column).value_counts()
    shown = ", ".join(f"{value!r} ({count})" for value, count in counts.head(VALUES_SHOWN).items())
    more = f" and {len(counts) - VALUES_SHOWN} more" if len(counts) > VALUES_SHOWN else ""
    hidden = "; it is hidden" if candidate.column in columns.grid.hidden_columns else ""
    likely = "unlikely" if candidate.evidence == LabelEvidence.OTHER_PURPOSE else "possible"
    return f"{likely}: {candidate.reason}{hidden}; values {shown}{more}"


def _about_readers(columns: SheetColumns, candidates: Sequence[Candidate]) -> str:
    """In how many rows columns of single readers differ, in words that end a sentence; "" if they do not."""
    readers = [candidate.column for candidate in candidates if is_reader(columns.names[candidate.column])]
    if len(readers) < 2:
        return ""
    read = pd.concat([columns.concepts(column).replace("", None) for column in readers], axis=1)
    rows = int((read.nunique(axis=1) > 1).sum())
    named = " and ".join(repr(columns.names[column]) for column in readers)
    return f" (the readers {named} differ in {rows} rows)" if rows else ""
