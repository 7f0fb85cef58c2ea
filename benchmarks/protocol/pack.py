"""Sets of frames made ready for training elsewhere: audited, grouped, divided into folds and packed into one file each.

A pack needs no label sheet, no image folder and no audit where it is read.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonoproof.config import Config, SplitConfig, override
from sonoproof.data.frames.preprocessing import Preprocessing, grey_plane
from sonoproof.runfolder import files_in
from sonoproof.training.batches import Rows

SIZE = 224
FOLDS = 5
TRAIN, STOP, HELD_OUT = range(3)
WEIGHTS = "weights"
QUALITY = 90  # of the canvases' JPEG


@dataclass(frozen=True)
class Source:
    """A set of frames on disk.

    Attributes:
        name: Its name in tables.
        sheet: Label sheet.
        images: Folder of its images.
        label: Column of the labels.
        positive: The positive label.
        patient: Column of the patients; None where they are not known.
        frames: Most frames that are taken, whole patients at random.
    """

    name: str
    sheet: Path
    images: Path
    label: str
    positive: str
    patient: str | None
    frames: int = 1000


def sources(data: Path, *, phantom: Path) -> tuple[Source, ...]:
    """The sets: those of a folder of real data, and a phantom, which is simulated into a folder if need be."""
    return (
        Source("breast", data / "breast/labels.xlsx", data / "breast/images", "Pathology", "malignant", "patient"),
        Source(
            "gallbladder", data / "gallbladder/labels.xlsx", data / "gallbladder/images", "diagnosis", "BA", "patient"
        ),
        Source("lung", data / "lung/labels.xlsx", data / "lung/images", "Healthy", "0", "patient_id"),
        Source("pcosgen", data / "pcosgen/train/class_label.xlsx", data / "pcosgen/train/images", "Healthy", "0", None),
        _phantom(phantom),
    )


def _phantom(folder: Path) -> Source:
    from sonoproof.phantom import PhantomConfig, write_cohort

    if not (folder / "truth.json").is_file():
        write_cohort(folder, config=PhantomConfig(patients=80, frames_per_patient=5, size_px=SIZE, seed=11))
    return Source("phantom", folder / "labels.xlsx", folder / "images", "Healthy", "0", "patient_id")


def pack(source: Source, *, weights: Path, into: Path) -> Path:
    """Audit a set, group its look-alikes with their patients, divide it into folds, and write it as one file.

    Args:
        source: The set.
        weights: Folder of the backbone, whose input size the frames are brought to.
        into: Folder of the pack.
    """
    with tempfile.TemporaryDirectory() as scratch:
        records, canvases = _audited(source, weights=weights, scratch=Path(scratch))
    rows, table = Rows.from_records(records, positive="positive"), _divided(records)
    encoded = [_smaller(Path(path), canvas) for path, canvas in zip(records["path"], canvases, strict=True)]
    contents = [content for content, _ in encoded]
    file = into / f"{source.name}.npz"
    np.savez(
        file,
        image_ids=np.array(rows.image_ids),
        targets=rows.targets,
        groups=np.array(rows.groups),
        use=table,
        whole=np.array([whole for _, whole in encoded]),
        ends=np.cumsum([len(content) for content in contents]),
        content=np.frombuffer(b"".join(contents), np.uint8),
    )
    return file


def copy_weights(weights: Path, into: Path) -> None:
    """The backbone beside the sets."""
    (into / WEIGHTS).mkdir(exist_ok=True)
    for file in files_in(weights):
        shutil.copyfile(file, into / WEIGHTS / file.name)


def _audited(source: Source, *, weights: Path, scratch: Path) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """The records with their groups, and their canvases."""
    from sonoproof.pipeline import STAGES, run
    from sonoproof.runfolder import RECORD_COLUMNS, read_table
    from sonoproof.stages.context import Inputs, RunContext

    table = _chosen(source)
    table.to_csv(scratch / "labels.csv", index=False)
    columns = ["patient"] if source.patient else []
    sheet = {"image_column": "imagePath", "label_column": "label", "positive": "positive", "group_columns": columns}
    settings = {"sheet": sheet, "model": {"backbone": str(weights)}, "frames": {"size": SIZE}}
    config = override(Config(), settings, origin="pack")
    inputs = Inputs(scratch / "labels.csv", source.images)
    folder = run(scratch / "run", inputs=inputs, config=config, stages_wanted=STAGES[:1])
    records = read_table(folder.records, columns=RECORD_COLUMNS)
    return records, RunContext(folder, config=config).frames(list(records["image_id"]))


def _chosen(source: Source) -> pd.DataFrame:
    """File, label and patient of the frames taken: whole patients, drawn at random."""
    table = pd.read_excel(source.sheet, dtype=str)
    patients: pd.Series[str] = table[source.patient] if source.patient else pd.Series(table.index.astype(str))
    order = {name: place for place, name in enumerate(np.random.default_rng(0).permutation(patients.unique()))}
    rank = patients.map(order)
    enough = rank.sort_values().iloc[min(source.frames, len(rank)) - 1]
    label = np.where(table[source.label] == source.positive, "positive", "negative")
    chosen = pd.DataFrame({"imagePath": table["imagePath"], "label": label, "patient": patients})
    if not source.patient:
        del chosen["patient"]
    return pd.DataFrame(chosen[rank <= enough])


def _divided(records: pd.DataFrame) -> NDArray[np.int8]:
    """(folds, N): what each frame is used for when each fold is held out."""
    from sonoproof.data.split.split import split_groups
    from sonoproof.stages.trainings import fold_parts

    config = SplitConfig(test=0.0, folds=FOLDS)
    table = records.merge(split_groups(records, config=config).drop(columns="group"), on="image_id")
    use = np.full((FOLDS, len(records)), HELD_OUT, np.int8)
    place = {image_id: k for k, image_id in enumerate(records["image_id"])}
    for fold, parts in enumerate(fold_parts(table, config=config, positive="positive")):
        for rows, what in ((parts.train, TRAIN), (parts.stop, STOP)):
            use[fold, [place[image_id] for image_id in rows.image_ids]] = what
    return use


def _smaller(path: Path, canvas: NDArray[np.uint8]) -> tuple[bytes, bool]:
    """A canvas as JPEG, or its whole image file where that is smaller."""
    plane = grey_plane(canvas)
    pixels = canvas[..., ::-1] if plane is None else plane
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    whole = path.read_bytes()
    return (whole, True) if len(whole) < len(encoded) else (encoded, False)


@dataclass(frozen=True)
class Packed:
    """A set as it was packed.

    Attributes:
        name: Its name.
        rows: (N) its frames, targets and groups.
        use: (folds, N) what each frame is used for when each fold is held out.
        canvases: (N, S, S, 3) the frames as the network takes them.
    """

    name: str
    rows: Rows
    use: NDArray[np.int8]
    canvases: NDArray[np.uint8]


def read_rows(file: Path) -> tuple[Rows, NDArray[np.int8]]:
    """The rows of a packed set, and what each is used for when each fold is held out, (folds, N)."""
    with np.load(file, allow_pickle=False) as content:
        ids, groups = (tuple(content[name].tolist()) for name in ("image_ids", "groups"))
        return Rows(ids, content["targets"], groups), content["use"]


def read_packed(file: Path, *, scratch: Path) -> Packed:
    """A packed set, its canvases in a file that processes share.

    Args:
        file: The packed set.
        scratch: Folder of the canvases; decoded there once.
    """
    rows, use = read_rows(file)
    decoded = scratch / f"{file.stem}.npy"
    if not decoded.is_file():
        np.save(decoded, _decoded(file))
    return Packed(file.stem, rows, use, np.load(decoded, mmap_mode="r"))


def _decoded(file: Path) -> NDArray[np.uint8]:
    preprocessing = Preprocessing(SIZE)
    with np.load(file, allow_pickle=False) as packed:
        content, ends, whole = packed["content"], packed["ends"], packed["whole"]
    starts = np.concatenate([[0], ends[:-1]])
    canvases = np.empty((len(ends), SIZE, SIZE, 3), np.uint8)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(content[start:end], cv2.IMREAD_COLOR))[..., ::-1])
        canvases[k] = preprocessing(image.astype(np.uint8)) if whole[k] else image
    return canvases
