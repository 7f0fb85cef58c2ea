"""Statistics of rows that come in groups: sources, patients, clips.

References:
    Kish (1965), Survey Sampling, section 8.2 (effective number of units).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sonoproof.types import BoolArray


def groups_of_rarer_class(groups: npt.NDArray[Any], *, targets: BoolArray) -> int:
    """Number of groups that have a row of the class which fewer groups have; 0 where a class is missing.

    Args:
        groups: Name of the group of each row, shape (N,).
        targets: True for the positive class, shape (N,).
    """
    return min(len(np.unique(groups[rows])) for rows in (targets, ~targets))


def effective_number(sizes: npt.ArrayLike) -> float:
    """How many groups of equal size would be worth as much as groups of these `sizes`: (sum s)^2 / sum s^2."""
    numbers = np.asarray(sizes, dtype=np.float64)
    squares = float((numbers**2).sum())
    return float(numbers.sum()) ** 2 / squares if squares else 0.0
