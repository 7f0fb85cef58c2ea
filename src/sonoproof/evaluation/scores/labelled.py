"""The rows of a prediction table that have a label, checked before anything is computed from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from sonoproof.classes import Classes
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import FloatArray

# Probabilities may be rounded in a table, but not to another prediction.
_TOLERANCE = 1e-3
_SHOWN = 3


def labelled_rows(predictions: pd.DataFrame, *, classes: Classes) -> pd.DataFrame:
    """The rows with a label, in the table's order, after checking that they can be scored.

    Args:
        predictions: Table with the columns `PREDICTION_COLUMNS`.
        classes: The class names.

    Raises:
        RunFolderError: A frame is listed twice, a label is not a class, a target contradicts the label, or logit and
            probability are missing or disagree.
    """
    rows = predictions[predictions["label"].fillna("") != ""].reset_index(drop=True)
    positive = rows["label"] == classes.positive
    known = positive | (rows["label"] == classes.negative)
    target = pd.to_numeric(rows["target"]).astype("float64")
    logit = _scores(rows)
    probability = pd.to_numeric(rows["probability"]).astype("float64")
    _require(rows, ~rows["image_id"].duplicated(keep=False), "the frame is listed more than once")
    _require(rows, known, f"the label is neither {classes.negative!r} nor {classes.positive!r}")
    _require(rows, target.isna() | (target == positive), "the target contradicts the label")
    own = pd.to_numeric(rows["logit"]).astype("float64")
    _require(rows, np.isfinite(logit) & np.isfinite(own), "the logit is missing or not finite")
    agree = np.abs(expit(logit) - probability) <= _TOLERANCE
    _require(rows, agree, "the probability is not the sigmoid of the logit")
    return rows


def scored(rows: pd.DataFrame, *, classes: Classes, threshold: float | FloatArray) -> ScoredRows:
    """The rows from `labelled_rows` with their calibrated logits, predicted positive at or above `threshold`.

    They are ranked by the network's own logits: where each fold of rows was calibrated by the others, calibrated logits
    of two folds are on two scales, and isotonic calibration makes ties.

    Args:
        rows: The rows.
        classes: The class names.
        threshold: One probability, or one per row, shape (N,).
    """
    targets = (rows["label"] == classes.positive).to_numpy()
    probabilities = pd.to_numeric(rows["probability"]).to_numpy(dtype=np.float64)
    logits = np.asarray(_scores(rows), dtype=np.float64)
    own = pd.to_numeric(rows["logit"]).to_numpy(dtype=np.float64)
    return ScoredRows(targets, logits, probabilities >= threshold, own)


def row_thresholds(rows: pd.DataFrame, *, otherwise: float) -> FloatArray:
    """The threshold that each row was decided with, shape (N,); `otherwise` where the table has none."""
    if "threshold" not in rows.columns:
        return np.full(len(rows), otherwise)
    return pd.to_numeric(rows["threshold"]).fillna(otherwise).to_numpy(dtype=np.float64)


def _scores(rows: pd.DataFrame) -> pd.Series[float]:
    """The logits behind the probabilities: the calibrated ones, if rows were calibrated."""
    column = "calibrated_logit" if "calibrated_logit" in rows.columns else "logit"
    return pd.to_numeric(rows[column]).astype("float64")


def resampling_units(rows: pd.DataFrame, *, unit: str) -> npt.NDArray[np.str_]:
    """What each row is resampled with: its value of the column `unit`; a row without one is on its own.

    Args:
        rows: Rows from `labelled_rows`.
        unit: Column such as ``group``, ``source`` or ``patient_id``; ``row`` takes every row on its own.

    Returns:
        Shape (N,).

    Raises:
        RunFolderError: There is no such column.
    """
    alone = "row:" + rows["image_id"].astype(str)
    if unit == "row":
        return alone.to_numpy(dtype=str)
    if unit not in rows.columns:
        raise RunFolderError(
            f"the predictions have no column {unit!r} to resample by; there are {', '.join(map(str, rows.columns))}"
        )
    named = rows[unit].fillna("").astype(str)
    return alone.where(named == "", "unit:" + named).to_numpy(dtype=str)


def _require(rows: pd.DataFrame, holds: npt.ArrayLike, fault: str) -> None:
    faults = ~np.asarray(holds, dtype=bool)
    if faults.any():
        faulty = rows.loc[faults, "image_id"].astype(str).tolist()
        more = f" and {len(faulty) - _SHOWN} more" if len(faulty) > _SHOWN else ""
        raise RunFolderError(
            f"predictions cannot be evaluated: {fault} ({', '.join(faulty[:_SHOWN])}{more}); predict this part again"
        )
