"""The labelled rows of a part, ready to be measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.scores.labelled import labelled_rows, resampling_units, row_thresholds, scored
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import FloatArray


@dataclass(frozen=True)
class LabelledPart:
    """The labelled rows of a part.

    Attributes:
        classes: The class names.
        table: The rows of the prediction table, in its order.
        thresholds: Probability at or above which each row is predicted positive, shape (N,).
        rows: The same rows with targets and scores.
        units: What each row is resampled with, shape (N,).
    """

    classes: Classes
    table: pd.DataFrame
    thresholds: FloatArray
    rows: ScoredRows
    units: npt.NDArray[np.str_]

    @classmethod
    def from_predictions(
        cls,
        predictions: pd.DataFrame,
        *,
        classes: Classes,
        config: EvaluateConfig,
        unit: str = "group",
        threshold: float | None = None,
    ) -> LabelledPart:
        """The labelled rows of a prediction table.

        Args:
            predictions: Table with the columns `PREDICTION_COLUMNS`.
            classes: The class names.
            config: The threshold of rows that have none.
            unit: Column whose values are resampled.
            threshold: One threshold for all rows, instead of their own.

        Raises:
            RunFolderError: The table cannot be evaluated; the message names the frames.
        """
        table = labelled_rows(predictions, classes=classes)
        cuts = row_thresholds(table, otherwise=config.threshold)
        cuts = cuts if threshold is None else np.full(len(table), threshold)
        rows = scored(table, classes=classes, threshold=cuts)
        return cls(classes, table, cuts, rows, resampling_units(table, unit=unit))
