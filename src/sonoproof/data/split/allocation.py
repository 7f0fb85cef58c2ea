"""Allocation of whole groups to parts, close to given shares in rows, classes and groups.

With n_pc the rows of class c in part p, N_c the rows of class c, s_p the share asked for, and the same for
groups (g_pc of G_c; a group counts for every class it holds), the allocation sought has the smallest

    J = sum_p (n_p / N - s_p)^2 + mean_c sum_p (n_pc / N_c - s_p)^2 + 1/4 mean_c sum_p (g_pc / G_c - s_p)^2
        + 10 x number of (part, class) without a row.

The last term outweighs the others, so that an allocation with every class in every part wins wherever the
search meets one. The groups' term keeps a part from consisting of one large patient: intervals are resampled
by group. Exact minimisation is a multi-way partition problem (NP-hard); greedy allocation from many random
orders, improved by moving and exchanging single groups, comes close and is repeatable from its seed.

Every term but the last is a squared distance: with the shares of all rows, of each class's rows and of each
class's groups as a group's features f_g (weighted), J = sum_p |sum_{g in p} f_g - s_p sum_g f_g|^2, and a
move changes it by a few inner products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["allocate", "most_complete_parts"]

_GROUPS_WEIGHT: Final = 0.25
_MISSING_CLASS: Final = 10.0
_MIN_GAIN: Final = 1e-12

_STEPS: Final = 40_000
_MAX_STARTS: Final = 32
_MAX_GROUPS_MOVED: Final = 1000
_MAX_GROUPS_EXCHANGED: Final = 80

_Counts = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Parts = npt.NDArray[np.intp]


def allocate(counts: _Counts, *, shares: _Floats, rng: np.random.Generator) -> _Parts:
    """Allocate groups to parts.

    Args:
        counts: Rows of each class in each group, (G, C), no row and no column of zeros.
        shares: Share of each part, (P,), summing to 1.
        rng: Draws the orders.

    Returns:
        The part of each group, (G,).
    """
    # Among groups of one size the seed decides, not their names.
    shuffled = rng.permutation(len(counts))
    parts = np.empty(len(counts), np.intp)
    parts[shuffled] = _search(counts[shuffled], shares, rng)
    return parts


def _search(counts: _Counts, shares: _Floats, rng: np.random.Generator) -> _Parts:
    starts = int(np.clip(_STEPS // len(counts), 1, _MAX_STARTS))
    best, best_score = np.zeros(len(counts), np.intp), np.inf
    for start in range(starts):
        # The first start goes by size; later ones blur the sizes ever more, so that others go first, too.
        blur = np.exp(rng.normal(0.0, 2.0 * start / starts, len(counts)))
        order = np.argsort(-counts.sum(axis=1) * blur, kind="stable")
        given = _complete_seeds(counts, shares, rng) if start % 2 or starts == 1 else {}
        state = _Allocation.greedy(counts, shares, order=order, given=given)
        state.improve()
        if state.score() < best_score - _MIN_GAIN:
            best, best_score = state.parts, state.score()
    return best


def most_complete_parts(counts: _Counts) -> int:
    """Into how many parts the groups can be divided so that each holds every class; exact for two classes.

    A part needs one group that holds both classes or one of each. For more than two classes this is an upper
    bound.

    Args:
        counts: Rows of each class in each group, (G, C).
    """
    holds = counts > 0
    if holds.shape[1] != 2:
        return int(holds.sum(axis=0).min(initial=len(counts)))
    mixed: npt.NDArray[np.bool_] = np.all(holds, axis=1)
    return int(mixed.sum() + (holds & ~mixed[:, None]).sum(axis=0).min(initial=len(counts)))


@dataclass
class _Allocation:
    """An allocation under way.

    Attributes:
        counts: Rows of each class in each group, (G, C).
        features: Weighted shares of each group, (G, D): of all rows, of each class's rows and groups.
        parts: Part of each group, (G,); -1 for a group that has none yet.
        excess: Features of each part less what its share asks for, (P, D).
        rows: Rows of each class in each part, (P, C).
    """

    counts: _Counts
    features: _Floats
    parts: _Parts
    excess: _Floats
    rows: _Counts

    @classmethod
    def greedy(cls, counts: _Counts, shares: _Floats, *, order: _Parts, given: Mapping[int, int]) -> _Allocation:
        """Put one group after the other where it lowers J most, after the groups whose part is given."""
        features = _features(counts)
        state = cls(
            counts=counts,
            features=features,
            parts=np.full(len(counts), -1, np.intp),
            excess=-np.outer(shares, features.sum(axis=0)),
            rows=np.zeros((len(shares), counts.shape[1]), np.int64),
        )
        for group, part in given.items():
            state.put(group, part)
        for group in order:
            if state.parts[group] < 0:
                state.put(group, int(np.argmin(state.excess @ features[group])))
        return state

    def put(self, group: int, part: int) -> None:
        """Give a group to a part, taking it from where it was."""
        before = self.parts[group]
        if before >= 0:
            self.excess[before] -= self.features[group]
            self.rows[before] -= self.counts[group]
        self.excess[part] += self.features[group]
        self.rows[part] += self.counts[group]
        self.parts[group] = part

    def score(self) -> float:
        """J."""
        return float((self.excess**2).sum() + _MISSING_CLASS * (self.rows == 0).sum())

    def improve(self) -> None:
        """Move or exchange single groups while that lowers J, the best change first."""
        n_groups = len(self.counts)
        if n_groups > _MAX_GROUPS_MOVED:
            return
        while True:
            gains = self._gains_of_moves()
            group, part = np.unravel_index(np.argmin(gains), gains.shape)
            if gains[group, part] < -_MIN_GAIN:
                self.put(int(group), int(part))
                continue
            if n_groups > _MAX_GROUPS_EXCHANGED:
                return
            gains = self._gains_of_exchanges()
            one, other = np.unravel_index(np.argmin(gains), gains.shape)
            if gains[one, other] >= -_MIN_GAIN:
                return
            part_of_one, part_of_other = int(self.parts[one]), int(self.parts[other])
            self.put(int(one), part_of_other)
            self.put(int(other), part_of_one)

    def _gains_of_moves(self) -> _Floats:
        """Change of J by moving each group to each part, (G, P)."""
        along = self.features @ self.excess.T
        here = along[np.arange(len(along)), self.parts][:, None]
        change: _Floats = 2.0 * (along - here + (self.features**2).sum(axis=1)[:, None])
        held = self.counts > 0
        lost = (held & (self.rows[self.parts] == self.counts)).sum(axis=1)
        won = held.astype(np.int64) @ (self.rows == 0).T
        change += _MISSING_CLASS * (lost[:, None] - won)
        change[np.arange(len(along)), self.parts] = 0.0
        return change

    def _gains_of_exchanges(self) -> _Floats:
        """Change of J by exchanging each pair of groups, (G, G)."""
        difference = self.features[None, :] - self.features[:, None]  # what the part of the row's group gains
        excess = self.excess[self.parts]
        tension = excess[:, None] - excess[None, :]
        change: _Floats = 2.0 * ((difference * tension).sum(axis=-1) + (difference**2).sum(axis=-1))
        rows = self.rows[self.parts]
        missing = (rows[:, None] - self.counts[:, None] + self.counts[None, :] == 0).sum(axis=-1)
        missing_now = (rows == 0).sum(axis=-1)
        change += _MISSING_CLASS * (missing + missing.T - missing_now[:, None] - missing_now[None, :])
        change[self.parts[:, None] == self.parts[None, :]] = 0.0
        return change


def _features(counts: _Counts) -> _Floats:
    held = (counts > 0).astype(np.float64)
    n_classes = counts.shape[1]
    return np.hstack(
        [
            counts.sum(axis=1, keepdims=True) / counts.sum(),
            counts / counts.sum(axis=0) * np.sqrt(1.0 / n_classes),
            held / held.sum(axis=0) * np.sqrt(_GROUPS_WEIGHT / n_classes),
        ]
    )


def _complete_seeds(counts: _Counts, shares: _Floats, rng: np.random.Generator) -> dict[int, int]:
    """Small groups that give every part every class: a group, then those that add least beside what lacks.

    For two classes this succeeds wherever it is possible: a part uses up one group of both classes, or one
    of each class, or, where one class has no group of its own left, a group of both that nobody else could
    complete.
    """
    held = counts > 0
    shuffled = rng.permutation(len(counts))
    free = shuffled[np.argsort(counts[shuffled].sum(axis=1), kind="stable")]
    given: dict[int, int] = {}
    for part in np.argsort(shares, kind="stable"):
        lacks = np.ones(held.shape[1], np.bool_)
        while lacks.any():
            useful = free[(held[free] & lacks).any(axis=1)]
            if len(useful) == 0:
                return given
            # The first group of a part is any; argmin takes the first of equals, which the random order decides.
            group = useful[0 if lacks.all() else np.argmin(held[useful].sum(axis=1))]
            free = free[free != group]
            given[int(group)] = int(part)
            lacks &= ~held[group]
    return given
