"""What a reader must know before believing the numbers of a part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows

__all__ = ["notes", "notes_on_choices"]

_FEW_UNITS = 20


def notes(rows: ScoredRows, *, table: pd.DataFrame, classes: Classes, units: npt.NDArray[np.str_]) -> list[str]:
    """What is odd about the rows or their scores, one sentence each.

    Args:
        rows: The labelled rows.
        table: The same rows of the prediction table.
        classes: The class names.
        units: What each row is resampled with, shape (N,).
    """
    if rows.n == 0:
        return ["No row has a label: nothing can be measured."]
    said = [*_notes_on_scores(rows), *_notes_on_units(rows, units=units)]
    predicted = np.where(rows.called, classes.positive, classes.negative)
    differing = int((table["predicted"].to_numpy() != predicted).sum())
    if differing:
        said.append(
            f"{differing} rows are called otherwise in the prediction table, which was written at another threshold."
        )
    return said


def notes_on_choices(chosen_here: Sequence[str], *, part: str, predictions: pd.DataFrame) -> list[str]:
    """What was chosen on these rows, and which of them were seen in training, one sentence each.

    Args:
        chosen_here: What was chosen on the rows of this part, in words.
        part: Name of the part.
        predictions: Its predictions, with ``test_twin`` where look-alikes of test frames were searched.
    """
    said = []
    if "checkpoint" in chosen_here:
        said.append("The checkpoint was chosen on these very rows: the numbers are somewhat too good.")
    twins = int((predictions["test_twin"] == "yes").sum()) if "test_twin" in predictions.columns else 0
    if twins and part == "test":
        said.append(
            f"{twins} of the {len(predictions)} test frames have a look-alike among the frames of the sheet: what was "
            "seen in training is no test. Read the part without twins."
        )
    return said


def _notes_on_scores(rows: ScoredRows) -> list[str]:
    said = []
    auc = float(METRICS["auc"](rows))
    if rows.n > 1 and (rows.called == rows.targets).all():
        said.append(
            f"All {rows.n} predictions equal their labels. Real frames seldom allow it: look for a leak (the label in "
            "the file name or the border, frames of one source on both sides) before believing it."
        )
    elif auc == 1:
        said.append("The scores separate the classes without error; look for a leak before believing it.")
    if auc < 0.5:
        said.append("The scores rank the classes the wrong way round (AUC below 0.5): check the coding of the labels.")
    if rows.n > 1 and np.ptp(rows.logits) == 0:
        said.append("Every row has the same score: the model tells nothing apart.")
    elif rows.called.all() or not rows.called.any():
        said.append(f"Every row is called {'positive' if rows.called.all() else 'negative'} at this threshold.")
    if rows.targets.all() or not rows.targets.any():
        said.append("The labelled rows are all of one class: metrics that compare the classes are undefined.")
    return said


def _notes_on_units(rows: ScoredRows, *, units: npt.NDArray[np.str_]) -> list[str]:
    n_units = len(np.unique(units))
    if n_units == rows.n:
        return ["Every row is a unit of its own: if frames share a source, the intervals are too narrow."]
    if n_units < _FEW_UNITS:
        return [f"The rows come from only {n_units} {'unit' if n_units == 1 else 'units'}: the intervals are rough."]
    return []
