"""What a choice is worth on groups that had no part in it: taken only if it is better by more than chance.

The groups are divided into folds; for each fold the choice is made on the others and compared, on the groups of the
fold, with choosing nothing. The difference is averaged within each group, so that groups count alike, and its lower
limit is Student's over groups. One group is added on which the choice does as much harm as it would if the labels were
the opposite: with few groups, the harm that a choice may do has often not been seen yet.

The shrinkage (`PRIOR_GROUPS`) and the levels of the limits were set by simulation
(``benchmarks/calibration_choice.py``), so that a choice makes new groups worse in fewer than 5 % of cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.types import FloatArray, IndexArray

Choice = TypeVar("Choice")

PRIOR_GROUPS = 16.0
"""What is fitted is shrunk as if so many further groups had shown the network's own probabilities to be right."""
GAIN_FOLDS = 10


@dataclass(frozen=True)
class Gain:
    """How much lower a loss is with a choice than without it, on groups that had no part in the choice.

    Attributes:
        mean: Mean over groups.
        low: Its lower limit, one-sided.
    """

    mean: float
    low: float

    @property
    def is_more_than_chance(self) -> bool:
        """Whether the limit is above zero, and not by rounding alone."""
        return self.low > 1e-12

    def verdict(self, choice: str, *, loss: str) -> tuple[str, str]:
        """Why a choice is taken, to be added to where it was made, and why it is not; one of them is empty.

        Args:
            choice: What was chosen, in words.
            loss: What it is to lower, in words.
        """
        whose = f"{loss} of groups that had no part in it"
        if self.is_more_than_chance:
            return f"; {choice} lowers {whose} by {self.mean:.3g} (at least {self.low:.3g})", ""
        if self.mean > 0:
            return "", f"{choice} lowers {whose} by {self.mean:.3g}, which may be chance (lower limit {self.low:.3g})"
        return "", f"{choice} does not lower {whose} (mean change {-self.mean:+.3g})"


def gain_on_other_groups(
    rows: CalibrationRows,
    *,
    choose: Callable[[CalibrationRows], Choice],
    nothing: Choice,
    losses: Callable[[Choice, CalibrationRows], tuple[FloatArray, FloatArray]],
    chance: float,
) -> Gain:
    """The gain of a choice by grouped cross-fitting.

    Args:
        rows: At least two groups.
        choose: Makes the choice on rows of both classes.
        nothing: What holds if nothing is chosen.
        losses: Gives the loss of each row under a choice, shape (N,), and what it would be with the opposite label.
        chance: One-sided level of the limit that must lie above zero.
    """
    fold = group_folds(rows.groups, folds=min(GAIN_FOLDS, rows.n_groups), seed=0)
    gains = np.zeros((2, len(fold)))
    for index in range(int(fold.max()) + 1):
        own, others = rows.where(fold == index), rows.where(fold != index)
        choice = choose(others) if others.has_both_classes else nothing
        without, chosen = losses(nothing, own), losses(choice, own)
        gains[:, fold == index] = np.subtract(without, chosen)
    own_labels, opposite = (np.bincount(rows.group_of_row, weights=rows.weights * gain) for gain in gains)
    sample = np.append(own_labels, opposite.mean())
    error = float(np.std(sample, ddof=1)) / np.sqrt(len(sample))
    low = float(sample.mean()) - float(stats.t.ppf(1 - chance, len(sample) - 1)) * error
    return Gain(float(own_labels.mean()), low)


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
