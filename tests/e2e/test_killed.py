"""Killed at any moment, a run goes on with ``--resume`` and ends with bitwise the weights of an uninterrupted one."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.forked import command_line, fork
from tests.support.phantoms import MakePhantom

from sonoproof.phantom import PhantomCohort
from sonoproof.runfolder import RunFolder, read_json, sha256_of_file

SETTINGS = [
    "--group-column", "patient_id", "--backbone", "random", "--device", "cpu", "--set", "frames.size=32",
    "--set", "model.width=0.25", "--set", "fit.epochs=6", "--set", "fit.threads=1", "--set", "explain.top=1",
    "--set", "explain.errors=0", "--set", "explain.survey=2", "--set", "explain.steps=16",
    "--set", "evaluate.resamples=100", "--set", "split.test=0.25", "--set", "explain.dpi=100", "--set", "report.dpi=60",
]  # fmt: skip
KILLS = 10


def words_of(cohort: PhantomCohort, out: Path, *more: str) -> list[str]:
    return [*map(str, ("run", cohort.sheet, "--images", cohort.images, "--out", out)), *SETTINGS, *more]


def check_nothing_half_written(run: RunFolder) -> None:
    """Whatever is there under its own name is whole."""
    for path, schema in ((run.manifest, "manifest"), (run.cohort, "cohort"), (run.audit, "audit")):
        if path.is_file():
            read_json(path, schema=schema)
    for path in (run.records, run.split, run.predictions("val")):
        if path.is_file():
            assert path.read_bytes().endswith(b"\n"), path


def files_in(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder))  # which forgives a folder that goes meanwhile


@dataclass(frozen=True)
class Victim:
    """A process to be killed, which leads a session of its own."""

    pid: int
    is_alive: Callable[[], bool]
    ending: Callable[[], int | None]
    """Waits for its end, and gives its exit code, or the signal as a negative number."""


def forked(words: list[str], log: Path) -> Victim:
    """From a server that has imported everything."""
    process = fork(command_line, *words, log=log)

    def ending() -> int | None:
        process.join()
        return process.exitcode

    return Victim(process.pid or 0, process.is_alive, ending)


def called(words: list[str], log: Path) -> Victim:
    """The command, as a user calls it."""
    command = [sys.executable, "-m", "sonoproof", *words]
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    return Victim(process.pid, lambda: process.poll() is None, process.wait)


def finish(words: list[str], log: Path) -> None:
    assert forked(words, log).ending() == 0, log.read_text()


def kill_when(victim: Victim, *, folder: Path, files: int, after_s: float) -> bool:
    """Kill it and its children some time after the folder holds as many files; False where it ended before."""
    while victim.is_alive():
        if files_in(folder) >= files:
            time.sleep(after_s)
            with contextlib.suppress(ProcessLookupError):  # it may have ended meanwhile
                os.killpg(victim.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    return victim.ending() == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_ten_random_moments(make_phantom: MakePhantom, tmp_path: Path) -> None:
    """Moments are told by how far the run is, not by the clock: a busy machine has another one in every minute."""
    cohort = make_phantom(frames_per_patient=2, size_px=64)
    whole, log = tmp_path / "whole", tmp_path / "log"
    finish(words_of(cohort, whole), log)
    draw = random.Random(0)
    killed = tmp_path / "killed"
    landed = 0
    for number, files in enumerate(sorted(draw.sample(range(1, files_in(whole) - 4), KILLS))):
        more = ["--resume"] if (killed / "manifest.json").is_file() else []
        start = called if number == KILLS // 2 else forked
        victim = start(words_of(cohort, killed, *more), log)
        more_files = max(files, files_in(killed) + 1)
        landed += kill_when(victim, folder=killed, files=more_files, after_s=draw.uniform(0.0, 0.3))
        check_nothing_half_written(RunFolder(killed))
    assert landed >= 6  # files that come and go may let an attempt reach its end
    finish(words_of(cohort, killed, "--resume"), log)
    for name in ("model/weights.safetensors", "split.csv", "history.csv", "records.csv"):
        assert sha256_of_file(killed / name) == sha256_of_file(whole / name), name
    assert not list(killed.rglob(".partial-*"))
