"""Folds of whole groups, made without a look at the labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonoproof.errors import ConfigError

__all__ = ["group_folds"]


def group_folds(groups: npt.ArrayLike, *, folds: int, seed: int) -> npt.NDArray[np.intp]:
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
