"""Labels, scores and groups of any model or table, checked before anything is computed from them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from sonoproof.classes import Classes
from sonoproof.errors import ScoreError
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import BoolArray, FloatArray, StrArray
from sonoproof.wording import counted

# Pairs of labels of which the second is positive without a word of the user.
_KNOWN_POSITIVE = (("0", "1"), ("false", "true"))
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
# A probability of 0 or 1 has no finite logit; scikit-learn's log_loss takes this distance too.
_EPSILON = float(np.finfo(np.float64).eps)
_SHOWN = 5


@dataclass(frozen=True)
class GivenLabels:
    """The labels of N rows, and what each row is resampled with.

    Attributes:
        classes: The class names.
        targets: True for the positive class, shape (N,).
        units: What each row is resampled with, shape (N,).
        unit: ``group``, or ``row`` where no groups were given.
    """

    classes: Classes
    targets: BoolArray
    units: StrArray
    unit: str


def given_labels(labels: Any, *, groups: Any = None, positive: Any = None) -> GivenLabels:
    """Check labels and groups.

    Args:
        labels: Two different values, shape (N,).
        groups: Patient, clip or other source of each row, shape (N,); None takes every row on its own.
        positive: The label that is positive; may be left out for 0 and 1, and for False and True.

    Raises:
        ScoreError: A label or group is missing, or it is not clear which of the labels is positive.
    """
    names = [_name(label) for label in one_dimensional(labels, what="labels")]
    _refuse(np.array([name == "" for name in names], np.bool_), "no label")
    classes = _classes(names, positive=positive)
    targets = np.array([name == classes.positive for name in names], np.bool_)
    if groups is None:
        return GivenLabels(classes, targets, np.array([f"row:{index}" for index in range(len(names))], np.str_), "row")
    sources = [_name(group) for group in one_dimensional(groups, what="groups")]
    require_same_rows(labels=labels, groups=groups)
    _refuse(np.array([source == "" for source in sources], np.bool_), "no group")
    return GivenLabels(classes, targets, np.array([f"unit:{source}" for source in sources], np.str_), "group")


def given_rows(scores: Any, *, targets: BoolArray, threshold: float, logits: bool = False) -> ScoredRows:
    """Check the scores of labelled rows.

    Rows are ranked by the scores as they are given. For the loss and the calibration, a probability of 0 or 1 counts
    as 2.2e-16 away from it.

    Args:
        scores: Probability of the positive class, or its log-odds with `logits`; shape (N,).
        targets: True for the positive class, shape (N,).
        threshold: Probability at or above which a row is predicted positive.
        logits: Whether the scores are log-odds.

    Raises:
        ScoreError: A score is missing, not a number, or not between 0 and 1.
    """
    numbers = _numbers(one_dimensional(scores, what="scores"))
    if len(numbers) != len(targets):
        raise ScoreError(f"there are {counted(len(numbers), 'score')} for {counted(len(targets), 'label')}")
    _refuse(~np.isfinite(numbers), "a score that is missing or not finite")
    if logits:
        return ScoredRows.from_logits(targets, logits=numbers, threshold=threshold)
    remedy = "; give the probability of the positive class, or say that the scores are log-odds (logits)"
    _refuse((numbers < 0) | (numbers > 1), "a score outside of 0 to 1", remedy=remedy, values=numbers)
    odds = logit(np.clip(numbers, _EPSILON, 1 - _EPSILON))
    return ScoredRows(targets, odds, numbers >= threshold, numbers)


def count_certain(scores: Any) -> int:
    """How many probabilities are exactly 0 or 1."""
    return int(np.isin(np.asarray(scores, dtype=np.float64), (0.0, 1.0)).sum())


def require_same_rows(**given: Any) -> None:
    """Check that several inputs are of the same rows: of one length and, if they are pandas objects, of one index.

    Raises:
        ScoreError: They are not.
    """
    lengths = {name: len(values) for name, values in given.items() if values is not None}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{number:,} {name}" for name, number in lengths.items())
        raise ScoreError(f"the inputs are not of the same rows: {told}")
    indices = {name: values.index for name, values in given.items() if hasattr(values, "iloc")}
    first = next(iter(indices), "")
    for name, index in indices.items():
        if not index.equals(indices[first]):
            raise ScoreError(
                f"{first} and {name} are pandas objects with different indices, so it is not clear which values belong "
                f"together; align them, or give {name}.to_numpy() if they are in the same order"
            )


def one_dimensional(values: Any, *, what: str) -> npt.NDArray[Any]:
    """The values as an array of shape (N,), one or more.

    Raises:
        ScoreError: They have another shape, or there are none.
    """
    array = np.asarray(values, dtype=object if isinstance(values, list | tuple) else None)
    if array.ndim != 1:
        hint = ", for example probabilities[:, 1]" if array.ndim == 2 else ""
        raise ScoreError(f"{what} must be one value per row, not of shape {array.shape}{hint}")
    if not len(array):
        raise ScoreError(f"there are no {what}")
    return array


def _name(value: Any) -> str:
    """A label or group as text: 1, 1.0, True of numpy and "1.0" as their usual spelling; "" for what is missing."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)) or str(value) in ("<NA>", "NaT"):
        return ""
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _classes(names: Sequence[str], *, positive: Any) -> Classes:
    counts = Counter(names)
    told = ", ".join(f"{name!r} ({counted(count, 'row')})" for name, count in counts.most_common(_SHOWN))
    if len(counts) == 1:
        raise ScoreError(f"all rows are of one class, {told}; metrics need rows of two classes")
    if len(counts) > 2:
        raise ScoreError(f"the labels have {len(counts)} different values, not two: {told}")
    if positive is None:
        wanted = _known_positive(counts)
        if wanted is None:
            raise ScoreError(f"which label is positive? There are {told}; name one of them as positive")
    else:
        wanted = _name(positive)
        if wanted not in counts:
            raise ScoreError(f"no row has the positive label {wanted!r}; there are {told}")
    return Classes(negative=next(name for name in counts if name != wanted), positive=wanted)


def _known_positive(names: Iterable[str]) -> str | None:
    pair = tuple(sorted(names, key=str.casefold))
    return pair[1] if tuple(map(str.casefold, pair)) in _KNOWN_POSITIVE else None


def _numbers(scores: npt.NDArray[Any]) -> FloatArray:
    try:
        return np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ScoreError(f"scores must be numbers ({error})") from error


def _refuse(faulty: BoolArray, fault: str, *, remedy: str = "", values: FloatArray | None = None) -> None:
    places = np.flatnonzero(faulty)
    if not len(places):
        return
    shown = [f"{place}" if values is None else f"{place}: {values[place]:g}" for place in places[:_SHOWN].tolist()]
    more = ", …" if len(places) > _SHOWN else ""
    raise ScoreError(
        f"{counted(len(places), 'row')} with {fault} (counted from 0: {', '.join(shown)}{more})"
        f"{remedy or '; complete or remove them'}"
    )
