"""From the sheet to the validation table: ours against the peer, on phantom frames, from the same pretrained weights.

Ours is `sonoproof run` with its audit, its splits, its calibration and its report; only the explanations are left out.
The peer is given our split and starts from its rows. Both use every processor. Prints time of both kinds, and the AUC
on validation patients with the paired difference.

    python -m benchmarks.speed.sheet_to_table --backbone DIR
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.speed.environments import ROOT, environment_of, peer_python
from benchmarks.speed.materials import write_peer_weights

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig, ModelConfig
from sonoproof.evaluation.measures.compare import compare
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.phantom import PhantomConfig, write_cohort
from sonoproof.runfolder import PREDICTION_COLUMNS, RECORD_COLUMNS, SPLIT_COLUMNS, RunFolder, read_table
from sonoproof.training.backbone import load_backbone

FRAMES_OF_PATIENT = 5
CLASSES = Classes(negative="healthy", positive="unhealthy")
NO_EXPLANATIONS = ("explain.top=0", "explain.errors=0", "explain.survey=0")


@dataclass(frozen=True)
class Took:
    """What a command took."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.0f} s wall, {self.cpu_s:.0f} s processor"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", type=Path, required=True, help="folder of a pretrained MobileNet V1")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ours", nargs="*", default=["default", "classic"], help="our recipes")
    parser.add_argument("--theirs", nargs="*", default=["fine-tune", "classic"], help="the peer's recipes")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "sheet_to_table")
    parser.add_argument("--peer", type=Path, default=ROOT / ".venv-peer")
    options = parser.parse_args()
    folder, backbone = options.folder.resolve(), options.backbone.resolve()
    python = peer_python(options.peer.resolve())
    cohort = _cohort(folder, patients=options.patients)
    weights, width = _weights(folder, backbone)
    for number in range(options.rounds):
        runs = {recipe: folder / f"ours-{recipe}-{time.time_ns()}" for recipe in options.ours}
        tables: dict[str, pd.DataFrame] = {}
        for recipe, out in runs.items():
            took = _ours(cohort, out, backbone=backbone, recipe=recipe)
            tables[f"ours, {recipe}"] = _predicted(RunFolder(out))
            print(f"round {number + 1}: ours, {recipe}: {took}; {_stages(out)}", flush=True)
        first = RunFolder(next(iter(runs.values())))
        for recipe in options.theirs:
            out = folder / f"peer-{recipe}.csv"
            took = _peer(python, first, cohort, recipe=recipe, weights=weights, width=width, out=out)
            tables[f"peer, {recipe}"] = _as_table(_predicted(first), pd.read_csv(out))
            print(f"round {number + 1}: peer, {recipe}: {took}", flush=True)
        _compare(tables)


def _cohort(folder: Path, *, patients: int) -> Path:
    cohort = folder / f"phantom-{patients}"
    if not (cohort / "truth.json").is_file():
        config = PhantomConfig(patients=patients, frames_per_patient=FRAMES_OF_PATIENT, size_px=300, seed=17)
        write_cohort(cohort, config=config)
    return cohort


def _weights(folder: Path, backbone: Path) -> tuple[Path, float]:
    classifier = load_backbone(ModelConfig(backbone=str(backbone)), seed=0)
    write_peer_weights(classifier, folder / "weights.npz")
    return folder / "weights.npz", float(classifier.architecture.transformers_config["depth_multiplier"])


def _ours(cohort: Path, out: Path, *, backbone: Path, recipe: str) -> Took:
    words = [sys.executable, "-m", "sonoproof", "run", str(cohort / "labels.xlsx"), "--images", str(cohort / "images")]
    words += ["--out", str(out), "--backbone", str(backbone), "--recipe", recipe, "--group-column", "patient_id"]
    return _took([*words, *(word for setting in NO_EXPLANATIONS for word in ("--set", setting))])


def _peer(python: Path, ours: RunFolder, cohort: Path, *, recipe: str, weights: Path, width: float, out: Path) -> Took:
    records = read_table(ours.records, columns=RECORD_COLUMNS)
    parts = read_table(ours.split, columns=SPLIT_COLUMNS)
    rows = records.merge(parts[["image_id", "part"]], on="image_id")
    rows = rows.assign(
        name=[Path(path).name for path in rows["path"]], target=(rows["label"] == CLASSES.positive).astype(int)
    )
    rows[["image_id", "name", "target", "part"]].to_csv(out.with_suffix(".rows.csv"), index=False)
    words = [str(python), "-m", "benchmarks.speed.peer_training", recipe, str(out.with_suffix(".rows.csv"))]
    return _took([*words, str(cohort / "images"), str(weights), str(width), str(out)])


def _took(words: list[str]) -> Took:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = environment_of(os.cpu_count() or 1)
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words[1:4])} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.perf_counter() - started, cpu)


def _stages(out: Path) -> str:
    stages = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return ", ".join(f"{name} {stage['seconds']:.0f}" for name, stage in stages.items() if stage["seconds"] >= 1)


def _predicted(run: RunFolder) -> pd.DataFrame:
    return read_table(run.predictions("val"), columns=PREDICTION_COLUMNS)


def _as_table(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Our table of validation rows with the peer's logits."""
    logits = theirs.astype({"image_id": str}).set_index("image_id")["logit"].reindex(ours["image_id"]).to_numpy()
    return ours.assign(logit=logits, calibrated_logit=logits, probability=1.0 / (1.0 + np.exp(-logits)))


def _compare(tables: dict[str, pd.DataFrame]) -> None:
    auc = {"auc": METRICS["auc"]}
    found = compare(tables, classes=CLASSES, config=EvaluateConfig(), metrics=auc)
    for difference in found.differences:
        test = difference.test
        print(
            f"AUC, {difference.first} less {difference.second}: {test.difference:+.3f} "
            f"({test.low:+.3f} to {test.high:+.3f}; {found.n} frames of {found.n_units} groups)",
            flush=True,
        )


if __name__ == "__main__":
    main()
