"""Predictions: a saved model answers for the rows of a cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sonoproof.errors import FrameError
from sonoproof.runfolder import PREDICTION_COLUMNS
from sonoproof.training.batches import LoadFrames, to_network
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.decision import calibrated

__all__ = ["calibrated_probability", "predict_records", "score"]

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]


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
        One row a record, in their order, with the columns `PREDICTION_COLUMNS`.
    """
    logits = score(
        bundle, image_ids=list(records["image_id"]), load=load, device=device, batch=batch, progress=progress
    )
    table = records[["image_id", "path", "group", "source", "label"]].reset_index(drop=True)
    target = table["label"].map({bundle.positive: 1.0, bundle.negative: 0.0})
    return table.assign(target=target, **_answers(bundle, logits))[list(PREDICTION_COLUMNS)]


@torch.inference_mode()
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
    classifier = bundle.classifier.to(device).eval()
    logits = np.empty(len(image_ids))
    for start in range(0, len(image_ids), batch):
        part = image_ids[start : start + batch]
        logits[start : start + len(part)] = classifier(to_network(load(part), device=device)).float().cpu().numpy()
        if progress is not None:
            progress(start + len(part), len(image_ids))
    if not np.isfinite(logits).all():
        raise FrameError(f"the model gave no finite number for {image_ids[int(np.argmin(np.isfinite(logits)))]!r}")
    return logits


def calibrated_probability(bundle: ModelBundle, logits: Floats) -> Floats:
    """Probability of the positive class for (N) logits, with the bundle's calibration."""
    return calibrated(logits, calibration=bundle.calibration)


def _answers(bundle: ModelBundle, logits: Floats) -> dict[str, npt.NDArray[Any]]:
    probability = calibrated_probability(bundle, logits)
    positive = probability >= bundle.operating_point.threshold
    return {
        "logit": logits,
        "probability": probability,
        "predicted": np.where(positive, bundle.positive, bundle.negative),
    }
