"""How do time and memory of the look-alike search grow with the frames, and does it find what was planted?

Simulates phantom clips with re-cropped copies, takes ever more of the patients, and searches each time in a process of
its own. Prints for each size: seconds, processor time and pairs compared for each frame, peak memory, the share of
planted copies joined to their source, and links between different patients. The peers, in the same run: all pairs
compared geometrically (seconds, from the time measured for a pair), and a difference hash with a Hamming distance of up
to 10 of 64, as tools for duplicate photos use it (share of planted copies found, and pairs of different patients taken
for copies).

    python benchmarks/lookalike_growth.py --frames 500 1000 2000 4000
    python benchmarks/lookalike_growth.py --frames 25000 50000 100000 --recrops 7 --folder /disk/phantom
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonoproof.config import FramesConfig
from sonoproof.data.frames.one_pass import read_frames
from sonoproof.data.lookalike import LookalikeResult, ViewSpool, find_lookalikes
from sonoproof.data.lookalike.keypoints import describe
from sonoproof.data.lookalike.pair_check import compare
from sonoproof.phantom import PhantomConfig, write_cohort

FRAMES_PER_PATIENT = 8
HASH_DISTANCE = 10


@dataclass(frozen=True)
class Measured:
    """One size of cohort, searched."""

    frames: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    pairs: int
    recall: float
    false_links: int
    false_suspects: int


def patient_of(name: str) -> str:
    return name.split("_")[0]


def load_frame(path: Path) -> NDArray[np.uint8]:
    frame = cv2.imread(str(path))
    if frame is None:
        raise OSError(f"{path}: cannot be decoded")
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def planted_copies(root: Path, names: set[str]) -> list[tuple[str, str]]:
    planted: list[dict[str, Any]] = json.loads((root / "truth.json").read_text(encoding="utf-8"))["planted"]
    copies = [(entry["image"], entry["source"]) for entry in planted if entry["kind"] in ("re-crop", "exact duplicate")]
    return [pair for pair in copies if names.issuperset(pair)]


def first_frames(root: Path, frames: int) -> list[str]:
    """Whole patients, until there are as many frames."""
    names = sorted(path.name for path in (root / "images").iterdir())
    chosen: list[str] = []
    for _, own in itertools.groupby(names, key=patient_of):
        if len(chosen) >= frames:
            break
        chosen += own
    return chosen


def measure(root: Path, names: list[str], workers: int) -> Measured:
    """Search one cohort; run in a fresh process, so that the peak memory is its own."""
    start = time.perf_counter()
    records = pd.DataFrame({"image_id": names, "path": [str(root / "images" / name) for name in names]})
    with tempfile.TemporaryDirectory() as work, ViewSpool(Path(work) / "views.bin") as spool:
        read = read_frames(records, config=FramesConfig(workers=workers), looks={"view": spool.look})
        journal = Path(work) / "pairs.jsonl"
        found = find_lookalikes(read.records, read.seen["view"], spool=spool, journal=journal, workers=workers)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time()
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    false_links, false_suspects = (across_patients(found, suspected) for suspected in (False, True))
    joined = [found.source[copy] == found.source[source] for copy, source in planted_copies(root, set(names))]
    recall = float(np.mean(joined)) if joined else float("nan")
    return Measured(
        len(names), seconds, cpu_seconds, peak_mb, found.pairs_verified, recall, false_links, false_suspects
    )


def across_patients(found: LookalikeResult, suspected: bool) -> int:
    links = found.suspected if suspected else found.links
    return sum(patient_of(link.first) != patient_of(link.second) for link in links)


def seconds_per_pair(root: Path, names: list[str], pairs: int = 200) -> float:
    """Mean time of one geometric comparison, of frames drawn by chance, upright and mirrored."""
    rng = np.random.default_rng(0)
    views = [describe(load_frame(root / "images" / names[k])) for k in rng.permutation(len(names))[:40]]
    start = time.perf_counter()
    for _ in range(pairs):
        first, second = rng.choice(len(views), 2, replace=False)
        compare(views[first], views[second], flipped=bool(rng.integers(2)))
    return (time.perf_counter() - start) / pairs


def difference_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = np.asarray(cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA), np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


def hash_peer(root: Path, names: list[str]) -> tuple[float, int]:
    """Share of planted copies within the Hamming distance, and pairs of different patients within it."""
    bits = {name: difference_hash(load_frame(root / "images" / name)) for name in names}
    copies = planted_copies(root, set(names))
    found = [np.count_nonzero(bits[copy] != bits[source]) <= HASH_DISTANCE for copy, source in copies]
    matrix, patients = np.array(list(bits.values())), np.array([patient_of(name) for name in names])
    wrong = 0
    for row in range(len(names)):
        near = np.count_nonzero(matrix[row + 1 :] != matrix[row], axis=1) <= HASH_DISTANCE
        wrong += int(np.count_nonzero(near & (patients[row + 1 :] != patients[row])))
    return float(np.mean(found)) if found else float("nan"), wrong


def simulate(folder: Path, frames: int, recrops: float, seed: int) -> Path:
    """A cohort in a folder; one that is there already, of a run before, is used again."""
    root = folder / f"phantom_{frames}_{recrops:g}_{seed}"
    if not (root / "truth.json").is_file():
        patients = int(np.ceil(frames / FRAMES_PER_PATIENT / (1 + recrops)))
        config = PhantomConfig(
            patients=patients,
            frames_per_patient=FRAMES_PER_PATIENT,
            recrops=recrops,
            seed=seed,
            caliper=True,
            text=True,
        )
        write_cohort(root, config=config)
    return root


def report(result: Measured, pair_seconds: float, workers: int) -> None:
    all_pairs = result.frames * (result.frames - 1) * pair_seconds / workers
    print(
        f"{result.frames:7d} frames: {result.seconds:8.1f} s, "
        f"{1e3 * result.cpu_seconds / result.frames:.1f} ms of a processor a frame, "
        f"peak {result.peak_mb:.0f} MB, {result.pairs / result.frames:.1f} pairs a frame, "
        f"planted copies found {100 * result.recall:.1f} %, links across patients {result.false_links}, "
        f"suspected across patients {result.false_suspects}; "
        f"all pairs would take {all_pairs:.0f} s, {all_pairs / result.seconds:.0f} times as long",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--recrops", type=float, default=1.0, help="re-cropped copies of each simulated frame")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keeps the simulated cohort for a further run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        root = simulate(folder, max(options.frames), options.recrops, options.seed)
        pair_seconds = seconds_per_pair(root, first_frames(root, min(options.frames)))
        for frames in sorted(options.frames):
            names = first_frames(root, frames)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                report(pool.submit(measure, root, names, options.workers).result(), pair_seconds, options.workers)
        recall, wrong = hash_peer(root, first_frames(root, sorted(options.frames)[len(options.frames) // 2]))
        print(f"difference hash: planted copies found {100 * recall:.1f} %, pairs across patients {wrong}")


if __name__ == "__main__":
    main()
