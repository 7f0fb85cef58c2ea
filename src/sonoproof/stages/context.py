"""What several stages read: the records and their split, the frames, the features of the backbone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sonoproof.classes import Classes
from sonoproof.concurrency import map_in_order
from sonoproof.data.cohort.image_id import relative_file
from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import FrameStore, open_store
from sonoproof.data.frames.texture import texture_features
from sonoproof.data.split.leakage import check_no_leak
from sonoproof.errors import ConfigError
from sonoproof.manifest import fingerprint
from sonoproof.runfolder import RECORD_COLUMNS, SPLIT_COLUMNS, RunFolder, read_json, read_table
from sonoproof.stages.job import Job
from sonoproof.training.batches import LoadFrames, Rows, to_network
from sonoproof.training.features import BATCH, cached_features
from sonoproof.training.fit import SETTLE_FRAMES, LoadFeatures
from sonoproof.training.model import RANDOM, BinaryClassifier, backbone_image_size, load_backbone, resolve_device
from sonoproof.training.module import settle_batch_norm

__all__ = [
    "class_names",
    "features_of",
    "files_in",
    "frames_of",
    "group_columns",
    "probe_features",
    "records_and_split",
    "rows_of",
    "store_of",
]  # fmt: skip


def _preprocessing(job: Job) -> Preprocessing:
    size = job.config.frames.size or backbone_image_size(job.config.model)
    return Preprocessing(size=size, aspect=job.config.frames.aspect)


LoadMask = Callable[[str], npt.NDArray[np.bool_] | None]


def store_of(job: Job) -> FrameStore:
    """The store of decoded frames of a run."""
    return open_store(job.run.store, preprocessing=_preprocessing(job), frames=job.config.frames)


def frames_of(job: Job) -> tuple[LoadFrames, Preprocessing]:
    """What gives the frames of image ids, from the store; frames that it lacks are decoded into it."""
    records = read_table(job.run.records, columns=RECORD_COLUMNS)
    store = store_of(job)
    store.add(records, progress=job.progress)
    key_of = dict(zip(records["image_id"], records["sha256"], strict=True))

    def load(image_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
        return store.get([key_of[image_id] for image_id in image_ids])

    return load, store.preprocessing


def features_of(job: Job, load: LoadFrames, preprocessing: Preprocessing) -> LoadFeatures:
    """What gives the backbone's features of image ids: computed once for all frames, kept on disk, used by every stage.

    Nothing is computed before it is asked for.
    """

    @functools.cache
    def table() -> tuple[dict[str, int], npt.NDArray[np.float32]]:
        records = read_table(job.run.records, columns=RECORD_COLUMNS)
        image_ids = sorted(records["image_id"])
        sha256 = dict(zip(records["image_id"], records["sha256"], strict=True))
        features = cached_features(
            _backbone(job, load, image_ids, size=preprocessing.size),
            image_ids=image_ids,
            load=load,
            folder=job.run.store,
            content_key=fingerprint(preprocessing.key(), [sha256[image_id] for image_id in image_ids]),
            device=resolve_device(job.config.model.device),
            progress=job.progress,
        )
        return {image_id: row for row, image_id in enumerate(image_ids)}, features

    def load_features(image_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        row_of, features = table()
        return features[[row_of[image_id] for image_id in image_ids]]

    return load_features


def probe_features(job: Job, image_ids: Sequence[str]) -> tuple[npt.NDArray[np.float32], str]:
    """Features for the audit's cheap classifier, (N, D), and in words what they are.

    They come from the backbone where it is pretrained. A random network sees little, so without one the texture of
    the frames is described.
    """
    load, preprocessing = frames_of(job)
    if job.config.model.backbone != RANDOM:
        return features_of(job, load, preprocessing)(image_ids), "frozen features of the network"

    def describe(image_id: str) -> npt.NDArray[np.float32]:
        return texture_features(load([image_id])[0])

    described = map_in_order(describe, image_ids, workers=job.config.frames.workers, progress=job.progress)
    return np.stack(list(described)), "measures of edges, spots and grey levels"


def masks_of(job: Job) -> LoadMask | None:
    """What gives the truth mask of an image id as the network sees the frame; None where no masks were given."""
    if not job.config.explain.masks:
        return None
    folder = Path(job.config.explain.masks)
    if not folder.is_dir():
        raise ConfigError(f"--masks {folder}: there is no such folder")
    preprocessing = _preprocessing(job)

    def load(image_id: str) -> npt.NDArray[np.bool_] | None:
        path = (folder / relative_file(image_id)).with_suffix(".png")
        if not path.is_file():
            return None
        inside = decode(path, max_pixels=job.config.frames.max_pixels).max(axis=2, keepdims=True) > 0
        canvas = preprocessing(np.repeat(np.where(inside, 255, 0).astype(np.uint8), 3, axis=2))
        return canvas[..., 0] > 127

    return load


def _backbone(job: Job, load: LoadFrames, image_ids: Sequence[str], *, size: int) -> BinaryClassifier:
    """The backbone that features are taken from; a random one is settled on the frames, or its signal would die out."""
    classifier = load_backbone(job.config.model, seed=job.config.fit.seed, image_size=size)
    if not classifier.architecture.pretrained:
        some = image_ids[:: max(1, len(image_ids) // SETTLE_FRAMES)]
        batches = (to_network(load(some[k : k + BATCH])) for k in range(0, len(some), BATCH))
        settle_batch_norm(classifier, ((batch, batch) for batch in batches), device=torch.device("cpu"))
    return classifier


def records_and_split(run: RunFolder) -> pd.DataFrame:
    """The records with their part, use and fold; a leak between them is an error."""
    records = read_table(run.records, columns=RECORD_COLUMNS)
    parts = read_table(run.split, columns=SPLIT_COLUMNS)
    check_no_leak(parts, records, columns=group_columns(run))
    return records.merge(parts[["image_id", "part", "use", "fold"]], on="image_id", validate="one_to_one")


def rows_of(table: pd.DataFrame, *, positive: str) -> Rows:
    """Records as rows to learn from or to measure on."""
    return Rows(
        image_ids=tuple(table["image_id"]),
        targets=(table["label"] == positive).to_numpy().astype(np.float32),
        groups=tuple(table["group"]),
    )


def class_names(run: RunFolder) -> Classes:
    """Names of the negative and of the positive class of a run."""
    names = read_json(run.cohort, schema="cohort")["classes"]
    return Classes(negative=names["negative"], positive=names["positive"])


def group_columns(run: RunFolder) -> tuple[str, ...]:
    """Columns of the sheet whose values were kept together."""
    return tuple(read_json(run.cohort, schema="cohort")["group_columns"])


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder, but for hidden ones."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
