"""Runs that are stopped at random moments, moved with their inputs, and resumed: do they end with the same weights?

Each trial stops a tiny run on the phantom with SIGKILL or SIGTERM after a random share of the processor time that a
whole run takes, moves run folder and inputs to another folder, sometimes deletes the store of decoded frames, and
resumes; some are stopped and moved again. Weights, decision, split and history are compared with those of an
uninterrupted run, byte by byte; records and predictions without their paths. Runs go as far as the stage evaluate: what
follows changes no weights. Processes are forked from a server that has imported everything, so that few are stopped
while they do. ::

    python benchmarks/kill_and_move.py --trials 20
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pandas as pd

from sonoproof.config import Config, override
from sonoproof.interrupts import Stopped, stoppable
from sonoproof.phantom import PhantomConfig, write_cohort
from sonoproof.pipeline import STAGES, run
from sonoproof.runfolder import RunFolder, sha256_of_file
from sonoproof.stages.context import Inputs

SETTINGS = {
    "sheet": {"group_columns": ["patient_id"]},
    "frames": {"size": 64},
    "model": {"backbone": "random", "width": 0.25, "device": "cpu"},
    "fit": {"epochs": 3, "threads": 1},
    "evaluate": {"resamples": 100},
}
STAGES_WANTED = STAGES[: [stage.name for stage in STAGES].index("evaluate") + 1]
COMPARED = ("model/weights.safetensors", "model/decision.json", "split.csv", "history.csv")
TABLES = ("records.csv", "predictions/val.csv")
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


def run_in(place: Path) -> None:
    """A run whose inputs and folder lie in `place`; it continues what is there."""
    inputs = Inputs(place / "data" / "labels.xlsx", place / "data" / "images")
    resume = (place / "run" / "manifest.json").is_file()
    try:
        with stoppable():
            config = override(Config(), SETTINGS, origin="benchmark")
            run(place / "run", inputs=inputs, config=config, resume=resume, stages_wanted=STAGES_WANTED)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)


def start(place: Path) -> ForkServerProcess:
    """Start a run in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sonoproof.pipeline", "lightning", "transformers.models.mobilenet_v1"])
    process = context.Process(target=run_in, args=(place,))
    process.start()
    return process


def processor_s(pid: int) -> float:
    """Processor time of a process that has not been waited for, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def finish(place: Path) -> float:
    """Run to the end; processor time that it took, in seconds."""
    process, used_s = start(place), 0.0
    while process.is_alive():
        with contextlib.suppress(FileNotFoundError):
            used_s = processor_s(process.pid or 0)
        time.sleep(0.05)
    if process.exitcode:
        raise RuntimeError(f"the run failed with exit code {process.exitcode}")
    return used_s


def stop(place: Path, *, after_s: float, by: signal.Signals) -> bool:
    """Run and stop after some seconds of processor time; False where it had ended before."""
    process = start(place)
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
        while process.is_alive():
            if processor_s(process.pid or 0) >= after_s:
                os.kill(process.pid or 0, by)
                break
            time.sleep(0.01)
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM):
        raise RuntimeError(f"the run failed with exit code {process.exitcode}")
    return process.exitcode != 0


def trial(draw: random.Random, *, data: Path, whole_s: float, work: Path) -> tuple[Path, list[str]]:
    """Stop, move and resume one run, up to three times; the place where it ended, and what was done to it."""
    place, done = work / "place0", []
    shutil.copytree(data, place / "data")
    for number in range(1, draw.randint(1, 3) + 1):
        by = draw.choice(SIGNALS)
        after_s = draw.uniform(0.05, 0.95 if number == 1 else 0.4) * whole_s
        if not stop(place, after_s=after_s, by=by):
            done.append("ended before it was stopped")
        else:
            done.append(f"{by.name} after {after_s:.1f} s")
        place = place.rename(work / f"place{number}")
        if draw.random() < 0.5 and (place / "run" / "store").is_dir():
            shutil.rmtree(place / "run" / "store")
            done.append("store deleted")
    finish(place)
    return place, done


def differences(run: RunFolder, whole: RunFolder) -> list[str]:
    """Files that are not as in the uninterrupted run."""
    found = [name for name in COMPARED if sha256_of_file(run.root / name) != sha256_of_file(whole.root / name)]
    for name in TABLES:
        table, expected = (pd.read_csv(each.root / name, dtype=str).drop(columns="path") for each in (run, whole))
        found += [] if table.equals(expected) else [name]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--patients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work, draw = Path(folder), random.Random(options.seed)
        config = PhantomConfig(
            patients=options.patients, frames_per_patient=3, size_px=96, seed=options.seed, workers=1
        )
        write_cohort(work / "whole" / "data", config=config)
        whole_s = finish(work / "whole")
        print(f"uninterrupted: {whole_s:.1f} s of processor time", flush=True)
        same = stopped = 0
        for number in range(options.trials):
            place, done = trial(draw, data=work / "whole" / "data", whole_s=whole_s, work=work / f"trial{number}")
            found = differences(RunFolder(place / "run"), RunFolder(work / "whole" / "run"))
            same += not found
            stopped += any(what.startswith("SIG") for what in done)
            print(f"{number}: {', '.join(done)}: {'differs: ' + ', '.join(found) if found else 'the same'}", flush=True)
            shutil.rmtree(work / f"trial{number}")
        print(f"{same} of {options.trials} runs ended as the uninterrupted one; {stopped} were stopped at least once")


if __name__ == "__main__":
    main()
