"""The outcome of one check of the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


@dataclass(frozen=True)
class Check:
    """One check of the gate.

    Attributes:
        name: Name of the check.
        passed: Whether the value is on the right side of the threshold.
        value: What was measured; NaN where it could not be.
        threshold: What it is compared with; measured error rates are in ``docs/explanations.md``.
        passes: ``below`` or ``above`` the threshold.
        detail: What the value is, in a sentence.
        series: Further numbers behind the value.
    """

    name: str
    passed: bool
    value: float
    threshold: float
    passes: str
    detail: str
    series: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def below(
        cls, name: str, value: float, threshold: float, detail: str, *, series: Mapping[str, Any] | None = None
    ) -> Check:
        """A check that passes below its threshold; NaN fails."""
        return cls(name, value < threshold, value, threshold, "below", detail, series or {})

    @classmethod
    def above(
        cls, name: str, value: float, threshold: float, detail: str, *, series: Mapping[str, Any] | None = None
    ) -> Check:
        """A check that passes above its threshold; NaN fails."""
        return cls(name, value > threshold, value, threshold, "above", detail, series or {})


def rank_similarity(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's rank correlation of two maps, in [-1, 1]; 0 if one of them is constant or not finite."""
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    ranks = np.stack([rankdata(first), rankdata(second)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])
