"""When to say nothing: prediction sets and abstention with guarantees for new groups.

Both guarantees hold on average over the draw of the calibration groups and of a row of one new group, if the groups
(patients, clips) are exchangeable: nothing is asked of the rows within a group. They say nothing of a group that comes
from elsewhere.

References:
    Lee, Barber, Willett (2023), Distribution-free inference with hierarchical data, arXiv:2306.06342, section 3
    (hierarchical conformal prediction: each group weighs one, its rows share that weight).
    Angelopoulos, Bates, Fisch, Lei, Schuster (2024), Conformal risk control, ICLR, theorem 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.conformal import group_quantile

__all__ = ["abstention_confidence", "accepted", "conformal_quantile", "prediction_sets"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def conformal_quantile(rows: ScoredRows, *, groups: npt.ArrayLike, error: float = 0.1) -> float:
    """The largest 1 - p(class) at which a class still belongs to the set.

    With it, the set of a random row of a new group holds the row's class with probability at least 1 - `error`.

    Args:
        rows: Calibration rows, which had no part in training.
        groups: Name of the group of each row, shape (N,).
        error: Allowed probability of missing the class, between 0 and 1.

    Returns:
        Between 0 and 1; 1, which puts both classes in every set, where there are too few groups for `error`.
    """
    _check_share(error, name="error")
    nonconformity = np.where(rows.targets, expit(-rows.logits), expit(rows.logits))
    quantile = group_quantile(nonconformity, groups=groups, error=error)
    return 1.0 if quantile is None else quantile


def prediction_sets(logits: npt.ArrayLike, *, quantile: float) -> BoolArray:
    """Which classes belong to the set of each row.

    Args:
        logits: Log-odds of the positive class, shape (N,).
        quantile: From `conformal_quantile`.

    Returns:
        Shape (N, 2), negative then positive class. A set of both or of none is an abstention.
    """
    scores = np.asarray(logits, dtype=np.float64)
    return np.column_stack([expit(scores) <= quantile, expit(-scores) <= quantile])


def abstention_confidence(rows: ScoredRows, *, groups: npt.ArrayLike, risk: float = 0.05) -> float:
    """The least confidence from which a call is accepted, so that wrong accepted calls stay below `risk`.

    The share of rows of a new group that are accepted *and* wrong is at most `risk` on average (conformal risk
    control). It is a share of all rows, not of the accepted ones.

    Args:
        rows: Calibration rows with their calls, which had no part in training.
        groups: Name of the group of each row, shape (N,).
        risk: Allowed share, between 0 and 1.

    Returns:
        A probability of the called class, to be given to `accepted`; infinity, which accepts nothing, where there are
        too few groups for `risk`.
    """
    _check_share(risk, name="risk")
    weights, n_groups = _shares(groups)
    sure = confidence_of_call(rows)
    wrong = rows.called != rows.targets
    order = np.argsort(-sure, kind="stable")
    # Share of wrong calls among all if calls down to each confidence are accepted; the new group may be all wrong.
    lost = np.append(0.0, np.cumsum((weights * wrong)[order]))
    allowed = (lost * n_groups + 1) / (n_groups + 1) <= risk + 1e-12
    if not allowed[0]:
        return float("inf")
    n_accepted = int(np.flatnonzero(allowed)[-1])
    if n_accepted == rows.n:
        return 0.0
    # Everything as sure as the first row that must be left out is left out.
    return float(np.nextafter(sure[order[n_accepted]], np.inf))


def accepted(rows: ScoredRows, *, confidence: float) -> BoolArray:
    """The rows whose call is sure enough, shape (N,)."""
    return np.asarray(confidence_of_call(rows) >= confidence, dtype=np.bool_)


def confidence_of_call(rows: ScoredRows) -> FloatArray:
    """Probability of the class that each row is called, shape (N,)."""
    return np.asarray(np.where(rows.called, rows.probabilities, expit(-rows.logits)), dtype=np.float64)


def _shares(groups: npt.ArrayLike) -> tuple[FloatArray, int]:
    """Weight of each row such that every group weighs the same and all weigh one, and the number of groups."""
    _, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of_row)
    return 1 / (sizes[group_of_row] * len(sizes)), len(sizes)


def _check_share(value: float, *, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, not at {value}")
