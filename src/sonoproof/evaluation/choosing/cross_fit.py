"""Cross-fitting: each fold of groups is decided by what the other folds chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.config import CalibrateConfig
from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.training.verdict import Decision
from sonoproof.types import IndexArray

FOLDS = 5


@dataclass(frozen=True)
class CrossFit:
    """What each fold of rows is decided by; no row had a part in its own fold's decision.

    Attributes:
        fold: Fold of each row, shape (N,).
        decisions: The decision of each fold.
    """

    fold: IndexArray
    decisions: tuple[Decision, ...]

    def apply(self, decide: Callable[[IndexArray, Decision], pd.DataFrame]) -> pd.DataFrame:
        """The table of all rows, in their order, each fold by its own decision.

        Args:
            decide: Gives the table of the rows at some places, shape (K,), under a decision.
        """
        places = [np.flatnonzero(self.fold == fold) for fold in range(len(self.decisions))]
        tables = [decide(inside, decision) for inside, decision in zip(places, self.decisions, strict=True)]
        whole = pd.concat(tables, ignore_index=True)
        return whole.iloc[np.argsort(np.concatenate(places))].reset_index(drop=True)


def cross_fit_decisions(
    rows: CalibrationRows, *, config: CalibrateConfig, threshold: float, fold: IndexArray | None = None, seed: int = 0
) -> CrossFit:
    """Decide each fold of groups by what was chosen on the other folds.

    Args:
        rows: The rows.
        config: See `choose_decision`.
        threshold: The threshold of the policy ``fixed``.
        fold: Fold of each row, shape (N,), no group in two; None divides the groups into at most `FOLDS`.
        seed: Seed of the division.
    """
    if fold is None:
        folds = min(FOLDS, rows.n_groups)
        fold = group_folds(rows.groups, folds=folds, seed=seed) if folds > 1 else np.zeros(len(rows.logits), np.intp)
    decisions = [
        choose_decision(
            rows.where(fold != index),
            config=config,
            threshold=threshold,
            chosen_on="the other folds of these groups",
            bootstrap=Bootstrap(resamples=0),
        )
        for index in range(int(fold.max()) + 1)
    ]
    return CrossFit(fold, tuple(decisions))


def group_folds(groups: npt.ArrayLike, *, folds: int, seed: int) -> IndexArray:
    """Fold of each row: groups in random order go one by one to the fold that has fewest rows.

    The labels play no part, so that what is chosen for a fold cannot depend on the labels within it.

    Args:
        groups: Name of the group of each row, shape (N,).
        folds: Number of folds, at least 2.
        seed: Seed of the order.

    Returns:
        Index of the fold of each row, shape (N,).

    Raises:
        ConfigError: There are fewer groups than folds.
    """
    _, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of_row)
    if folds < 2 or len(sizes) < folds:
        raise ConfigError(f"{len(sizes)} groups cannot be divided into {folds} folds; at least 2 and one group each")
    fold_of_group = np.empty(len(sizes), dtype=np.intp)
    rows_in_fold = np.zeros(folds)
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        fold_of_group[group] = rows_in_fold.argmin()
        rows_in_fold[fold_of_group[group]] += sizes[group]
    return fold_of_group[group_of_row]
