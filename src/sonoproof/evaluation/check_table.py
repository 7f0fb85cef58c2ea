"""Can these figures be true? Whether any confusion matrix gives the figures of a published table.

A table that says recall, precision and accuracy of a known number of rows leaves few confusion matrices, often none:
then a figure is of another class, of other rows, or mistyped. The arithmetic is exact, in whole numbers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Cells:
    """Counts of many confusion matrices, shape (T,) each."""

    tp: IntArray
    fp: IntArray
    tn: IntArray
    fn: IntArray


Figure = Callable[[_Cells], tuple[IntArray, IntArray]]

# Numerator and denominator of each figure.
FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "accuracy": lambda c: (c.tp + c.tn, c.tp + c.fp + c.tn + c.fn),
        "recall": lambda c: (c.tp, c.tp + c.fn),
        "specificity": lambda c: (c.tn, c.tn + c.fp),
        "precision": lambda c: (c.tp, c.tp + c.fp),
        "npv": lambda c: (c.tn, c.tn + c.fn),
        "f1": lambda c: (2 * c.tp, 2 * c.tp + c.fp + c.fn),
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
        positives: Number of rows of the class that recall and precision refer to.
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
        raise ValueError(f"the number of rows must lie between 1 and {_MAX_ROWS}, not at {n}")
    if not 0 <= positives <= n:
        raise ValueError(f"positives must lie between 0 and the number of rows, not {positives} of {n}")
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

    def reached(self, numerator: IntArray, denominator: IntArray) -> BoolArray:
        """Whether each quotient is at least `low`, by whole numbers."""
        return numerator * self.low.denominator >= self.low.numerator * denominator

    def passed(self, numerator: IntArray, denominator: IntArray) -> BoolArray:
        """Whether each quotient is beyond `high`."""
        scaled, bound = numerator * self.high.denominator, self.high.numerator * denominator
        return (scaled >= bound) if self.open_above else (scaled > bound)


@dataclass(frozen=True)
class _Matrices:
    """Confusion matrices: for each tp, in rising order, every tn from `first` up to but without `stop`."""

    first: IntArray
    stop: IntArray

    @property
    def count(self) -> int:
        return int(np.maximum(self.stop - self.first, 0).sum())

    def listed(self, *, positives: int, negatives: int) -> tuple[dict[str, int], ...]:
        """The first of them as counts."""
        pairs = (
            (tp, tn)
            for tp in np.flatnonzero(self.stop > self.first).tolist()
            for tn in range(int(self.first[tp]), int(self.stop[tp]))
        )
        return tuple(
            {"tp": tp, "fp": negatives - tn, "tn": tn, "fn": positives - tp}
            for tp, tn in itertools.islice(pairs, _LISTED)
        )


def _parsed(name: str, text: str) -> tuple[Fraction, Fraction]:
    """The figure and the value of one unit of its last digit."""
    match = _FIGURE.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(character.isdigit() for character in match[1]):
        raise ValueError(f"{name}: {text!r} is not a figure; type it as in the table, such as '0.80' or '84.3 %'")
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

    With tp held, no figure falls as tn rises; so those tn that suit a figure follow one another, and both ends are
    found by bisection, for every tp at once.
    """
    negatives = n - positives
    tp = np.arange(positives + 1, dtype=np.int64)
    first, stop = np.zeros_like(tp), np.full_like(tp, negatives + 1)
    for name, within in ranges.items():

        def quotient(tn: IntArray, figure: Figure = FIGURES[name]) -> tuple[IntArray, IntArray]:
            return figure(_Cells(tp=tp, fp=negatives - tn, tn=tn, fn=positives - tp))

        first = np.maximum(first, _first_true(within.reached, quotient=quotient, size=negatives, like=tp))
        stop = np.minimum(stop, _first_true(within.passed, quotient=quotient, size=negatives, like=tp))
    return _Matrices(first, stop)


def _first_true(
    test: Callable[[IntArray, IntArray], BoolArray],
    *,
    quotient: Callable[[IntArray], tuple[IntArray, IntArray]],
    size: int,
    like: IntArray,
) -> IntArray:
    """The least tn from 0 to `size` whose quotient passes the test, for each tp; size + 1 where none does.

    Zero by zero is not a figure. It occurs only at an end, and counts as below every range at tn = 0, else as above.
    """
    low, high = np.zeros_like(like), np.full_like(like, size + 1)
    while (low < high).any():
        middle = (low + high) // 2
        asked = np.minimum(middle, size)
        numerator, denominator = quotient(asked)
        passes = np.where(denominator > 0, test(numerator, denominator), asked > 0) | (middle > size)
        high = np.where(passes, middle, high)
        low = np.where(passes, low, np.minimum(middle + 1, high))
    return high


def _statement(figures: Mapping[str, str], *, n: int, positives: int, found: tuple[int, int, int]) -> str:
    n_possible, n_cut_off, n_other = found
    said = ", ".join(f"{name} {text}" for name, text in figures.items())
    rows = f"{n} rows, {positives} of them positive"
    if n_possible:
        matrices = "one confusion matrix gives" if n_possible == 1 else f"{n_possible} confusion matrices give"
        return f"{matrices[0].upper()}{matrices[1:]} {said} for {rows}."
    statement = f"No confusion matrix gives {said} for {rows}, at this rounding."
    if n_cut_off:
        statement += f" With further digits cut off instead of rounded, {n_cut_off} would."
    if n_other:
        statement += f" For the other class, {n_other} would: the classes may have been mixed up."
    return statement
