"""Predictions: a saved model answers for frames, one row for each frame asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sonoproof.config import FramesConfig
from sonoproof.data.frames import decode
from sonoproof.errors import CohortError, FrameError
from sonoproof.runfolder import PREDICTION_COLUMNS
from sonoproof.training.batches import LoadFrames, to_network
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.decision import calibrated

__all__ = ["calibrated_probability", "list_files", "predict_files", "predict_records", "score"]

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
FILE_COLUMNS = ("path", "predicted", "probability", "logit", "positive_class", "threshold", "reason")


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


def list_files(paths: Sequence[Path]) -> list[Path]:
    """The files that were asked for: files as named, folders searched for images, each file once.

    Raises:
        CohortError: A path does not exist, or a folder holds no image.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES
            )
            if not inside:
                raise CohortError(f"{path}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise CohortError(f"{path}: there is no such file or folder")
    return list(found)


def predict_files(
    bundle: ModelBundle,
    *,
    files: Sequence[Path],
    frames: FramesConfig,
    device: torch.device,
    batch: int = 32,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict image files; a file that cannot be read gets a row with its reason and no prediction.

    Args:
        bundle: The model.
        files: The files.
        frames: Limits on the size of images.
        device: Where the network runs.
        batch: Frames a batch.
        progress: Told the files done and the files in all.

    Returns:
        One row a file, in their order: ``path``, ``predicted``, ``probability``, ``logit``, ``positive_class``,
        ``threshold``, ``reason``.
    """
    parts: list[pd.DataFrame] = []
    for canvases, readable, reasons, chunk in _decoded(bundle, files=files, frames=frames, batch=batch):
        table = pd.DataFrame({"path": [str(file) for file in chunk], "reason": reasons})
        logits = np.full(len(chunk), np.nan)
        if readable:
            keys = [str(k) for k in range(len(canvases))]
            found = score(bundle, image_ids=keys, load=lambda _keys, c=canvases: c, device=device, batch=batch)  # type: ignore[misc]
            logits[readable] = found
        table = table.assign(**_answers(bundle, logits))
        table.loc[table["reason"] != "", "predicted"] = ""
        parts.append(table)
        if progress is not None:
            progress(sum(map(len, parts)), len(files))
    whole = pd.concat(parts, ignore_index=True)
    return whole.assign(positive_class=bundle.positive, threshold=bundle.operating_point.threshold)[list(FILE_COLUMNS)]


def _decoded(
    bundle: ModelBundle, *, files: Sequence[Path], frames: FramesConfig, batch: int
) -> Iterator[tuple[npt.NDArray[np.uint8], list[int], list[str], Sequence[Path]]]:
    """Chunks of files: the canvases of the readable ones, their positions, and the reason of each other one."""
    for start in range(0, len(files), batch):
        chunk = files[start : start + batch]
        canvases, readable, reasons = [], [], []
        for position, file in enumerate(chunk):
            try:
                canvases.append(bundle.preprocessing(decode(file, max_pixels=frames.max_pixels)))
                readable.append(position)
                reasons.append("")
            except FrameError as error:
                reasons.append(error.reason)
        stacked = np.stack(canvases) if canvases else np.empty((0, 1, 1, 3), np.uint8)
        yield stacked, readable, reasons, chunk


def _answers(bundle: ModelBundle, logits: Floats) -> dict[str, npt.NDArray[Any]]:
    probability = calibrated_probability(bundle, logits)
    positive = probability >= bundle.operating_point.threshold
    return {
        "logit": logits,
        "probability": probability,
        "predicted": np.where(positive, bundle.positive, bundle.negative),
    }
