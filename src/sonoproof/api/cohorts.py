"""Reading a cohort, dividing it without leaks, and simulating one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sonoproof.api.progress import shown
from sonoproof.config import Config, override
from sonoproof.data.cohort.cohort import Cohort, build_cohort
from sonoproof.data.split.leakage import check_no_leak
from sonoproof.data.split.split import fold_rows, split_groups
from sonoproof.errors import CohortError, ConfigError, ScoreError
from sonoproof.evaluation.scores.given import one_dimensional, require_same_rows
from sonoproof.phantom import PhantomCohort, PhantomConfig, write_cohort
from sonoproof.types import IndexArray
from sonoproof.wording import counted

_NEEDED = ("image_id", "label", "group")


def read_cohort(sheet: str | Path, *, images: str | Path, **settings: Any) -> Cohort:
    """Read a label sheet and find its images; no image is decoded.

    Args:
        sheet: The label sheet: xlsx, xls, ods or csv.
        images: Folder with its images.
        settings: Settings of the table ``sheet``, such as ``positive="malignant"``.

    Returns:
        Rows that can be used (``records``) and rows that cannot (``quarantine``), both as pandas tables, ``classes``,
        and what was ``inferred``.

    Raises:
        SheetError: The sheet cannot be read, or what it says is not clear.
        CohortError: No image is found, or only one class is left.
        ConfigError: A setting is not valid.
    """
    config = override(Config(), {"sheet": settings}, origin="read_cohort")
    return build_cohort(Path(sheet), images=Path(images), config=config.sheet)


def split(records: pd.DataFrame, *, seed: int = 0, **settings: Any) -> pd.DataFrame:
    """Divide records into fit, val and test by whole groups.

    Args:
        records: One row per image with ``image_id``, ``label`` and ``group``, as in `Run.records`: the group joins
            patients and look-alike frames. With ``origin``, rows of a test folder (``test``) are the test part.
        seed: Seed of the division.
        settings: Settings of the table ``split``, such as ``val=0.2`` or ``folds=5``.

    Returns:
        ``image_id``, ``group``, ``part`` (fit, val, test), ``use`` (train, stop, report), ``fold`` and ``seed``, in the
        order of the records.

    Raises:
        CohortError: A column is missing, or there are too few groups of a class.
        ConfigError: A setting is not valid.
    """
    missing = [name for name in _NEEDED if name not in records.columns]
    if missing:
        raise CohortError(
            f"the records have no column {', '.join(missing)}; groups come from an audit (Run.records), or set them: "
            "records.assign(group=records['patient_id'])"
        )
    for name in _NEEDED:
        nameless = records.index[records[name].isna() | (records[name].astype(str) == "")]
        if len(nameless):
            raise CohortError(f"{counted(len(nameless), 'record')} without {name} (first: index {nameless[0]}); add it")
    config = override(Config(), {"split": settings, "seed": seed}, origin="split").split
    given = records if "origin" in records.columns else records.assign(origin="sheet")
    divided = split_groups(given, config=config)
    check_no_leak(divided, given, by_source="source" in given.columns, columns=())
    return divided


class GroupedSplit:
    """A scikit-learn splitter whose folds never divide a group; each fold has its share of the classes.

    Args:
        n_splits: Number of folds, 2 or more.
        seed: Seed of the division. The order of the rows makes no difference.
    """

    def __init__(self, n_splits: int = 5, *, seed: int = 0) -> None:
        if n_splits < 2:
            raise ConfigError(f"n_splits must be 2 or more, not {n_splits}")
        self.n_splits, self.seed = n_splits, seed

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IndexArray, IndexArray]]:
        """Yield the rows to train on and the rows to test on, for each fold.

        Args:
            X: Anything with one entry per row.
            y: The labels, shape (N,).
            groups: Patient, clip or other source of each row, shape (N,). Required.

        Raises:
            ScoreError: There are no groups or labels, or not one per row.
            CohortError: There are too few groups of a class for the folds.
        """
        if groups is None or y is None:
            raise ScoreError("GroupedSplit needs labels and groups: without groups, frames of a patient would leak")
        require_same_rows(X=X, y=y, groups=groups)
        labels, names = (
            pd.Series(one_dimensional(values, what=what)) for values, what in ((y, "y"), (groups, "groups"))
        )
        if labels.isna().any() or names.isna().any() or (names.astype(str) == "").any():
            raise ScoreError("every row needs a label and a group")
        table = pd.DataFrame({"label": labels.astype(str), "group": names.astype(str)})
        records = table.assign(image_id=table.index.astype(str))
        folds = fold_rows(records, folds=self.n_splits, seed=self.seed)
        for fold in np.unique(folds):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002
        """Number of folds."""
        return self.n_splits


def simulate(out: str | Path, *, progress: bool = False, **settings: Any) -> PhantomCohort:
    """Simulate ovarian ultrasound whose truth is known.

    Args:
        out: Folder to write; must be new or empty.
        progress: Whether to show a bar.
        settings: What to simulate, such as ``patients=24`` or ``caliper=True``; see `PhantomConfig`.

    Returns:
        Paths of ``sheet``, ``images``, ``masks`` and ``truth``.

    Raises:
        ConfigError: A setting is not valid.
        SonoproofError: The folder cannot be written.
    """
    known = PhantomConfig.__dataclass_fields__
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise TypeError(f"simulate() has no setting {unknown[0]!r}; there are {', '.join(known)}")
    with shown(progress) as reporter:
        reporter.stage("simulating")
        return write_cohort(Path(out), config=PhantomConfig(**settings), progress=reporter.progress)
