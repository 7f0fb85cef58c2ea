"""Predictions for the rows of a cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sonoproof.inference.scoring import Scores, judge
from sonoproof.runfolder import PREDICTION_COLUMNS
from sonoproof.training.model_spec import ModelSpec


def answer_rows(records: pd.DataFrame, *, spec: ModelSpec, scores: Scores) -> pd.DataFrame:
    """The prediction table of scored rows.

    Beside `PREDICTION_COLUMNS` (``logit`` is the network's own, ``probability`` the calibrated one) it has
    ``calibrated_logit``, whose sigmoid is the probability, the ``threshold`` of each row, ``answer``, which is the
    predicted class or why none is named, and ``unlike``, the novelty score.

    Args:
        records: Rows with ``image_id``, ``path``, ``group``, ``source``, ``label``.
        spec: The model's classes, and the decision to apply.
        scores: The scores of the rows, in their order.
    """
    table = records[["image_id", "path", "group", "source", "label"]].reset_index(drop=True)
    verdicts, decision = judge(scores, spec), spec.decision
    answers: dict[str, Any] = {
        "target": table["label"].map({spec.classes.positive: 1.0, spec.classes.negative: 0.0}),
        "logit": scores.logits,
        "probability": verdicts.probabilities,
        "predicted": verdicts.predicted,
        "calibrated_logit": decision.calibration.apply(scores.logits),
        "threshold": np.full(len(table), decision.operating_point.threshold),
        "answer": verdicts.answers,
        "unlike": scores.novelty,
    }
    further = [name for name in answers if name not in PREDICTION_COLUMNS]
    return table.assign(**answers)[[*PREDICTION_COLUMNS, *further]]
