"""What does the stage `audit` cost, and how much less or more than in another version?

Runs the stage audit alone (no probes, no report) in a process of its own, in turn from this checkout and from another
one, and compares the processor time, user and system, that the stage took, and the tables that it wrote.

    git worktree add --detach ../before COMMIT
    python benchmarks/audit_pass.py --before ../before --folder runs/audit-pass
    python benchmarks/audit_pass.py --before ../before --folder runs/audit-pass --sheet labels.xlsx --images frames

Without `--sheet` 1,000 phantom frames of 800 x 600 pixels are written first: 20 patients with 5 frames each, each frame
in ten variants (turned, mirrored, of other grey levels and speckle).
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from openpyxl import Workbook

ROOT = Path(__file__).resolve().parents[1]
PATIENTS, FRAMES, VARIANTS, SIZE = 20, 5, 10, (800, 600)
TABLES = ("records.csv", "quarantine.csv", "audit.json", "cohort.json", "audit/frames.csv", "audit/links.csv",
          "audit/sources.csv")  # fmt: skip


class _StageIsOver(Exception):
    """Ends the run where the stage after the audit begins."""


class _Stopwatch:
    """Notes the processor time at which each stage begins, and stops before the second one."""

    def __init__(self) -> None:
        self.begun: list[float] = []

    def stage(self, _name: str) -> None:
        self.begun.append(time.process_time())
        if len(self.begun) == 2:
            raise _StageIsOver

    def say(self, line: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--folder", type=Path, default=Path("runs/audit-pass"))
    parser.add_argument("--sheet", type=Path, help="label sheet; phantom frames without it")
    parser.add_argument("--images", type=Path, help="folder of its images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sheet, images = options.sheet, options.images
    if sheet is None:
        sheet, images = write_frames(options.folder / "phantom")
    if options.once:
        print(json.dumps(_measured(sheet, images, options.once)))
        return
    checkouts = {"after": ROOT, **({"before": options.before.resolve()} if options.before else {})}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for number in range(options.rounds):
        for name in sorted(checkouts, reverse=number % 2 == 0):
            out = options.folder / name
            shutil.rmtree(out, ignore_errors=True)
            taken[name].append(_in_own_process(checkouts[name], sheet, images, out))
            print(f"round {number + 1}, {name}: {taken[name][-1]}", flush=True)
    for name, rounds in taken.items():
        seconds = sorted(once["processor_s"] for once in rounds)
        print(f"{name}: {statistics.median(seconds):.1f} s of processor time ({seconds[0]:.1f} to {seconds[-1]:.1f})")
    for table in TABLES if options.before else ():
        same = filecmp.cmp(options.folder / "before" / table, options.folder / "after" / table, shallow=False)
        print(f"{table}: {'the same' if same else 'DIFFERENT'}")


def _in_own_process(checkout: Path, sheet: Path, images: Path, out: Path) -> dict[str, float]:
    words = [sys.executable, __file__, "--once", str(out), "--sheet", str(sheet), "--images", str(images)]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measured(sheet: Path, images: Path, out: Path) -> dict[str, float]:
    """Run the stage in this process: processor time in seconds and the largest memory in MB."""
    import sonoproof.pipeline as pipeline
    from sonoproof.config import load_config

    config = load_config(settings=["audit.probes=false", "model.backbone=random"])
    watch, inputs = _Stopwatch(), _of(pipeline, "Inputs")(sheet=sheet, images=images)
    with contextlib.suppress(_StageIsOver):
        pipeline.audit(out, inputs=inputs, config=config, reporter=watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"processor_s": round(watch.begun[1] - watch.begun[0], 2), "peak_mb": round(peak)}


def _of(module: object, name: str) -> Any:
    """What a module calls by a name, wherever it has it from in that version."""
    return getattr(module, name)


def write_frames(folder: Path) -> tuple[Path, Path]:
    """The sheet and the images of the phantom cohort, written unless they are there."""
    from sonoproof.phantom import PhantomConfig, write_cohort

    sheet, images, originals = folder / "labels.xlsx", folder / "images", folder / "originals"
    if sheet.is_file():
        return sheet, images
    write_cohort(originals, config=PhantomConfig(patients=PATIENTS, frames_per_patient=FRAMES, size_px=800, seed=11))
    patients = json.loads((originals / "truth.json").read_text(encoding="utf-8"))["patients"]
    healthy = {entry["patient_id"]: int(entry["healthy"]) for entry in patients}
    images.mkdir(exist_ok=True)
    book = Workbook(write_only=True)
    table = book.create_sheet("labels")
    table.append(["imagePath", "Healthy", "patient_id"])
    rng = np.random.default_rng(11)
    for path in sorted((originals / "images").glob("*.jpg")):
        frame = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
        patient = path.name.split("_")[0]
        for variant in range(VARIANTS):
            name = f"{path.stem}_v{variant}.jpg"
            cv2.imwrite(str(images / name), _varied(frame, rng), [cv2.IMWRITE_JPEG_QUALITY, 90])
            table.append([name, healthy[patient], f"{patient}v{variant}"])
    book.save(sheet)
    return sheet, images


def _varied(frame: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = frame.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-30, 30)), float(rng.uniform(0.9, 1.2)))
    turned = np.asarray(cv2.warpAffine(frame, turn, (width, height)), np.float32)
    speckle = rng.rayleigh(0.8, (height, width)).astype(np.float32)
    levels = float(rng.uniform(0.6, 1.4)) * turned * speckle
    mirrored = levels[:, ::-1] if rng.random() < 0.5 else levels
    resized = cv2.resize(np.ascontiguousarray(mirrored), SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(resized, 0, 255), np.uint8)


if __name__ == "__main__":
    main()
