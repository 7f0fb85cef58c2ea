"""Can these figures be true? Whether any confusion matrix gives the figures of a published table.

A table that says recall, precision and accuracy of a known number of rows leaves few confusion matrices, often none:
then a figure is of another class, of other rows, or mistyped. The arithmetic is exact, in whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

__all__ = ["FIGURES", "TableCheck", "check_table"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Cells:
    """Counts of many confusion matrices: tp and fn of shape (T, 1), tn and fp of shape (1, U)."""

    tp: IntArray
    fp: IntArray
    tn: IntArray
    fn: IntArray


# Numerator and denominator of each figure.
FIGURES: Mapping[str, Callable[[_Cells], tuple[IntArray, IntArray]]] = MappingProxyType(
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
_CELLS = 4_000_000
_LISTED = 20


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
        positives: Number of rows of the class that recall and precision are said to be of.
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
    if not 0 <= positives <= n or n < 1:
        raise ValueError(f"positives must lie between 0 and the number of rows, not {positives} of {n}")
    unknown = sorted(set(figures) - set(FIGURES))
    if unknown or not figures:
        raise ValueError(f"{', '.join(unknown) or 'no figure given'}: there are {', '.join(FIGURES)}")
    rounded = {name: _rounded(name, text) for name, text in figures.items()}
    cut_off = {name: _cut_off(name, text) for name, text in figures.items()}
    possible = _matrices(n, positives=positives, ranges=rounded)
    other = _matrices(n, positives=n - positives, ranges=rounded)
    n_cut_off = len(_matrices(n, positives=positives, ranges=cut_off))
    return TableCheck(
        n_possible=len(possible),
        possible=_listed(possible, n=n, positives=positives),
        n_cut_off=n_cut_off,
        n_other_class=len(other),
        other_class=_listed(other, n=n, positives=n - positives),
        statement=_statement(figures, n=n, positives=positives, found=(len(possible), n_cut_off, len(other))),
    )


@dataclass(frozen=True)
class _Range:
    """From `low` to `high`, both included unless `open_above`."""

    low: Fraction
    high: Fraction
    open_above: bool = False

    def holds(self, numerator: IntArray, denominator: IntArray) -> npt.NDArray[np.bool_]:
        """Whether each quotient lies within, by whole numbers; one of zero by zero does not."""
        above = numerator * self.low.denominator >= self.low.numerator * denominator
        scaled, bound = numerator * self.high.denominator, self.high.numerator * denominator
        return (denominator > 0) & above & ((scaled < bound) if self.open_above else (scaled <= bound))


def _parsed(name: str, text: str) -> tuple[Fraction, Fraction]:
    """The figure and the value of one unit of its last digit."""
    match = _FIGURE.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(character.isdigit() for character in match[1]):
        raise ValueError(f"{name}: {text!r} is no figure; type it as in the table, such as '0.80' or '84.3 %'")
    scale = 100 if match[2] else 1
    value, decimals = Fraction(match[1].removesuffix(".")) / scale, len(match[1].partition(".")[2])
    if value > 1:
        raise ValueError(f"{name}: {text!r} is above 1; write percentages with the sign %")
    return value, Fraction(1, 10**decimals * scale)


def _rounded(name: str, text: str) -> _Range:
    # Both ends are included: tables round halves up, or to even.
    value, unit = _parsed(name, text)
    return _Range(value - unit / 2, value + unit / 2)


def _cut_off(name: str, text: str) -> _Range:
    value, unit = _parsed(name, text)
    return _Range(value, value + unit, open_above=True)


def _matrices(n: int, *, positives: int, ranges: Mapping[str, _Range]) -> IntArray:
    """All pairs (tp, tn) that give figures within the ranges, shape (M, 2)."""
    negatives = n - positives
    tp = _counts(positives, within=ranges.get("recall"))
    tn = _counts(negatives, within=ranges.get("specificity"))
    found = [np.empty((0, 2), dtype=np.int64)]
    for some in _chunks(tp, width=len(tn)):
        cells = _Cells(tp=some[:, None], fp=negatives - tn[None, :], tn=tn[None, :], fn=positives - some[:, None])
        holds = np.ones((len(some), len(tn)), dtype=np.bool_)
        for name, within in ranges.items():
            holds &= within.holds(*FIGURES[name](cells))
        rows, columns = np.nonzero(holds)
        found.append(np.column_stack([some[rows], tn[columns]]))
    return np.concatenate(found)


def _counts(size: int, *, within: _Range | None) -> IntArray:
    """The counts out of `size` whose share lies within the range, or all of them."""
    counts = np.arange(size + 1, dtype=np.int64)
    return counts if within is None else counts[within.holds(counts, np.full_like(counts, size))]


def _chunks(counts: IntArray, *, width: int) -> Iterator[IntArray]:
    step = max(1, _CELLS // max(width, 1))
    for start in range(0, len(counts), step):
        yield counts[start : start + step]


def _listed(matrices: IntArray, *, n: int, positives: int) -> tuple[dict[str, int], ...]:
    return tuple(
        {"tp": int(tp), "fp": n - positives - int(tn), "tn": int(tn), "fn": positives - int(tp)}
        for tp, tn in matrices[:_LISTED]
    )


def _statement(figures: Mapping[str, str], *, n: int, positives: int, found: tuple[int, int, int]) -> str:
    n_possible, n_cut_off, n_other = found
    said = ", ".join(f"{name} {text}" for name, text in figures.items())
    rows = f"{n} rows of which {positives} are positive"
    if n_possible:
        matrices = "one confusion matrix gives" if n_possible == 1 else f"{n_possible} confusion matrices give"
        return f"{matrices[0].upper()}{matrices[1:]} {said} for {rows}."
    statement = f"No confusion matrix gives {said} for {rows}, at this rounding."
    if n_cut_off:
        statement += f" With the further digits cut off, {n_cut_off} would."
    if n_other:
        statement += f" As figures of the other class {n_other} would: the class may have been mixed up."
    return statement
