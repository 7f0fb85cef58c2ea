"""The split: whole groups to fit, validation and test, stratified, repeatable from its seed, free of leaks.

Here are the rules; how groups are made is in `sonoproof.data.cohort.grouping`, how they are allocated in
`sonoproof.data.split.allocation`, and the check that nothing leaked in `sonoproof.data.split.leakage`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.labels.givensplit import GIVEN_SPLIT
from sonoproof.data.split.allocation import allocate, most_complete_parts
from sonoproof.data.split.given import check_given_parts, fold_numbers, group_parts, parts_of_given, take_folds
from sonoproof.errors import CohortError, ConfigError
from sonoproof.runfolder import SPLIT_COLUMNS
from sonoproof.types import BoolArray, IntArray, StrArray

# Without a wish of the user, a test part is set aside only if its intervals would be of use.
_MIN_GROUPS_FOR_TEST: Final = 10
_DEFAULT_TEST_SHARE: Final = 0.2
# Fewer groups of a class than this are not divided again into rows to train and rows to stop on.
_MIN_TRAINING_GROUPS: Final = 2

# Each random division has a stream of its own, so that one more fold changes no part.
_PARTS_STREAM, _STOP_STREAM, _FOLDS_STREAM = range(3)


def split_groups(records: pd.DataFrame, *, config: SplitConfig, fold_validation: bool = True) -> pd.DataFrame:
    """Divide the records into fit, val and test, the fit rows into train and stop, all but test (or fit) into folds.

    Rows of the test folder (origin ``test``) are the test part; then none of the sheet's rows are. No row is set
    aside to stop on if that would leave fewer than two groups of a class to train on. Where the sheet gives a split
    (a column ``given_split``), its parts are taken; validation rows that it lacks are divided from its fit rows, and
    of given folds the first is the validation part.

    Args:
        records: One row per frame with ``image_id``, ``origin``, ``label`` and ``group``.
        config: Shares of the rows, folds and seed.
        fold_validation: Whether the validation rows are in the folds too, or only the fit rows.

    Returns:
        `SPLIT_COLUMNS` and ``seed``, in the records' order, and for a given split ``given``, as the sheet gives it.
        ``fold`` is a nullable integer. The same records in another order get the same parts.

    Raises:
        CohortError: There are too few groups of a class for the parts or folds asked for, or a label is missing, or
            the given split lacks a part or a class, or divides a group.
        ConfigError: The shares leave nothing to fit, or ``folds`` is 1.
    """
    _check_config(config)
    sheet = records[records["origin"] == "sheet"]
    table = _GroupTable.from_records(sheet)
    has_test_folder = len(sheet) < len(records)
    if is_given := GIVEN_SPLIT in sheet and bool((sheet[GIVEN_SPLIT] != "").any()):
        given = group_parts(sheet, table.names)
        parts = _take_given_parts(table, given, config=config, has_test_folder=has_test_folder)
    else:
        parts = _divide_into_parts(table, config=config, has_test_folder=has_test_folder)
    stop = _choose_stop(table, parts == "fit", config=config)
    divided = parts != "test" if fold_validation else parts == "fit"
    given_folds = fold_numbers(given) if is_given and fold_validation else None
    if given_folds is not None and config.folds:
        folds = take_folds(given_folds, config=config)
    else:
        folds = _divide_into_folds(table, divided, config=config)
    per_group = pd.DataFrame(
        {
            "part": parts,
            "use": np.where(parts == "fit", np.where(stop, "stop", "train"), "report"),
            "fold": pd.array(folds, dtype="Int64"),
        },
        index=table.names,
    )
    per_group.loc[per_group["fold"] < 0, "fold"] = pd.NA
    split = _spread_over_rows(records, per_group, seed=config.effective_seed)
    return split.assign(given=records[GIVEN_SPLIT].to_numpy()) if is_given else split


def fold_rows(records: pd.DataFrame, *, folds: int, seed: int) -> IntArray:
    """The fold of each row, by whole groups and with each class in each fold; shape (N,).

    Args:
        records: One row per frame with ``image_id``, ``label`` and ``group``.
        folds: Number of folds, 2 or more.
        seed: Seed of the division.

    Raises:
        CohortError: There are too few groups of a class for the folds, or a label is missing.
        ConfigError: There is only one fold.
    """
    config = SplitConfig(folds=folds, seed=seed)
    _check_config(config)
    table = _GroupTable.from_records(records)
    of_group = _divide_into_folds(table, np.ones(len(table.names), np.bool_), config=config)
    return records["group"].map(dict(zip(table.names, of_group.tolist(), strict=True))).to_numpy(np.int64)


@dataclass(frozen=True)
class _GroupTable:
    """How many rows of each class each group has.

    Attributes:
        names: Group names, sorted, so that nothing depends on the order of the rows.
        classes: Class names, sorted.
        counts: Rows, (groups, classes).
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    counts: IntArray

    @classmethod
    def from_records(cls, sheet: pd.DataFrame) -> _GroupTable:
        unlabelled = sheet.loc[sheet["label"] == "", "image_id"]
        if len(unlabelled):
            raise CohortError(f"{len(unlabelled)} rows of the sheet have no label, for example {unlabelled.iloc[0]!r}")
        counts = pd.crosstab(sheet["group"], sheet["label"]).sort_index(axis=0).sort_index(axis=1)
        if counts.shape[1] < 2:
            found = f"only {counts.columns[0]!r}" if counts.shape[1] else "no labelled frame"
            raise CohortError(f"a split needs frames of two classes; there is {found}")
        return cls(tuple(counts.index), tuple(counts.columns), counts.to_numpy(np.int64))

    def groups_per_class(self, among: BoolArray | None = None) -> IntArray:
        """Groups that hold each class."""
        held = (self.counts > 0) if among is None else (self.counts[among] > 0)
        return np.asarray(held.sum(axis=0), np.int64)

    def describe(self, among: BoolArray | None = None) -> str:
        """The number of groups of each class in words."""
        numbers = self.groups_per_class(among)
        return ", ".join(f"{n} of {name!r}" for name, n in zip(self.classes, numbers, strict=True))


