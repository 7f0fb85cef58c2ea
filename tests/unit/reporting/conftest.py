"""A made-up run folder with every file that the report reads; no frame in it is real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from sonoproof.config import Config, to_toml
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
        _evaluate(run, part, predictions)
        _explain(run, part, predictions, generator, side=preview_side)
    _audit(run, generator, hostile)
    write_json(run.model / "model.json", _model(), schema="model")
    write_text(run.config, to_toml(Config()))
    write_json(run.manifest, _manifest(hostile), schema="manifest")
    return run


@pytest.fixture
def run_maker(tmp_path: Path) -> Callable[..., RunFolder]:
    def make(**options: Any) -> RunFolder:
        return make_run(tmp_path / "run", **options)

    return make


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


def _evaluate(run: RunFolder, part: str, predictions: pd.DataFrame) -> None:
    target, probability = predictions["target"].to_numpy(), predictions["probability"].to_numpy()
    called = probability >= 0.5
    counts = {
        "tp": int((called & (target == 1)).sum()),
        "fp": int((called & (target == 0)).sum()),
        "tn": int((~called & (target == 0)).sum()),
        "fn": int((~called & (target == 1)).sum()),
    }
    metrics = _metrics(target, probability, counts)
    facts = {"n": len(target), "n_positive": int(target.sum()), "positive_class": CLASSES["positive"]}
    facts |= {"negative_class": CLASSES["negative"], "threshold": 0.5, "unit": "group", "n_units": len(target) // 6}
    write_json(run.evaluation(part), {**facts, **metrics, "confusion": counts, "undefined": {}}, schema="evaluation")
    curves = _curves(target, probability)
    write_json(run.evaluation(part).with_name(f"{part}_curves.json"), curves, schema="curves")


def _metrics(target: Any, probability: Any, counts: dict[str, int]) -> dict[str, dict[str, float]]:
    tp, fp, tn, fn = (counts[key] for key in ("tp", "fp", "tn", "fn"))
    values = {
        "loss": -np.log(np.where(target == 1, probability, 1 - probability)).mean(),
        "recall": tp / (tp + fn),
        "accuracy": (tp + tn) / len(target),
        "precision": tp / (tp + fp),
        "auc": roc_auc_score(target, probability),
        "specificity": tn / (tn + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "brier": ((probability - target) ** 2).mean(),
    }
    return {
        key: {"value": float(value), "low": float(value) - 0.0612, "high": min(float(value) + 0.0431, 1.0)}
        for key, value in values.items()
    }


def _curves(target: Any, probability: Any) -> dict[str, Any]:
    fpr, tpr, _ = roc_curve(target, probability)
    precision, recall, _ = precision_recall_curve(target, probability)
    bins = []
    for low in np.arange(0, 1, 0.1):
        inside = (probability >= low) & (probability < low + 0.1)
        if inside.any():
            observed = target[inside].mean()
            bins.append({"mean": probability[inside].mean(), "observed": observed, "count": int(inside.sum())})
            bins[-1] |= {"low": max(observed - 0.1, 0), "high": min(observed + 0.1, 1)}
    return {
        "roc": {"fpr": fpr, "tpr": tpr},
        "precision_recall": {"recall": recall, "precision": precision},
        "reliability": {"bins": bins},
    }


def _explain(
    run: RunFolder, part: str, predictions: pd.DataFrame, generator: np.random.Generator, *, side: int
) -> None:
    folder = run.explanations(part)
    folder.mkdir(parents=True)
    frames = []
    wrong = predictions[predictions["predicted"] != predictions["label"]].head(2)
    for number, row in enumerate(pd.concat([predictions.head(3), wrong]).to_dict("records")):
        stem = f"{number:02d}"
        _picture(generator, (side, side * 3)).save(folder / f"{stem}_preview.png")
        files = {"preview": f"{stem}_preview.png", "png": f"{stem}.png", "pdf": f"{stem}.pdf", "npz": f"{stem}.npz"}
        kind = "top" if number < 3 else "error"
        frames.append({**{key: row[key] for key in ("image_id", "label", "probability")}, "kind": kind})
        frames[-1] |= {"explained_class": row["predicted"], "files": files}
    write_json(folder / "explanations.json", {"frames": frames}, schema="explanations")


def _picture(generator: np.random.Generator, shape: tuple[int, int]) -> Image.Image:
    pixels: npt.NDArray[np.uint8] = generator.integers(0, 255, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def _audit(run: RunFolder, generator: np.random.Generator, hostile: str) -> None:
    run.audit_folder.mkdir(parents=True)
    _picture(generator, (200, 400)).save(run.audit_folder / "groups.png")
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
        "training": {"recipe": "default", "epoch_chosen": 7},
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
