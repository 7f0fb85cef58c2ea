"""The split that a sheet gives, by group: parts (fit, val, test) or folds, as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.labels.givensplit import GIVEN_SPLIT
from sonoproof.errors import CohortError, ConfigError
from sonoproof.types import IntArray, StrArray

_FOLD = "fold "


def group_parts(sheet: pd.DataFrame, names: Sequence[str]) -> StrArray:
    """The given part of each group, (G,), in the order of `names`.

    Args:
        sheet: The rows of the sheet, with ``group`` and ``given_split``.
        names: The groups.

    Raises:
        CohortError: A group is in several parts, or has none.
    """
    by_group = sheet.groupby("group")[GIVEN_SPLIT]
    divided = by_group.nunique()
    if (divided > 1).any():
        raise CohortError(
            f"the given split divides {int((divided > 1).sum())} groups, for example {divided.idxmax()!r}; correct it"
            " in the sheet, or leave --split-column out"
        )
    parts = by_group.first().loc[list(names)].to_numpy(dtype=np.str_)
    if (parts == "").any():
        raise CohortError("the given split has no part for some rows; this is a bug, please report it")
    return parts


def parts_of_given(given: StrArray) -> StrArray:
    """Fit, val or test of each group; of folds, the lowest number is val and the others are fit."""
    folds = fold_numbers(given)
    if folds is None:
        return np.where(np.char.startswith(given, _FOLD), "fit", given)
    return np.where(folds < 0, given, np.where(folds == folds[folds >= 0].min(), "val", "fit"))


def fold_numbers(given: StrArray) -> IntArray | None:
    """The fold of each group, (G,), -1 for one in a part instead; None where fewer than two folds are given.

    If a validation part is given beside folds, the folds are not one part against the others.
    """
    is_fold = np.char.startswith(given, _FOLD)
    numbers = np.array(
        [int(text.removeprefix(_FOLD)) if fold else -1 for text, fold in zip(given, is_fold, strict=True)]
    )
    enough = len(np.unique(numbers[is_fold])) > 1 and "val" not in given and "fit" not in given
    return numbers if enough else None


def take_folds(numbers: IntArray, *, config: SplitConfig) -> IntArray:
    """The given folds, numbered from 0; -1 for a group in none.

    Raises:
        ConfigError: Another number of folds is asked for.
    """
    known = np.unique(numbers[numbers >= 0])
    if config.folds != len(known):
        raise ConfigError(
            f"the sheet gives {len(known)} folds, but split.folds is {config.folds}; set split.folds={len(known)}, or"
            " leave --split-column out"
        )
    folds = np.searchsorted(known, numbers)
    return np.where(numbers < 0, -1, folds)


def check_given_parts(parts: StrArray, *, has_test_folder: bool, test_share: float | None) -> None:
    """Check that given parts can be used beside what else was asked for.

    Raises:
        CohortError: There is nothing to fit, or a test part beside a test folder.
        ConfigError: A share of test rows is asked for.
    """
    if "fit" not in parts:
        raise CohortError("the given split has no rows to train on; correct it, or leave --split-column out")
    if has_test_folder and "test" in parts:
        raise CohortError(
            "the sheet's split has a test part, and a test folder is given; leave --test-images or --split-column out"
        )
    if test_share:
        raise ConfigError("split.test has no meaning beside a given split; leave it or --split-column out")