def _check_config(config: SplitConfig) -> None:
    if config.folds == 1:
        raise ConfigError("split.folds must be 0 or at least 2; one fold would leave nothing to train on")
    test = config.test or 0.0
    if config.val + test >= 1.0:
        raise ConfigError(
            f"split.val ({config.val:g}) and split.test ({test:g}) leave no rows to train on; lower one of them"
        )


def _divide_into_parts(table: _GroupTable, *, config: SplitConfig, has_test_folder: bool) -> StrArray:
    test = 0.0 if has_test_folder else _test_share(table, config)
    names = np.array(["fit", "val", "test"] if test else ["fit", "val"])
    if most_complete_parts(table.counts) < len(names):
        raise CohortError(
            f"the rows cannot be divided into {' and '.join(names)} with both classes in each part: they form "
            f"{len(table.names)} groups ({table.describe()}), and groups are kept whole. "
            "Add frames of more patients or sources" + (", or set split.test=0" if test else "")
        )
    shares = np.array([1.0 - config.val - test, config.val, test][: len(names)])
    chosen = allocate(table.counts, shares=shares, rng=_stream(config, _PARTS_STREAM))
    return names[chosen]


def _take_given_parts(table: _GroupTable, given: StrArray, *, config: SplitConfig, has_test_folder: bool) -> StrArray:
    """The part of each group as the sheet gives it, with validation rows divided from the fit rows if it gives none."""
    parts = parts_of_given(given)
    check_given_parts(parts, has_test_folder=has_test_folder, test_share=config.test)
    if "val" not in parts:
        fit = parts == "fit"
        if most_complete_parts(table.counts[fit]) < 2:
            raise CohortError(
                f"the fit rows of the given split ({table.describe(fit)} groups) cannot be divided into fit and val"
                " with both classes in each; add a validation part to the sheet's split"
            )
        shares = np.array([1.0 - config.val, config.val])
        chosen = allocate(table.counts[fit], shares=shares, rng=_stream(config, _PARTS_STREAM))
        parts[fit] = np.array(["fit", "val"])[chosen]
    for part in np.unique(parts):
        if table.groups_per_class(parts == part).min() == 0:
            raise CohortError(
                f"the part {str(part)!r} of the given split holds frames of one class only (groups:"
                f" {table.describe(parts == part)}); correct the split in the sheet, or leave --split-column out"
            )
    return parts


def _test_share(table: _GroupTable, config: SplitConfig) -> float:
    if config.test is not None:
        return config.test
    enough = table.groups_per_class().min() >= _MIN_GROUPS_FOR_TEST
    return _DEFAULT_TEST_SHARE if enough and config.val + _DEFAULT_TEST_SHARE < 1 else 0.0


def _choose_stop(table: _GroupTable, fit: BoolArray, *, config: SplitConfig) -> BoolArray:
    """Whether each group is set aside from the fit part to choose the checkpoint on."""
    nothing = np.zeros(len(fit), np.bool_)
    counts = table.counts[fit]
    if config.stop == 0 or most_complete_parts(counts) < _MIN_TRAINING_GROUPS:
        return nothing
    shares = np.array([1.0 - config.stop, config.stop])
    stop = nothing.copy()
    stop[fit] = allocate(counts, shares=shares, rng=_stream(config, _STOP_STREAM)) == 1
    left = table.groups_per_class(fit & ~stop).min()
    enough = left >= _MIN_TRAINING_GROUPS and table.groups_per_class(stop).min() >= 1
    return stop if enough else nothing


def _divide_into_folds(table: _GroupTable, divided: BoolArray, *, config: SplitConfig) -> IntArray:
    """The fold of each group; -1 for none."""
    folds = np.full(len(divided), -1, np.int64)
    if config.folds == 0:
        return folds
    counts = table.counts[divided]
    most = most_complete_parts(counts)
    if most < config.folds:
        raise CohortError(
            f"{config.folds} folds need both classes in each fold; the groups ({table.describe(divided)}) allow "
            + (f"only {most}: set split.folds={most}" if most >= 2 else "no folds: set split.folds=0")
        )
    shares = np.full(config.folds, 1.0 / config.folds)
    folds[divided] = allocate(counts, shares=shares, rng=_stream(config, _FOLDS_STREAM))
    return folds


def _spread_over_rows(records: pd.DataFrame, per_group: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    from_sheet = (records["origin"] == "sheet").to_numpy()
    rows = records[["image_id", "group"]].reset_index(drop=True)
    rows = rows.join(per_group, on="group")
    rows.loc[~from_sheet, ["part", "use"]] = ["test", "report"]
    rows.loc[~from_sheet, "fold"] = pd.NA
    return rows[list(SPLIT_COLUMNS)].assign(seed=seed)


def _stream(config: SplitConfig, number: int) -> np.random.Generator:
    return np.random.default_rng([config.effective_seed, number])
