"""Cross-fitting: each fold of groups is decided by what the other folds chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sonoproof.config import CalibrateConfig
from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.held_out import group_folds
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
