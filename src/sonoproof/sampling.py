"""Evenly spread samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def evenly_spread(n: int, count: int) -> npt.NDArray[np.intp]:
    """Places of at most `count` of `n` things, evenly spread, the first and the last among them.

    Args:
        n: How many there are.
        count: How many are wanted.

    Returns:
        Rising places, shape (min(n, count),).
    """
    return np.linspace(0, n - 1, min(n, count)).round().astype(np.intp)
