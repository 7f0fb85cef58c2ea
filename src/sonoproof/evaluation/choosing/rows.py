"""Which rows may choose calibration, threshold and abstention: never those that a figure is reported for.

In this order: out-of-fold rows of the fit part, where there are folds; rows set aside from the fit part; validation
rows, each fold of their groups decided by the others. The first kind with enough groups of both classes is taken.

In an ensemble, an out-of-fold row carries one member's logit, while the saved model answers with the mean of all: what
is chosen on the one does not suit the other. There the validation rows choose, which no member has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.groups import effective_number
from sonoproof.sampling import evenly_spread
from sonoproof.types import BoolArray, FloatArray, IndexArray

OUT_OF_FOLD = "out-of-fold rows of the fit part"
SET_ASIDE = "rows set aside from the fit part"
SET_ASIDE_ALSO_STOPPED = "rows set aside from the fit part, which also chose the checkpoint"
VALIDATION = "validation rows, cross-fitted by group"

MAX_NOVELTY_ROWS = 256
"""Training frames that novelty is measured from, and held-out frames that it is scaled by."""


def format_groups(effective: float) -> str:
    """An effective number of groups in words: ``"7.3 groups"``."""
    number = f"{effective:.1f}".removesuffix(".0")
    return f"{number} group{'' if number == '1' else 's'}"


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

    @cached_property
    def group_of_row(self) -> IndexArray:
        """Index of the group of each row, shape (N,)."""
        return np.unique(self.groups, return_inverse=True)[1].astype(np.intp)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group_of_row.max()) + 1 if len(self.group_of_row) else 0

    @cached_property
    def weights(self) -> FloatArray:
        """Weight of each row, shape (N,): the rows of a group share a weight of 1, so that groups count alike."""
        return np.asarray(1 / np.bincount(self.group_of_row)[self.group_of_row], dtype=np.float64)

    @property
    def has_both_classes(self) -> bool:
        """Whether there are rows of both classes."""
        return bool(self.targets.any() and not self.targets.all())

    @property
    def effective_groups(self) -> tuple[float, float]:
        """Effective number (Kish) of groups with rows of the positive and of the negative class.

        A group weighs what its rows of the class weigh: a single odd label in a large group is next to no group.
        """
        positive, negative = (
            effective_number(np.bincount(self.group_of_row, weights=self.weights * rows))
            for rows in (self.targets, ~self.targets)
        )
        return positive, negative

    def shrunk_targets(self, probabilities: FloatArray, *, prior_groups: float) -> FloatArray:
        """Targets between 0 and 1, shape (N,), as if further groups had shown the network's probabilities to be right.

        Args:
            probabilities: What the network says of the rows, shape (N,).
            prior_groups: Number of those further groups.
        """
        n = self.n_groups
        return np.asarray((n * self.targets + prior_groups * probabilities) / (n + prior_groups), dtype=np.float64)

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
        least_groups: Effective groups of each class below which rows choose nothing.
        chose_checkpoint: Whether the rows set aside also chose the checkpoint.
    """
    aside = table[table["use"] == "stop"]
    if members == 1 and out_of_fold is not None:
        fit = out_of_fold[out_of_fold["image_id"].isin(table.loc[table["part"] == "fit", "image_id"])]
        rows = CalibrationRows.from_table(fit, logits=fit["logit"], positive=positive)
        if min(rows.effective_groups) >= least_groups:
            return ChoosingRows(OUT_OF_FOLD, rows)
    if members == 1 and _effective_groups(aside, positive=positive) >= least_groups:
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


def _effective_groups(table: pd.DataFrame, *, positive: str) -> float:
    unscored = np.zeros(len(table))
    return min(CalibrationRows.from_table(table, logits=unscored, positive=positive).effective_groups)
