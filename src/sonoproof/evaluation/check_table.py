"""Can these figures be true? Whether any confusion matrix gives the figures of a published table.

A table that gives recall, precision and accuracy of a known number of rows leaves few confusion matrices, often none:
then a figure is of another class, of other rows, or mistyped. The arithmetic is exact, in whole numbers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from sonoproof.types import IntArray

Weights = tuple[int, int, int, int]

# Numerator and denominator of each figure, as weights of tp, fp, tn and fn.
FIGURES: Mapping[str, tuple[Weights, Weights]] = MappingProxyType(
    {
        "accuracy": ((1, 0, 1, 0), (1, 1, 1, 1)),
        "recall": ((1, 0, 0, 0), (1, 0, 0, 1)),
        "specificity": ((0, 0, 1, 0), (0, 1, 1, 0)),
        "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
        "npv": ((0, 0, 1, 0), (0, 0, 1, 1)),
        "f1": ((2, 0, 0, 0), (2, 1, 0, 1)),
    }
)
_FIGURE = re.compile(r"\s*(\d*\.?\d*)\s*(%?)\s*")
_LISTED = 20
# Products of counts and denominators stay within 64 bits.
_MAX_DECIMALS = 9
_MAX_ROWS = 1_000_000


@dataclass(frozen=True)
class TableCheck:
    """What was found.

    Attributes:
        n_possible: How many confusion matrices give all figures, rounded as typed.
        possible: The first of them, as ``tp``, ``fp``, ``tn``, ``fn`` of the class that `positives` counts.
        n_cut_off: How many give them with further digits cut off instead of rounded.
        n_other_class: How many give them if recall, precision, specificity, npv and f1 are those of the other class.
        other_class: The first of those, as counts of the other class.
        statement: The finding in a sentence or two.
    """

    n_possible: int
    possible: tuple[dict[str, int], ...]
    n_cut_off: int
    n_other_class: int
    other_class: tuple[dict[str, int], ...]
    statement: str


def check_table(n: int, *, positives: int, **figures: str) -> TableCheck:
    """Look for confusion matrices that give the figures of a table.

    Args:
        n: Number of rows.
        positives: Number of rows of the class that recall and precision are claimed for.
        **figures: Any of `FIGURES` as typed in the table, so that its rounding is known: ``"0.80"``, ``".8428"``,
            ``"84.3 %"``.

    Returns:
        What was found.

    Raises:
        ValueError: The numbers are impossible in themselves or a figure cannot be read.

    Example:
        >>> check_table(1468, positives=1050, accuracy=".8428", precision="1.0", recall=".9199").n_possible
        0
    """
    if not 1 <= n <= _MAX_ROWS:
        raise ValueError(f"the number of rows must lie between 1 and {_MAX_ROWS}; it is {n}")
    if not 0 <= positives <= n:
        raise ValueError(f"positives must lie between 0 and the number of rows; they are {positives} of {n}")
    unknown = sorted(set(figures) - set(FIGURES))
    if unknown or not figures:
        raise ValueError(f"{', '.join(unknown) or 'no figure given'}: there are {', '.join(FIGURES)}")
    rounded = {name: _rounded(name, text) for name, text in figures.items()}
    cut_off = {name: _cut_off(name, text) for name, text in figures.items()}
    possible = _matrices(n, positives=positives, ranges=rounded)
    other = _matrices(n, positives=n - positives, ranges=rounded)
    n_cut_off = _matrices(n, positives=positives, ranges=cut_off).count
    return TableCheck(
        n_possible=possible.count,
        possible=possible.listed(positives=positives, negatives=n - positives),
        n_cut_off=n_cut_off,
        n_other_class=other.count,
        other_class=other.listed(positives=n - positives, negatives=positives),
        statement=_statement(figures, n=n, positives=positives, found=(possible.count, n_cut_off, other.count)),
    )


@dataclass(frozen=True)
class _Range:
    """From `low` to `high`, both included unless `open_above`."""

    low: Fraction
    high: Fraction
    open_above: bool = False


@dataclass(frozen=True)
class _Matrices:
    """Confusion matrices: for each tp, in rising order, every tn from `first` to `last`, both included."""

    first: IntArray
    last: IntArray

    @property
    def count(self) -> int:
        return int(np.maximum(self.last + 1 - self.first, 0).sum())

    def listed(self, *, positives: int, negatives: int) -> tuple[dict[str, int], ...]:
        """The first of them as counts."""
        pairs = (
            (tp, tn)
            for tp in np.flatnonzero(self.last >= self.first).tolist()
            for tn in range(int(self.first[tp]), int(self.last[tp]) + 1)
        )
        return tuple(
            {"tp": tp, "fp": negatives - tn, "tn": tn, "fn": positives - tp}
            for tp, tn in itertools.islice(pairs, _LISTED)
        )


def _parsed(name: str, text: str) -> tuple[Fraction, Fraction]:
    """The figure and the value of one unit of its last digit."""
    match = _FIGURE.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(character.isdigit() for character in match[1]):
        raise ValueError(f"{name}: {text!r} is not a number; type it as in the table, such as '0.80' or '84.3 %'")
    scale = 100 if match[2] else 1
    value, decimals = Fraction(match[1].removesuffix(".")) / scale, len(match[1].partition(".")[2])
    if value > 1:
        raise ValueError(f"{name}: {text!r} is above 1; write percentages with the sign %")
    if decimals > _MAX_DECIMALS:
        raise ValueError(f"{name}: {text!r} has more than {_MAX_DECIMALS} decimals")
    return value, Fraction(1, 10**decimals * scale)


def _rounded(name: str, text: str) -> _Range:
    # Both ends are included: tables round halves up, or to even.
    value, unit = _parsed(name, text)
    return _Range(value - unit / 2, value + unit / 2)


def _cut_off(name: str, text: str) -> _Range:
    value, unit = _parsed(name, text)
    return _Range(value, value + unit, open_above=True)


def _matrices(n: int, *, positives: int, ranges: Mapping[str, _Range]) -> _Matrices:
    """The confusion matrices that give figures within the ranges.

    With tp held, numerator and denominator of a figure are linear in tn, and so is every condition on them.
    """
    tp = np.arange(positives + 1, dtype=np.int64)
    first, last = np.zeros_like(tp), np.full_like(tp, n - positives)

    def linear(weights: Weights) -> tuple[IntArray, int]:
        """Value at tn = 0, for each tp, and slope."""
        of_tp, of_fp, of_tn, of_fn = weights
        return of_tp * tp + of_fp * (n - positives) + of_fn * (positives - tp), of_tn - of_fp

    for name, within in ranges.items():
        (k, k_slope), (m, m_slope) = (linear(weights) for weights in FIGURES[name])
        (low, low_unit), (high, high_unit) = within.low.as_integer_ratio(), within.high.as_integer_ratio()
        for value, slope in (  # none may be negative; zero by zero is no figure
            (k * low_unit - low * m, k_slope * low_unit - low * m_slope),
            (high * m - k * high_unit - within.open_above, high * m_slope - k_slope * high_unit),
            (m - 1, m_slope),
        ):
            if slope > 0:
                first = np.maximum(first, -(value // slope))
            elif slope < 0:
                last = np.minimum(last, value // -slope)
            else:
                last = np.where(value < 0, -1, last)
    return _Matrices(first, last)


def _statement(figures: Mapping[str, str], *, n: int, positives: int, found: tuple[int, int, int]) -> str:
    n_possible, n_cut_off, n_other = found
    listed = ", ".join(f"{name} {text}" for name, text in figures.items())
    rows = f"{n} rows, {positives} of them positive"
    if n_possible:
        matrices = "one confusion matrix gives" if n_possible == 1 else f"{n_possible} confusion matrices give"
        return f"{matrices[0].upper()}{matrices[1:]} {listed} for {rows}."
    statement = f"No confusion matrix gives {listed} for {rows}, at this rounding."
    if n_cut_off:
        statement += f" With further digits cut off instead of rounded, {n_cut_off} would."
    if n_other:
        statement += f" As figures of the other class, {n_other} would: the classes may have been mixed up."
    return statement
