"""Which labels are most likely wrong, judged by out-of-fold predictions and by the labels of the rest of the group.

Both kinds of evidence are log-odds of the positive class. Their weights are not set by hand: the given labels, most of
which are right, are regressed on both. In a cohort whose groups have one label each, the group then decides; where
groups say nothing about a label, the predictions do.

References:
    Northcutt, Jiang, Chuang (2021), Confident learning: estimating uncertainty in dataset labels, JAIR 70:1373
    (self-confidence of out-of-sample predictions; rows ranked by it).
    Wolpert (1992), Stacked generalization, Neural Networks 5:241.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.types import BoolArray, FloatArray, IndexArray
from sonoproof.wording import of_rows

_PRIOR_ROWS: Final = 0.5
_MAX_LOG_ODDS: Final = 6.0
_REVIEWED_SHARE: Final = 0.1


@dataclass(frozen=True)
class LabelDoubts:
    """How doubtful each label is.

    Attributes:
        doubt: Probability, from all evidence, that the row is of the other class, (N,), 0 to 1.
        by_model: The same from the out-of-fold prediction alone, (N,).
        by_group: Share of the other rows of the group with the other label, (N,); NaN for a row that has none.
    """

    doubt: FloatArray
    by_model: FloatArray
    by_group: FloatArray

    @property
    def order(self) -> IndexArray:
        """Row numbers, the most doubtful first."""
        return np.argsort(-self.doubt, kind="stable")

    @property
    def n_suspected(self) -> int:
        """How many labels are more likely wrong than right."""
        return int((self.doubt > 0.5).sum())


def rank_label_doubts(logits: FloatArray, *, targets: BoolArray, groups: npt.ArrayLike) -> LabelDoubts:
    """Rank labels by how likely they are wrong.

    Args:
        logits: Out-of-fold log-odds of the positive class from a model that saw no row of the group, (N,).
        targets: True where the label is the positive class, (N,).
        groups: Name of the group of each row (source, patient, clip), (N,).
    """
    model = np.clip(np.asarray(logits, np.float64), -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    others, share = _rest_of_group(targets, np.asarray(groups))
    chance = _combined(np.column_stack([model, others]), targets)
    return LabelDoubts(
        doubt=np.where(targets, 1 - chance, chance),
        by_model=np.where(targets, expit(-model), expit(model)),
        by_group=np.where(targets, 1 - share, share),
    )


def doubts_finding(doubts: LabelDoubts, *, workbook: str) -> Finding:
    """The outcome of the ranking, with the workbook to fill in."""
    rows = len(doubts.doubt)
    detail = (
        f"{of_rows(doubts.n_suspected, rows)} have a label that is more likely wrong than right, judged by the "
        "predictions of a model trained without their group and by the labels of the rest of the group. Nothing "
        f"was changed. The {reviewed_rows(rows):,} most doubtful are in {workbook}: a clinician can look at each "
        "picture and fill in the empty column."
    )
    numbers: dict[str, Any] = {"rows": rows, "suspected": doubts.n_suspected, "listed": reviewed_rows(rows)}
    return Finding("label-noise", Level.INFO, "Labels to review", detail, numbers, (workbook,))


def reviewed_rows(rows: int, *, most: int = 500) -> int:
    """How many rows a review lists: a tenth, at least ten, and at most a day's work."""
    return min(rows, most, max(10, round(_REVIEWED_SHARE * rows)))


def _rest_of_group(targets: BoolArray, groups: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Log-odds and share (NaN if there are none) of the positive class among the other rows of the group, (N,) each."""
    _, group_of_row = np.unique(groups, return_inverse=True)
    rest = np.bincount(group_of_row)[group_of_row] - 1
    positive = np.bincount(group_of_row, weights=targets)[group_of_row] - targets
    log_odds = np.log((positive + _PRIOR_ROWS) / (rest - positive + _PRIOR_ROWS))
    share = np.divide(positive, rest, out=np.full(len(targets), np.nan), where=rest > 0)
    return np.asarray(log_odds, dtype=np.float64), share


def _combined(evidence: FloatArray, targets: BoolArray) -> FloatArray:
    """Chance of the positive class given all evidence, (N,)."""
    fitted = LogisticRegression(C=1.0).fit(evidence, targets)
    return np.asarray(fitted.predict_proba(evidence)[:, 1], dtype=np.float64)
