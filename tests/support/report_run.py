"""A made-up run folder with every file that the report reads; no frame in it is real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from sonoproof.config import Config, EvaluateConfig, to_toml
from sonoproof.evaluation.evaluate.evaluate import evaluate_run
from sonoproof.runfolder import (
    PREDICTION_COLUMNS,
    QUARANTINE_COLUMNS,
    RECORD_COLUMNS,
    SPLIT_COLUMNS,
    RunFolder,
    write_json,
    write_table,
    write_text,
)

CLASSES = {"negative": "healthy", "positive": "unhealthy"}
PART_SIZES = {"fit": 360, "val": 120, "test": 90}
FRAMES_PER_GROUP = 6


def make_run(root: Path, *, hostile: str = "", preview_side: int = 320) -> RunFolder:
    """Write a whole run; `hostile` is put wherever text of a sheet can stand."""
    run, generator = RunFolder(root), np.random.default_rng(7)
    records = _records(generator, hostile=hostile)
    write_table(run.records, records, columns=RECORD_COLUMNS)
    write_table(run.split, _split(records), columns=SPLIT_COLUMNS)
    write_table(run.quarantine, _quarantine(hostile), columns=QUARANTINE_COLUMNS)
    write_json(run.cohort, _cohort(records, hostile), schema="cohort")
    write_table(run.history, _history(), columns=("epoch", "phase"))
    for part in ("val", "test"):
        predictions = _predictions(records[records["part"] == part], generator)
        write_table(run.predictions(part), predictions, columns=PREDICTION_COLUMNS)
        _explain(run, part, predictions, generator, side=preview_side)
    evaluate_run(run, parts=("val", "test"), config=EvaluateConfig(resamples=100))
    _audit(run, generator, hostile)
    write_json(run.model / "model.json", _model(), schema="model")
    write_text(run.config, to_toml(Config()))
    write_json(run.manifest, _manifest(hostile), schema="manifest")
    return run


def _records(generator: np.random.Generator, *, hostile: str) -> pd.DataFrame:
    parts = np.repeat(list(PART_SIZES), list(PART_SIZES.values()))
    numbers = np.arange(len(parts))
    unhealthy = generator.random(len(parts) // FRAMES_PER_GROUP) < 0.4
    labels = np.where(np.repeat(unhealthy, FRAMES_PER_GROUP), CLASSES["positive"], CLASSES["negative"])
    test = parts == "test"
    names = [
        f"{'test:' if of_test else ''}frames/{number:04d}.png" for number, of_test in zip(numbers, test, strict=True)
    ]
    names[PART_SIZES["fit"]] += hostile
    return pd.DataFrame(
        {
            "image_id": names,
            "path": [f"/frames/{name}" for name in names],
            "origin": np.where(test, "test", "sheet"),
            "label": labels,
            "group": [f"g{number // FRAMES_PER_GROUP:03d}{hostile}" for number in numbers],
            "source": [f"s{number // FRAMES_PER_GROUP:03d}" for number in numbers],
            "sha256": [f"{number:064x}" for number in numbers],
            "pixel_sha256": [f"{number + 9999:064x}" for number in numbers],
            "width": 300,
            "height": 300,
            "part": parts,
        }
    )


def _split(records: pd.DataFrame) -> pd.DataFrame:
    place = np.arange(len(records)) // FRAMES_PER_GROUP % 7
    use = np.where(records["part"] == "fit", np.where(place == 0, "stop", "train"), "report")
    return records[["image_id", "group", "part"]].assign(use=use, fold="")


def _quarantine(hostile: str) -> pd.DataFrame:
    rows = [
        (17, f"frames/gone.png{hostile}", "file not found", "sheet", f"Sheet1{hostile}", "A17", ""),
        (90, "frames/0003.png", "label not understood", "sheet", "Sheet1", "B90", f"maybe{hostile}"),
        (91, "frames/half.jpg", "image is damaged", "sheet", "Sheet1", "A91", ""),
        (204, "frames/0100.png", "listed twice with opposite labels", "sheet", "Sheet1", "A204", ""),
        (205, "frames/0100.png", "listed twice with opposite labels", "sheet", "Sheet1", "A205", ""),
    ]
    return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))


def _cohort(records: pd.DataFrame, hostile: str) -> dict[str, Any]:
    inferred = {
        "worksheet": "Sheet1",
        "image_column": f"imagePath{hostile}",
        "label_column": "Healthy",
        "coding": {"1": "healthy", "0": "unhealthy"},
        "group_columns": [],
        "unused_group_columns": {"video": "was not named"},
    }
    used = len(records)
    counts = {"rows_read": used + 5, "rows_used": used, "rows_quarantined": 5}
    return {**counts, "classes": CLASSES, "inferred": inferred}


def _history() -> pd.DataFrame:
    epochs = np.arange(1, 13)
    table: dict[str, Any] = {"epoch": epochs, "phase": ["head"] * 4 + ["fine-tune"] * 8}
    for part, floor in (("fit", 0.12), ("val", 0.36)):
        loss = floor + 0.5 * np.exp(-epochs / 3) + (0.008 * (epochs - 7).clip(0) if part == "val" else 0)
        auc = 1 - 0.4 * floor - 0.3 * np.exp(-epochs / 3)
        table |= {f"{part}_loss": loss, f"{part}_recall": auc - 0.06, f"{part}_accuracy": auc - 0.04}
        table |= {f"{part}_precision": auc - 0.09, f"{part}_auc": auc}
    return pd.DataFrame({**table, "learning_rate": 1e-4, "chosen": (epochs == 7).astype(int)})


def _predictions(records: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    target = (records["label"] == CLASSES["positive"]).to_numpy().astype(int)
    logit = generator.normal(2.6 * target - 1.4, 1.3)
    probability = 1 / (1 + np.exp(-logit))
    predicted = np.where(probability >= 0.5, CLASSES["positive"], CLASSES["negative"])
    columns = {"target": target, "logit": logit, "probability": probability, "predicted": predicted}
    return records[["image_id", "path", "group", "source", "label"]].assign(**columns)


def _explain(
    run: RunFolder, part: str, predictions: pd.DataFrame, generator: np.random.Generator, *, side: int
) -> None:
    folder = run.explanations(part)
    folder.mkdir(parents=True)
    right = predictions["predicted"] == predictions["label"]
    frames = []
    for kind, rows in (("top", predictions[right].head(3)), ("error", predictions[~right].head(2))):
        for rank, row in enumerate(rows.to_dict("records"), start=1):
            frames.append(_explained(row, kind=kind, rank=rank))
            _picture(generator, (side, side * 3)).save(folder / frames[-1]["preview"])
            for name in ("png", "pdf", "arrays"):
                (folder / frames[-1][name]).write_bytes(b"")
    write_json(folder / "explanations.json", {"part": part, "frames": frames}, schema="explanations")


def _explained(row: dict[Any, Any], *, kind: str, rank: int) -> dict[str, Any]:
    stem, positive = f"{kind}-{rank:02d}", row["predicted"] == CLASSES["positive"]
    baselines = [
        {"name": "blur", "logit_difference": 4.1, "gap": 0.0031, "converged": True, "steps_used": 64},
        {"name": "black", "logit_difference": 3.8, "gap": 0.0210, "converged": False, "steps_used": 256},
    ]
    return {
        **{key: row[key] for key in ("image_id", "group", "label", "predicted")},
        "kind": kind,
        "rank": rank,
        "explained_class": row["predicted"],
        "probability": row["probability"] if positive else 1 - row["probability"],
        "logit": abs(row["logit"]),
        "baselines": baselines,
        **{"arrays": f"{stem}.npz", "png": f"{stem}.png", "pdf": f"{stem}.pdf", "preview": f"{stem}.preview.png"},
    }


def _picture(generator: np.random.Generator, shape: tuple[int, int]) -> Image.Image:
    pixels: npt.NDArray[np.uint8] = generator.integers(0, 255, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def _audit(run: RunFolder, generator: np.random.Generator, hostile: str) -> None:
    run.audit_folder.mkdir(parents=True)
    _picture(generator, (200, 400)).save(run.audit_folder / "groups.png")
    (run.audit_folder / "lookalikes.csv").write_text("source\n", encoding="utf-8")
    findings = [
        {
            "id": "lookalikes",
            "level": "serious",
            "title": f"Frames repeat each other{hostile}",
            "detail": "412 frames are crops, zooms or shifts of 37 sources; they were kept on one side of the split.",
            "numbers": {"frames": 412, "sources": 37},
            "files": ["audit/groups.png", "audit/lookalikes.csv"],
        },
        {"id": "sizes", "level": "info", "title": "All frames have one size", "detail": "300 × 300 pixels."},
    ]
    gap = {"metric": "auc", "naive": {"value": 0.974, "low": 0.961, "high": 0.985}}
    gap["honest"] = {"value": 0.812, "low": 0.745, "high": 0.871}
    write_json(run.audit, {"findings": findings, "summary": {"honest_against_naive": gap}}, schema="audit")


def _model() -> dict[str, Any]:
    return {
        "architecture": {"kind": "mobilenet_v1", "width": 0.75, "weights": "ImageNet"},
        "classes": CLASSES,
        "preprocessing": {"size": 224, "aspect": "pad", "scaling": "x/127.5-1"},
        "calibration": {"method": "none", "slope": 1.0, "intercept": 0.0, "chosen_on": "not calibrated"},
        "operating_point": {"threshold": 0.5, "policy": "fixed", "chosen_on": "set before training"},
        "training": {"name": "default", "chosen_on": "stop", "epoch_chosen": 7, "monitor": "stop_loss", "seed": 0},
    }


def _manifest(hostile: str) -> dict[str, Any]:
    return {
        "sonoproof": "0.1.0",
        "created": "2026-01-02T03:04:05Z",
        "finished": "2026-01-02T03:24:05Z",
        "command": f"sonoproof run labels.xlsx --images frames --out run{hostile}",
        "versions": {"python": "3.11.2", "torch": "2.13.0"},
        "machine": {"processor": "x86_64", "device": "cpu"},
        "seed": 0,
        "inputs": [{"name": "sheet", "path": f"labels.xlsx{hostile}", "sha256": "ab" * 32}],
        "stages": {
            "cohort": {"done": True, "seconds": 3.2, "outputs": {"records.csv": "cd" * 32}, "notes": []},
            "fit": {"done": True, "seconds": 512.5, "outputs": {"model/weights.safetensors": "ef" * 32}},
        },
    }
