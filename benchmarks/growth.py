"""How do time and memory of each stage grow with the frames?

Simulates phantom clips once, writes ever more frames from them (each varied by a shift, a mirror and a grey level, so
that no two files are the same and clips stay apart), and runs each size in a process of its own. Prints a table of
seconds and peak memory for each stage, the exponent with which each grew over the last step, and draws both on
logarithmic axes. Stages that train are kept to one epoch: what is asked is how they grow.

    python benchmarks/growth.py --frames 1000 3000 10000 --folder runs/growth
    python benchmarks/growth.py --frames 1000 3000 10000 30000 100000 --folder runs/growth
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from openpyxl import Workbook

from sonoproof.phantom import PhantomConfig, write_cohort

PATIENTS, FRAMES_OF_CLIP = 40, 10
# The palette of Okabe and Ito.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
SETTINGS = (
    "frames.size=96", "model.backbone=random", "model.width=0.25", "fit.epochs=1", "explain.top=2", "explain.errors=0",
    "evaluate.resamples=200",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--folder", type=Path, default=Path("runs/growth"))
    parser.add_argument("--no-lookalikes", action="store_true", help="leave the search for look-alikes out")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--redraw", action="store_true", help="only print and draw what was measured before")
    options = parser.parse_args()
    if options.redraw:
        before = json.loads((options.folder / "growth.json").read_text(encoding="utf-8"))
        measured_before = {int(frames): stages for frames, stages in before.items()}
        print(_table(measured_before))
        _draw(measured_before, options.folder / "growth.png")
        return
    clips = _clips(options.folder / "clips")
    measured: dict[int, dict[str, dict[str, float]]] = {}
    for frames in sorted(options.frames):
        cohort = options.folder / str(frames)
        _write_cohort(cohort, clips, frames=frames)
        measured[frames] = _run(cohort, lookalikes=not options.no_lookalikes, device=options.device)
        (options.folder / "growth.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
        print(_table(measured), flush=True)
    _draw(measured, options.folder / "growth.png")


def _clips(folder: Path) -> list[tuple[str, int, list[Path]]]:
    """Patients with their class (1 healthy) and their frames."""
    if not (folder / "truth.json").is_file():
        config = PhantomConfig(patients=PATIENTS, frames_per_patient=FRAMES_OF_CLIP, size_px=224, seed=3)
        write_cohort(folder, config=config)
    by_patient: dict[str, list[Path]] = {}
    for path in sorted((folder / "images").glob("*.jpg")):
        by_patient.setdefault(path.name.split("_")[0], []).append(path)
    healthy = _healthy(folder / "truth.json")
    return [(patient, healthy[patient], paths) for patient, paths in by_patient.items()]


def _healthy(truth: Path) -> dict[str, int]:
    content = json.loads(truth.read_text(encoding="utf-8"))
    return {entry["patient_id"]: int(entry["healthy"]) for entry in content["patients"]}


def _write_cohort(folder: Path, clips: list[tuple[str, int, list[Path]]], *, frames: int) -> None:
    if (folder / "labels.xlsx").is_file():
        return
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("labels")
    sheet.append(["imagePath", "Healthy", "patient_id"])
    for number in range(frames):
        clip, copy = number // FRAMES_OF_CLIP, number // FRAMES_OF_CLIP // len(clips)
        patient, healthy, paths = clips[clip % len(clips)]
        name = f"{patient}v{copy}_f{number % FRAMES_OF_CLIP:02d}.jpg"
        pixels = np.asarray(cv2.imread(str(paths[number % len(paths)]), cv2.IMREAD_GRAYSCALE), np.uint8)
        changed = _varied(pixels, np.random.default_rng(copy * len(clips) + clip % len(clips)))
        (images / name).write_bytes(cv2.imencode(".jpg", changed)[1].tobytes())
        sheet.append([name, healthy, f"{patient}v{copy}"])
    book.save(folder / "labels.xlsx")


def _varied(frame: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A clip of another look: turned, warped, of other grey levels and speckle."""
    height, width = frame.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-180, 180)), float(rng.uniform(0.8, 1.3)))
    turned = np.asarray(cv2.warpAffine(frame, turn, (width, height)), np.float32)
    speckle = rng.rayleigh(0.8, (height, width)).astype(np.float32)
    levels = float(rng.uniform(0.6, 1.4)) * turned * speckle
    return np.asarray(np.clip(levels[:, ::-1] if rng.random() < 0.5 else levels, 0, 255), np.uint8)


