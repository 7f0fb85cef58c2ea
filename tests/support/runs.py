"""Settings of small runs, and what whole runs are started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sonoproof.config import Config, override
from sonoproof.phantom import PhantomCohort
from sonoproof.pipeline import STAGES
from sonoproof.stages.context import Inputs

FAST = [
    "--backbone", "random", "--set", "frames.size=32", "--set", "model.width=0.25", "--set", "fit.epochs=1",
    "--set", "explain.top=0", "--set", "explain.errors=0", "--set", "explain.survey=0",
    "--set", "evaluate.resamples=100", "--set", "report.dpi=60", "--device", "cpu",
]  # fmt: skip

Call = Callable[..., tuple[int, str, str]]


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
    "explain": {"top": 1, "errors": 1, "steps": 32, "dpi": 100},
    "report": {"dpi": 60},
}

# Without the stages that train further models and draw; what is asked lies elsewhere.
QUICK_STAGES = tuple(stage for stage in STAGES if stage.name not in ("probe", "explain"))
PREDICTING = tuple(stage for stage in QUICK_STAGES if stage.name != "report")


def small_config(**tables: dict[str, object]) -> Config:
    config = override(Config(), SMALL, origin="test")
    return override(config, tables, origin="test")


def inputs_of(cohort: PhantomCohort) -> Inputs:
    return Inputs(sheet=cohort.sheet, images=cohort.images)
