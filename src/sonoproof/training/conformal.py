"""The conformal quantile where rows come in groups.

References:
    Lee, Barber, Willett (2023), Distribution-free inference with hierarchical data, arXiv:2306.06342, section 3
    (hierarchical conformal prediction: each group weighs one, its rows share that weight).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonoproof.types import FloatArray

# A share that is reached but for rounding is reached.
_ROUNDING = 1e-12


def group_quantile(scores: FloatArray, *, groups: npt.ArrayLike, error: float) -> float | None:
    """The smallest score that a random row of a new group exceeds with probability at most `error`.

    Args:
        scores: Scores of calibration rows, shape (N,).
        groups: Name of the group of each row, shape (N,).
        error: Between 0 and 1.

    Returns:
        One of the scores; None where there are too few groups for `error`.
    """
    _, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of_row)
    order = np.argsort(scores)
    # Every group weighs the same, and the new one counts as one more, whose scores are beyond all others.
    reached = np.cumsum(1 / sizes[group_of_row][order]) / (len(sizes) + 1)
    enough = np.flatnonzero(reached >= 1 - error - _ROUNDING)
    return float(scores[order[enough[0]]]) if len(enough) else None
