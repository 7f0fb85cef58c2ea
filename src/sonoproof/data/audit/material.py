"""What every detector looks at."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.data.lookalike import LookalikeResult
from sonoproof.types import BoolArray


@dataclass(frozen=True)
class Material:
    """The data set under audit, before anything is done about it.

    Attributes:
        records: Usable rows of the sheet and of the test folder, numbered from 0, with ``source`` and ``group``.
        measures: Measures of their frames (`describe_frame`), with the same index.
        quarantine: Rows that could not be used, `QUARANTINE_COLUMNS`.
        classes: The two classes.
        group_columns: Group columns of the sheet.
        lookalikes: What the look-alike search found, or None where it was not run.
        bits: The depth of the frames.
    """

    records: pd.DataFrame
    measures: pd.DataFrame
    quarantine: pd.DataFrame
    classes: Classes
    group_columns: tuple[str, ...]
    lookalikes: LookalikeResult | None
    bits: int = 8

    @property
    def class_names(self) -> tuple[str, str]:
        """Names of the negative and of the positive class."""
        return self.classes.negative, self.classes.positive

    @property
    def of_sheet(self) -> BoolArray:
        """Which rows are the sheet's, bool (N,)."""
        return (self.records["origin"] == "sheet").to_numpy(dtype=bool)

    @property
    def sheet_records(self) -> pd.DataFrame:
        """The records of the sheet."""
        return self.records[self.of_sheet]

    @property
    def labelled(self) -> BoolArray:
        """Which rows of the sheet have a label, bool (N,)."""
        return self.of_sheet & self.records["label"].isin(self.class_names).to_numpy(dtype=bool)
