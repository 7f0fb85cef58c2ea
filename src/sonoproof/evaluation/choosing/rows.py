"""Which rows may choose calibration, threshold and abstention: never those that a figure is reported for.

In this order: out-of-fold rows of the fit part, where there are folds; rows set aside from the fit part; validation
rows, each fold of their groups decided by the others. The first kind with enough groups of both classes is taken.

In an ensemble, an out-of-fold row carries one member's logit, while the saved model answers with the mean of all: what
is chosen on the one does not suit the other. There the validation rows choose, which no member has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.groups import groups_of_rarer_class
from sonoproof.sampling import evenly_spread
from sonoproof.types import BoolArray, FloatArray

OUT_OF_FOLD = "out-of-fold rows of the fit part"
SET_ASIDE = "rows set aside from the fit part"
SET_ASIDE_ALSO_STOPPED = "rows set aside from the fit part, which also chose the checkpoint"
VALIDATION = "validation rows, cross-fitted by group"

MAX_NOVELTY_ROWS = 256
"""Training frames that novelty is measured from, and held-out frames that it is scaled by."""


@dataclass(frozen=True)
class CalibrationRows:
    """Labelled, scored rows.

    Attributes:
        logits: The network's log-odds of the positive class, shape (N,).
        targets: True for the positive class, shape (N,).
        groups: Name of the group of each row, shape (N,).
    """

    logits: FloatArray
    targets: BoolArray
    groups: npt.NDArray[np.str_]

    @classmethod
    def from_table(cls, table: pd.DataFrame, *, logits: npt.ArrayLike, positive: str) -> CalibrationRows:
        """Rows of a table with the columns ``label`` and ``group``."""
        targets = (table["label"] == positive).to_numpy(bool)
        return cls(np.asarray(logits, dtype=np.float64), targets, table["group"].to_numpy(str))

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(np.unique(self.groups))

    @property
    def groups_of_rarer_class(self) -> int:
        """Number of groups that have a row of the class which fewer groups have."""
        return groups_of_rarer_class(self.groups, targets=self.targets)

    def where(self, mask: BoolArray) -> CalibrationRows:
        """The masked rows."""
        return CalibrationRows(self.logits[mask], self.targets[mask], self.groups[mask])


@dataclass(frozen=True)
class ChoosingRows:
    """Rows to choose on.

    Attributes:
        name: What they are, in words.
        rows: The rows.
        cross_fitted: Whether they are also reported on, so that each fold of them must be decided by the others.
    """

    name: str
    rows: CalibrationRows
    cross_fitted: bool = False


def rows_to_choose_on(
    table: pd.DataFrame,
    *,
    positive: str,
    score: Callable[[pd.DataFrame], FloatArray],
    out_of_fold: pd.DataFrame | None,
    members: int,
    least_groups: int,
    chose_checkpoint: bool,
) -> ChoosingRows:
    """The rows that may choose.

    Args:
        table: Records with ``image_id``, ``label``, ``group``, ``part`` and ``use``.
        positive: Name of the positive class.
        score: Gives the logits of rows of the table, before calibration.
        out_of_fold: Out-of-fold predictions with ``image_id``, ``label``, ``group`` and ``logit``; None if there are
            none.
        members: Networks of the model.
        least_groups: Groups of each class below which rows choose nothing.
        chose_checkpoint: Whether the rows set aside also chose the checkpoint.
    """
    aside = table[table["use"] == "stop"]
    if members == 1 and out_of_fold is not None:
        fit = out_of_fold[out_of_fold["image_id"].isin(table.loc[table["part"] == "fit", "image_id"])]
        rows = CalibrationRows.from_table(fit, logits=fit["logit"], positive=positive)
        if rows.groups_of_rarer_class >= least_groups:
            return ChoosingRows(OUT_OF_FOLD, rows)
    if members == 1 and _groups_of_rarer_class(aside, positive=positive) >= least_groups:
        name = SET_ASIDE_ALSO_STOPPED if chose_checkpoint else SET_ASIDE
        return ChoosingRows(name, CalibrationRows.from_table(aside, logits=score(aside), positive=positive))
    reported = table[table["part"] == "val"]
    rows = CalibrationRows.from_table(reported, logits=score(reported), positive=positive)
    return ChoosingRows(VALIDATION, rows, cross_fitted=True)


def novelty_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training rows that novelty is measured from, and rows that no gradient has seen, which it is scaled by.

    Their labels are not read.

    Args:
        table: Records with ``image_id``, ``group``, ``part`` and ``use``.

    Returns:
        At most `MAX_NOVELTY_ROWS` rows of each, by image id; either may be empty.
    """
    train = table[(table["part"] == "fit") & (table["use"] == "train")]
    held_out = table[table["use"] == "stop"]
    if held_out["group"].nunique() <= 1:
        held_out = table[table["part"] == "val"]
    return _some(train), _some(held_out)


def _some(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("image_id").iloc[evenly_spread(len(table), MAX_NOVELTY_ROWS)]


def _groups_of_rarer_class(table: pd.DataFrame, *, positive: str) -> int:
    return groups_of_rarer_class(table["group"].to_numpy(str), targets=(table["label"] == positive).to_numpy(bool))
