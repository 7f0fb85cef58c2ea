"""What a reader must know before believing the numbers of a part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.evaluation.evaluate.part import LabelledPart
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.wording import counted

_FEW_UNITS = 20


def notes(part: LabelledPart) -> list[str]:
    """What is unusual about the rows of a part or their scores, one sentence each."""
    if part.rows.n == 0:
        return ["No row has a label, so nothing can be measured."]
    found = notes_on_rows(part.rows, units=part.units)
    predicted = np.where(part.rows.predicted_positive, part.classes.positive, part.classes.negative)
    differing = int((part.table["predicted"].to_numpy() != predicted).sum())
    if differing:
        found.append(
            f"{counted(differing, 'row')} would get another class at this threshold than in the prediction table, "
            "which was written with a different one."
        )
    return found


def notes_on_rows(rows: ScoredRows, *, units: npt.NDArray[np.str_]) -> list[str]:
    """What is unusual about rows, their scores and their units, one sentence each.

    Args:
        rows: One row or more.
        units: What each row is resampled with, shape (N,).
    """
    return [*_notes_on_scores(rows), *_notes_on_units(units)]


def notes_on_choices(chosen_here: Sequence[str], *, part: str, predictions: pd.DataFrame) -> list[str]:
    """What was chosen on these rows, and how many of them were seen in training, one sentence each.

    Args:
        chosen_here: What was chosen on the rows of this part, in words.
        part: Name of the part.
        predictions: Its predictions, with ``test_twin`` if look-alikes of test frames were searched for.
    """
    found = []
    if "checkpoint" in chosen_here:
        found.append("The checkpoint was chosen on these same rows, so the numbers are somewhat optimistic.")
    twins = int((predictions["test_twin"] == "yes").sum()) if "test_twin" in predictions.columns else 0
    if twins and part == "test":
        found.append(
            f"{twins} of the {len(predictions)} test frames look like a frame of the sheet. A frame seen in training "
            "tests nothing: use the results without these twins."
        )
    return found


def _notes_on_scores(rows: ScoredRows) -> list[str]:
    found = []
    auc, positive = float(METRICS["auc"](rows)), rows.predicted_positive
    if rows.n > 1 and (positive == rows.targets).all():
        found.append(
            f"All {rows.n} predictions match their labels, which is rare on real frames. Look for a leak before "
            "believing it: the label in the file name or the border, or frames of one source in several parts."
        )
    elif auc == 1:
        found.append("The scores separate the classes perfectly. Look for a leak before believing it.")
    if auc < 0.5:
        found.append("The scores rank the classes the wrong way round (AUC below 0.5). Check the coding of the labels.")
    if rows.n > 1 and np.ptp(rows.logits) == 0:
        found.append("Every row has the same score: the model does not tell the frames apart.")
    elif positive.all() or not positive.any():
        found.append(f"Every row is predicted {'positive' if positive.all() else 'negative'} at this threshold.")
    if rows.targets.all() or not rows.targets.any():
        found.append("The labelled rows are all of one class, so metrics that compare the classes are undefined.")
    return found


def _notes_on_units(units: npt.NDArray[np.str_]) -> list[str]:
    n_units = len(np.unique(units))
    if n_units == len(units):
        return ["Every row is resampled on its own. If frames share a source, the intervals are too narrow."]
    if n_units < _FEW_UNITS:
        return [f"The rows come from only {counted(n_units, 'unit')}, so the intervals are rough."]
    return []