def _run(cohort: Path, *, lookalikes: bool, device: str) -> dict[str, dict[str, float]]:
    """Seconds and peak memory of each stage of a run in a process of its own."""
    out = cohort / f"run-{int(time.time())}"
    words = [sys.executable, "-m", "sonoproof", "run", str(cohort / "labels.xlsx")]
    words += ["--images", str(cohort / "images"), "--out", str(out), "--group-column", "patient_id"]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    words += ["--set", f"audit.lookalikes={'true' if lookalikes else 'false'}", "--device", device]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    with _watched(process.pid, out / "manifest.json") as peaks:
        code = process.wait()
    if code:
        raise SystemExit(f"{out}: the run ended with exit code {code}")
    stages = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return {
        name: {"seconds": float(stage["seconds"]), "peak_mb": peaks.get(name, float("nan"))}
        for name, stage in stages.items()
    }


@contextmanager
def _watched(pid: int, manifest: Path) -> Iterator[dict[str, float]]:
    """Peak memory of a process and its children by the stage under way, sampled twice a second (Linux)."""
    peaks: dict[str, float] = {}
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.5):
            stage, held = _stage(manifest), _held_mb(pid)
            if stage:
                peaks[stage] = max(peaks.get(stage, 0.0), held)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _stage(manifest: Path) -> str:
    """The stage that was begun last and is not done."""
    try:
        stages: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8")).get("stages", {})
    except (OSError, ValueError):
        return ""
    return next((name for name, stage in reversed(stages.items()) if "seconds" not in stage), "")


def _held_mb(pid: int) -> float:
    """Memory of a process and those that it started; what they share is counted once (proportional set size)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        threads = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for file in threads for child in file.read_text(encoding="ascii").split()]
    except OSError:  # it has ended
        return 0.0
    own = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
    return own + sum(_held_mb(int(child)) for child in children)


def _table(measured: dict[int, dict[str, dict[str, float]]]) -> str:
    sizes = list(measured)
    head = ["stage", *(f"{size:,} frames" for size in sizes), "exponent of the last step"]
    rows = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for stage in measured[sizes[0]]:
        cells = [measured[size].get(stage, {}) for size in sizes]
        shown = [_cell(cell.get("seconds", math.nan), cell.get("peak_mb", math.nan)) for cell in cells]
        rows.append(f"| {' | '.join([stage, *shown, _exponent(sizes, cells)])} |")
    return "\n".join(rows)


def _cell(seconds: float, peak_mb: float) -> str:
    return f"{seconds:.1f} s" + ("" if math.isnan(peak_mb) else f", {peak_mb:,.0f} MB")


def _exponent(sizes: list[int], cells: list[dict[str, float]]) -> str:
    if len(sizes) < 2 or min(cells[-1].get("seconds", 0), cells[-2].get("seconds", 0)) < 0.5:
        return ""
    return f"{math.log(cells[-1]['seconds'] / cells[-2]['seconds']) / math.log(sizes[-1] / sizes[-2]):.2f}"


def _draw(measured: dict[int, dict[str, dict[str, float]]], path: Path) -> None:
    sizes = sorted(measured)
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, stage in enumerate(measured[sizes[0]]):
        for axis, key in ((left, "seconds"), (right, "peak_mb")):
            values = [measured[size].get(stage, {}).get(key, math.nan) for size in sizes]
            axis.loglog(
                sizes, values, marker=MARKERS[number % len(MARKERS)], markersize=4, linewidth=1.2,
                color=COLOURS[number % len(COLOURS)], linestyle=("-", "--")[number // len(COLOURS) % 2], label=stage,
            )  # fmt: skip
    longest = max(stage["seconds"] for stage in measured[sizes[0]].values())
    grows = [longest * size * math.log(size) / (sizes[0] * math.log(sizes[0])) for size in sizes]
    left.loglog(sizes, grows, color="0.55", linestyle=":", linewidth=1.2, label="n log n")
    right.axhline(4096, color="0.55", linestyle=":", linewidth=1.2, label="4 GB")
    left.set_ylabel("seconds")
    right.set_ylabel("peak memory, MB")
    ticks = [mb for mb in (100, 200, 500, 1000, 2000, 4000) if mb >= 0.6 * min(right.get_ylim()[0], 500)]
    right.set_yticks(ticks, [f"{mb:,}" for mb in ticks])
    right.minorticks_off()
    for axis in (left, right):
        axis.set_xlabel("frames")
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=8)
        axis.tick_params(axis="x", which="minor", bottom=False)
        axis.grid(color="0.9", linewidth=0.6)
    handles, names = left.get_legend_handles_labels()
    limit, words = right.get_legend_handles_labels()
    figure.legend([*handles, limit[-1]], [*names, words[-1]], loc="outside right center", fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
