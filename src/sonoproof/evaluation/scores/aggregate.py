"""From frames to exams: one prediction per clip, exam or patient."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from sonoproof.classes import Classes
from sonoproof.errors import RunFolderError
from sonoproof.runfolder import PREDICTION_COLUMNS

Aggregation = Literal["mean_logit", "mean_probability", "max", "vote"]
AGGREGATIONS: tuple[Aggregation, ...] = ("mean_logit", "mean_probability", "max", "vote")
# Those that work on the logits of the frames; the others work on their probabilities or predicted classes.
OF_LOGITS: tuple[Aggregation, ...] = ("mean_logit", "max")

# Probabilities of 0 and 1 are moved inwards by this much, so that they have a logit.
_EPSILON = 1e-12


def aggregate(
    predictions: pd.DataFrame, *, by: str, classes: Classes, how: Aggregation = "mean_logit", threshold: float = 0.5
) -> pd.DataFrame:
    """Predictions of exams, in the columns of a prediction table and with ``n_frames``.

    Args:
        predictions: Predictions of frames, with the columns `PREDICTION_COLUMNS` and `by`.
        by: Column that names the exam of each frame; every frame needs one.
        classes: The class names.
        how: ``mean_logit``; ``mean_probability``; ``max``: the frame most likely positive decides; ``vote``: the
            share of frames predicted positive, (k + 1/2) / (n + 1) for k of n.
        threshold: Probability at or above which an exam, and for ``vote`` a frame, is predicted positive.

    Returns:
        One row per exam, in order of first appearance; ``image_id`` and ``path`` are the exam's name.

    Raises:
        RunFolderError: The column is missing or empty in some row, an exam has two labels or spans two groups.
    """
    if how not in AGGREGATIONS:
        raise ValueError(f"there is no aggregation {how!r}; there are {', '.join(AGGREGATIONS)}")
    _check_exams(predictions, by=by)
    exams = predictions.groupby(by, sort=False)
    logits = _exam_logits(predictions, by=by, how=how, threshold=threshold)
    probabilities = expit(logits.to_numpy())
    labels = _exam_labels(predictions, by=by, classes=classes)
    table = pd.DataFrame(
        {
            "image_id": logits.index.astype(str),
            "path": logits.index.astype(str),
            "group": exams["group"].first().to_numpy(),
            "source": exams["source"].first().to_numpy(),
            "label": labels.to_numpy(),
            "target": labels.map({classes.positive: 1.0, classes.negative: 0.0, "": np.nan}).to_numpy(),
            "logit": logits.to_numpy(),
            "probability": probabilities,
            "predicted": np.where(probabilities >= threshold, classes.positive, classes.negative),
            "n_frames": exams.size().to_numpy(),
        }
    )
    return table[[*PREDICTION_COLUMNS, "n_frames"]]


def _check_exams(predictions: pd.DataFrame, *, by: str) -> None:
    if by not in predictions.columns:
        raise RunFolderError(f"the predictions have no column {by!r}; there are {', '.join(predictions.columns)}")
    nameless = predictions[by].fillna("").astype(str) == ""
    if nameless.any():
        first = predictions.loc[nameless, "image_id"].iloc[0]
        raise RunFolderError(f"{int(nameless.sum())} frames have no {by} (first: {first}); name it or leave them out")
    spread = predictions.groupby(by, sort=False)["group"].nunique()
    if (spread > 1).any():
        raise RunFolderError(f"{by} {spread.idxmax()} has frames of {spread.max()} groups; an exam must lie within one")


def _exam_logits(predictions: pd.DataFrame, *, by: str, how: Aggregation, threshold: float) -> pd.Series[float]:
    frames = predictions.assign(
        logit=predictions["logit"].astype(float),
        probability=predictions["probability"].astype(float),
        positive=predictions["probability"].astype(float) >= threshold,
    ).groupby(by, sort=False)
    if how == "mean_logit":
        return frames["logit"].mean()
    if how == "max":
        return frames["logit"].max()
    if how == "mean_probability":
        chance = frames["probability"].mean().clip(_EPSILON, 1 - _EPSILON)
    else:
        chance = (frames["positive"].sum() + 0.5) / (frames.size() + 1)
    return pd.Series(logit(chance.to_numpy()), index=chance.index)


def _exam_labels(predictions: pd.DataFrame, *, by: str, classes: Classes) -> pd.Series[str]:
    label = predictions["label"].fillna("")
    holds = pd.DataFrame(
        {"positive": label == classes.positive, "negative": label == classes.negative, by: predictions[by]}
    )
    exams = holds.groupby(by, sort=False).any()
    both = exams["positive"] & exams["negative"]
    if both.any():
        raise RunFolderError(
            f"{int(both.sum())} of {len(both)} exams have frames of both classes (first: {both.idxmax()}); "
            "an exam needs one label: correct those of its frames"
        )
    named = np.where(exams["positive"], classes.positive, np.where(exams["negative"], classes.negative, ""))
    return pd.Series(named.astype(object), index=exams.index, dtype=str)
