"""Predictions: a saved model answers for the rows of a cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sonoproof.errors import FrameError
from sonoproof.runfolder import PREDICTION_COLUMNS
from sonoproof.training.batches import LoadFrames, to_network
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.verdict import answers_of

__all__ = [
    "Scores",
    "answer_rows",
    "predict_records",
    "score",
    "score_frames",
]

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What the network says of frames.

    Attributes:
        logits: Of the positive class, before calibration, shape (N,).
        unlike: How unlike the training frames, more than 1 is unlike; NaN where that was not learned, shape (N,).
    """

    logits: Floats
    unlike: Floats


def predict_records(
    bundle: ModelBundle,
    *,
    records: pd.DataFrame,
    load: LoadFrames,
    device: torch.device,
    batch: int = 32,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict rows of a cohort.

    Args:
        bundle: The model.
        records: Rows with ``image_id``, ``path``, ``group``, ``source``, ``label``.
        load: Gives the frames of image ids, as the network takes them.
        device: Where the network runs.
        batch: Frames a batch.
        progress: Told the frames done and the frames in all.

    Returns:
        One row a record, in their order, with the columns `PREDICTION_COLUMNS` and those of `answer_rows`.
    """
    scores = score_frames(
        bundle, image_ids=list(records["image_id"]), load=load, device=device, batch=batch, progress=progress
    )
    return answer_rows(records, bundle=bundle, scores=scores)


def answer_rows(records: pd.DataFrame, *, bundle: ModelBundle, scores: Scores) -> pd.DataFrame:
    """The prediction table of scored rows.

    Beside `PREDICTION_COLUMNS` (``logit`` is the network's own, ``probability`` the calibrated one) it has
    ``calibrated_logit``, whose sigmoid is the probability, the ``threshold`` of each row, ``answer``, which is the
    class predicted or why none is named, and ``unlike``.

    Args:
        records: Rows with ``image_id``, ``path``, ``group``, ``source``, ``label``.
        bundle: The model, with the decision to apply.
        scores: What the network says of the rows, in their order.
    """
    table = records[["image_id", "path", "group", "source", "label"]].reset_index(drop=True)
    target = table["label"].map({bundle.positive: 1.0, bundle.negative: 0.0})
    answers = _answers(bundle, scores)
    further = [name for name in answers if name not in PREDICTION_COLUMNS]
    return table.assign(target=target, **answers)[[*PREDICTION_COLUMNS, *further]]


def score(
    bundle: ModelBundle,
    *,
    image_ids: Sequence[str],
    load: LoadFrames,
    device: torch.device,
    batch: int = 32,
    progress: Progress | None = None,
) -> Floats:
    """Logits of the positive class for (N) image ids, before calibration.

    Args:
        bundle: The model.
        image_ids: The frames.
        load: Gives them, as the network takes them.
        device: Where the network runs.
        batch: Frames a batch.
        progress: Told the frames done and the frames in all.
    """
    scores = score_frames(bundle, image_ids=image_ids, load=load, device=device, batch=batch, progress=progress)
    return scores.logits


@torch.inference_mode()
def score_frames(
    bundle: ModelBundle,
    *,
    image_ids: Sequence[str],
    load: LoadFrames,
    device: torch.device,
    batch: int = 32,
    progress: Progress | None = None,
) -> Scores:
    """Logits of the positive class for (N) image ids, before calibration, and how unlike the training frames they are.

    Args:
        bundle: The model.
        image_ids: The frames.
        load: Gives them, as the network takes them.
        device: Where the network runs.
        batch: Frames a batch.
        progress: Told the frames done and the frames in all.
    """
    classifier = bundle.classifier.to(device).eval()
    logits, unlike = np.empty(len(image_ids)), np.full(len(image_ids), np.nan)
    for start in range(0, len(image_ids), batch):
        part = image_ids[start : start + batch]
        frames, place = load(part), slice(start, start + len(part))
        logits[place] = classifier(to_network(frames, device=device)).float().cpu().numpy()
        if bundle.likeness is not None:
            unlike[place] = bundle.likeness.score(frames)
        if progress is not None:
            progress(start + len(part), len(image_ids))
    if not np.isfinite(logits).all():
        raise FrameError(f"the model gave no finite number for {image_ids[int(np.argmin(np.isfinite(logits)))]!r}")
    return Scores(logits, unlike)


def _answers(bundle: ModelBundle, scores: Scores) -> dict[str, npt.NDArray[Any]]:
    decision = bundle.decision
    positive = decision.called(scores.logits)
    predicted = np.where(positive, bundle.positive, bundle.negative)
    return {
        "logit": scores.logits,
        "probability": decision.probability(scores.logits),
        "predicted": predicted,
        "calibrated_logit": decision.calibration.apply(scores.logits),
        "threshold": np.full(len(positive), decision.operating_point.threshold),
        "answer": answers_of(predicted, sure=decision.sure(scores.logits), unlike=scores.unlike),
        "unlike": scores.unlike,
    }
