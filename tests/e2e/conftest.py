from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sonoproof import cli
from sonoproof.config import Config, override
from sonoproof.phantom import PhantomCohort, PhantomConfig, write_cohort
from sonoproof.pipeline import run as run_pipeline
from sonoproof.runfolder import RunFolder
from sonoproof.stages.context import Inputs

FAST = [
    "--backbone", "random", "--set", "frames.size=32", "--set", "model.width=0.25", "--set", "fit.epochs=1",
    "--set", "explain.top=1", "--set", "explain.errors=0", "--set", "evaluate.resamples=100",
    "--set", "explain.steps=16", "--set", "explain.dpi=100", "--device", "cpu",
]  # fmt: skip

Call = Callable[..., tuple[int, str, str]]

SHARED = Path(__file__).parents[3] / "shared"


@dataclass
class Silent:
    """A reporter that keeps what it is told."""

    lines: list[str] = field(default_factory=list)

    def stage(self, name: str) -> None:
        self.lines.append(name)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, done: int, total: int) -> None:
        assert 0 <= done <= total


SMALL = {
    "sheet": {"group_columns": ["patient_id"]},
    "frames": {"size": 64},
    "split": {"val": 0.25, "test": 0.25, "stop": 0.2},
    "model": {"backbone": "random", "width": 0.25, "device": "cpu"},
    "fit": {"epochs": 3, "threads": 1, "batch": 16},
    "evaluate": {"resamples": 200},
    "explain": {"top": 2, "errors": 1, "steps": 32, "dpi": 600},
}


def small_config(**tables: dict[str, object]) -> Config:
    config = override(Config(), SMALL, origin="test")
    return override(config, tables, origin="test")


@functools.cache
def phantom(folder: Path, **options: object) -> PhantomCohort:
    config = PhantomConfig(**{"patients": 24, "frames_per_patient": 4, "size_px": 96, "workers": 1, **options})  # type: ignore[arg-type]
    return write_cohort(folder, config=config)


def inputs_of(cohort: PhantomCohort) -> Inputs:
    return Inputs(sheet=cohort.sheet, images=cohort.images)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> PhantomCohort:
    return phantom(tmp_path_factory.mktemp("phantom") / "cohort")


@pytest.fixture(scope="session")
def finished(cohort: PhantomCohort, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    out = tmp_path_factory.mktemp("runs") / "small"
    return run_pipeline(out, inputs=inputs_of(cohort), config=small_config(), reporter=Silent(), command="test")


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the real frames of ../shared are not on this machine")
    return SHARED


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process: exit code, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sonoproof", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
