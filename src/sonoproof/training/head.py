"""The last layer fitted on cached features: a regularised logistic regression.

Fitting it takes seconds, so its one free number, the strength of the penalty, is chosen by cross-validation that keeps
groups whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from sonoproof.groups import groups_of_rarer_class
from sonoproof.training.batches import Rows
from sonoproof.types import FloatArray

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5


def fit_head(
    features: npt.NDArray[np.float32],
    rows: Rows,
    *,
    balanced: bool,
    seed: int,
    views: Sequence[npt.NDArray[np.float32]] = (),
) -> tuple[FloatArray, float]:
    """Fit the last layer on features.

    Args:
        features: (N, D) features.
        rows: (N) rows that they are of, of both classes; their groups stay whole in the choice of the penalty.
        balanced: Whether both classes weigh the same.
        seed: Seed of the folds.
        views: (N, D) features of each further view of the same rows. The penalty is chosen on `features` alone.

    Returns:
        (D,) weights on the features, and the bias.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1.0)
    standard = ((features - mean) / spread).astype(np.float64)
    penalty = _choose_penalty(standard, rows, balanced=balanced, seed=seed)
    if views:
        standard = np.concatenate([standard, *(((view - mean) / spread).astype(np.float64) for view in views)])
    copies = 1 + len(views)
    # All views of a row weigh as much as the row alone did when the penalty was chosen.
    fitted = _logistic(penalty / copies, balanced=balanced).fit(standard, np.tile(rows.targets, copies))
    weight = fitted.coef_[0] / spread
    return weight, float(fitted.intercept_[0] - weight @ mean)


def _choose_penalty(features: FloatArray, rows: Rows, *, balanced: bool, seed: int) -> float:
    targets, groups = rows.targets, np.asarray(rows.groups)
    folds = min(FOLDS, groups_of_rarer_class(groups, targets=targets > 0.5))
    if folds < 2:
        return PENALTIES[len(PENALTIES) // 2]
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    losses = np.zeros(len(PENALTIES))
    for train, held_out in splitter.split(features, targets, groups):
        if len(np.unique(targets[train])) < 2:
            continue
        for k, penalty in enumerate(PENALTIES):
            fitted = _logistic(penalty, balanced=balanced).fit(features[train], targets[train])
            probability = fitted.predict_proba(features[held_out])[:, 1]
            losses[k] += log_loss(targets[held_out], probability, labels=[0.0, 1.0]) * len(held_out)
    return PENALTIES[int(losses.argmin())]


def _logistic(inverse_penalty: float, *, balanced: bool) -> LogisticRegression:
    return LogisticRegression(C=inverse_penalty, class_weight="balanced" if balanced else None, max_iter=5000, tol=1e-6)
