"""From frames to answers, for rows of a cohort and for image files alike. Needs neither torch nor pandas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonoproof.errors import FrameError
from sonoproof.inference.engines import Engine
from sonoproof.progress import SILENT, Progress
from sonoproof.training.model_spec import ModelSpec
from sonoproof.training.verdict import NOT_SURE, UNLIKE
from sonoproof.types import FloatArray, LoadFrames, StrArray, UInt8Array


@dataclass(frozen=True)
class Scores:
    """What is measured of N frames.

    Attributes:
        logits: The network's, of the positive class, before calibration, shape (N,).
        novelty: Above 1, a frame does not resemble the training frames; NaN where that was not learned, shape (N,).
    """

    logits: FloatArray
    novelty: FloatArray


@dataclass(frozen=True)
class Verdicts:
    """What the model answers for N frames; each array has the shape (N,).

    Attributes:
        probabilities: Calibrated, of the positive class.
        predicted: Names of the predicted classes.
        answers: The same, or "not sure", or "unlike the training frames".
    """

    probabilities: FloatArray
    predicted: StrArray
    answers: StrArray


def score(engine: Engine, frames: UInt8Array) -> Scores:
    """Score (N, size, size, 3) canvases."""
    known = engine.spec.novelty
    return Scores(engine.logits(frames), np.full(len(frames), np.nan) if known is None else known.score(frames))


def score_rows(
    engine: Engine, image_ids: Sequence[str], *, load: LoadFrames, batch: int = 32, progress: Progress = SILENT.progress
) -> Scores:
    """Score rows of a cohort.

    Args:
        engine: The model.
        image_ids: The frames.
        load: Gives them, as the network takes them.
        batch: Frames per batch.
        progress: Told the frames done and the frames in all.

    Raises:
        FrameError: The model gives no finite number for a frame.
    """
    found = Scores(np.empty(len(image_ids)), np.empty(len(image_ids)))
    for start in range(0, len(image_ids), batch):
        part = image_ids[start : start + batch]
        place, scores = slice(start, start + len(part)), score(engine, load(part))
        found.logits[place], found.novelty[place] = scores.logits, scores.novelty
        progress(place.stop, len(image_ids))
    check_finite(found, names=image_ids)
    return found


def judge(scores: Scores, spec: ModelSpec) -> Verdicts:
    """Apply the decision of a model to scores."""
    positive = spec.decision.predicts_positive(scores.logits)
    predicted = np.where(positive, spec.classes.positive, spec.classes.negative)
    named = np.where(spec.decision.sure(scores.logits), predicted, NOT_SURE)
    answers = np.where(scores.novelty > 1, UNLIKE, named)
    return Verdicts(spec.decision.probability(scores.logits), predicted, answers)


def check_finite(scores: Scores, *, names: Sequence[str | Path]) -> None:
    """Check that every frame has a logit.

    Args:
        scores: The scores.
        names: Ids or paths of the frames.

    Raises:
        FrameError: The model gave no finite number for one.
    """
    finite = np.isfinite(scores.logits)
    if not finite.all():
        raise FrameError("the model gave no finite number", path=names[int(np.argmin(finite))])
