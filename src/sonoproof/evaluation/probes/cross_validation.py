"""Out-of-fold scores of a cheap model, with whole groups or single rows held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sonoproof.types import BoolArray, FloatArray

_FOREST_TREES: Final = 60
_MIN_CHANCE: Final = 1e-6


def out_of_fold(
    features: npt.NDArray[Any],
    *,
    targets: BoolArray,
    groups: npt.ArrayLike,
    model: Callable[[int], Any],
    folds: int,
    seed: int,
) -> FloatArray:
    """Log-odds of the positive class for every row, from a model that saw no row of its group.

    Args:
        features: Finite numbers, (N, D).
        targets: True for the positive class, (N,); each class is in at least `folds` groups.
        groups: Name of the group of each row, (N,); with a name per row, rows are held out at random.
        model: Makes an unfitted classifier from a seed.
        folds: Number of folds, at least 2.
        seed: Seed of the folds and of the model.

    Returns:
        Shape (N,).
    """
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    chances = np.full(len(targets), float(targets.mean()))
    for train, held_out in splitter.split(features, targets, np.asarray(groups)):
        if len(np.unique(targets[train])) == 2:
            fitted = model(seed).fit(features[train], targets[train])
            chances[held_out] = fitted.predict_proba(features[held_out])[:, 1]
    return np.asarray(logit(np.clip(chances, _MIN_CHANCE, 1 - _MIN_CHANCE)), dtype=np.float64)


def linear(seed: int) -> Any:
    """A regularised logistic regression on standardised features: the cheap classifier of frozen features."""
    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.01, class_weight="balanced", solver="newton-cholesky", random_state=seed),
    )


def forest(seed: int) -> Any:
    """A small random forest: it finds thresholds and combinations, whatever the scale of a feature."""
    return RandomForestClassifier(
        n_estimators=_FOREST_TREES, max_depth=8, min_samples_leaf=5, class_weight="balanced", random_state=seed
    )
