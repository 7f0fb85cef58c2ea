"""Allocation of whole groups to parts, close to given shares in rows, classes and groups.

With n_pc the rows of class c in part p, N_c the rows of class c, s_p the share asked for, and the same for
groups (g_pc of G_c; a group counts for every class it holds), the best allocation has the smallest

    J = sum_p (n_p / N - s_p)^2 + mean_c sum_p (n_pc / N_c - s_p)^2 + 1/4 mean_c sum_p (g_pc / G_c - s_p)^2
        + 10 x number of (part, class) without a row.

The last term outweighs the others, so that an allocation with every class in every part wins if the search finds
one. The groups' term prevents a part that consists of one large patient: intervals are resampled by group. Exact
minimisation is a multi-way partition problem (NP-hard); greedy allocation from many random orders, improved by moving
and exchanging single groups, comes close and is repeatable from its seed.

Six groups, to be divided 2 : 1 into fit and val::

    group      A  B  C  D  E  F
    healthy    4  3  2  .  .  .
    unhealthy  .  .  .  5  3  1

Val = {C, E} has 5 of 18 rows, 2 of 9 healthy and 3 of 9 unhealthy ones, and one group in three of each class:

    J = 2 (5/18 - 1/3)^2 + 1/2 [2 (2/9 - 1/3)^2 + 2 (3/9 - 1/3)^2] + 0 = 0.0062 + 0.0123 = 0.0185.

No move of a single group lowers it (F to val gives 0.0525, C to fit leaves val without a class). Exchanging C for B
does: val = {B, E} has a third of everything, and J = 0. Exchanges are worth their time: for groups of uneven size
they bring the distance sqrt(J) from 0.020 to 0.014 with 40 groups and from 0.009 to 0.005 with 80
(``benchmarks/split_exchanges.py``).

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

from sonoproof.types import FloatArray, IntArray

_GROUPS_WEIGHT: Final = 0.25
_MISSING_CLASS: Final = 10.0
_MIN_GAIN: Final = 1e-12

_STEPS: Final = 40_000
_MAX_STARTS: Final = 32
_MAX_GROUPS_MOVED: Final = 1000
_MAX_GROUPS_EXCHANGED: Final = 80

_Parts = npt.NDArray[np.intp]


def allocate(counts: IntArray, *, shares: FloatArray, rng: np.random.Generator) -> _Parts:
    """Allocate groups to parts.

    Args:
        counts: Rows of each class in each group, (G, C), no row and no column of zeros.
        shares: Share of each part, (P,), summing to 1.
        rng: Draws the orders.

    Returns:
        The part of each group, (G,).
    """
    # Among groups of equal size the seed decides, not their names.
    shuffled = rng.permutation(len(counts))
    parts = np.empty(len(counts), np.intp)
    parts[shuffled] = _search(counts[shuffled], shares, rng)
    return parts


def score(counts: IntArray, *, shares: FloatArray, parts: _Parts) -> float:
    """J of an allocation: 0 if it meets every share exactly.

    Args:
        counts: Rows of each class in each group, (G, C).
        shares: Share of each part, (P,).
        parts: The part of each group, (G,).
    """
    given = dict(enumerate(parts.tolist()))
    return _Allocation.greedy(counts, shares, order=np.empty(0, np.intp), given=given).score()


def _search(counts: IntArray, shares: FloatArray, rng: np.random.Generator) -> _Parts:
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


def most_complete_parts(counts: IntArray) -> int:
    """Into how many parts the groups can be divided so that each holds every class; exact for two classes.

    A part needs one group that holds both classes or one of each. For more than two classes this is an upper
    bound.

    Args:
        counts: Rows of each class in each group, (G, C).
    """
    holds = counts > 0
    if holds.shape[1] != 2:
        return int(holds.sum(axis=0).min(initial=len(counts)))
    mixed = np.asarray(holds.all(axis=1))
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

    counts: IntArray
    features: FloatArray
    parts: _Parts
    excess: FloatArray
    rows: IntArray

    @classmethod
    def greedy(cls, counts: IntArray, shares: FloatArray, *, order: _Parts, given: Mapping[int, int]) -> _Allocation:
        """Put one group after the other into the part where it lowers J most, after the groups whose part is given."""
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
        """Put a group into a part, taking it out of the part it was in."""
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
        """Move or exchange single groups as long as that lowers J, the best change first."""
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

    def _gains_of_moves(self) -> FloatArray:
        """Change of J by moving each group to each part, (G, P)."""
        along = self.features @ self.excess.T
        here = along[np.arange(len(along)), self.parts][:, None]
        change: FloatArray = 2.0 * (along - here + (self.features**2).sum(axis=1)[:, None])
        held = self.counts > 0
        lost = (held & (self.rows[self.parts] == self.counts)).sum(axis=1)
        won = held.astype(np.int64) @ (self.rows == 0).T
        change += _MISSING_CLASS * (lost[:, None] - won)
        change[np.arange(len(along)), self.parts] = 0.0
        return change

    def _gains_of_exchanges(self) -> FloatArray:
        """Change of J by exchanging each pair of groups, (G, G)."""
        difference = self.features[None, :] - self.features[:, None]  # what the part of the row's group gains
        excess = self.excess[self.parts]
        tension = excess[:, None] - excess[None, :]
        change: FloatArray = 2.0 * ((difference * tension).sum(axis=-1) + (difference**2).sum(axis=-1))
        rows = self.rows[self.parts]
        missing = (rows[:, None] - self.counts[:, None] + self.counts[None, :] == 0).sum(axis=-1)
        missing_now = (rows == 0).sum(axis=-1)
        change += _MISSING_CLASS * (missing + missing.T - missing_now[:, None] - missing_now[None, :])
        change[self.parts[:, None] == self.parts[None, :]] = 0.0
        return change


def _features(counts: IntArray) -> FloatArray:
    held = (counts > 0).astype(np.float64)
    n_classes = counts.shape[1]
    return np.hstack(
        [
            counts.sum(axis=1, keepdims=True) / counts.sum(),
            counts / counts.sum(axis=0) * np.sqrt(1.0 / n_classes),
            held / held.sum(axis=0) * np.sqrt(_GROUPS_WEIGHT / n_classes),
        ]
    )


def _complete_seeds(counts: IntArray, shares: FloatArray, rng: np.random.Generator) -> dict[int, int]:
    """Small groups that give every part every class: a group, then those that add little besides the missing class.

    For two classes this succeeds whenever it is possible: a part uses up one group with both classes, or one group of
    each class, or, if a class has no group of its own left, a group with both that no other part could complete.
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
