"""The demonstration: a simulated cohort, and the whole run on it."""

from __future__ import annotations

from pathlib import Path

from sonoproof.config import Config, override
from sonoproof.phantom import PhantomConfig, write_cohort
from sonoproof.pipeline import run as run_pipeline
from sonoproof.progress import Reporter
from sonoproof.runfolder import RunFolder
from sonoproof.stages.context import Inputs

DEMO_COHORT = PhantomConfig(patients=200, frames_per_patient=5, size_px=160, seed=0)


def demo_config() -> Config:
    """Settings under which the demonstration fits into three minutes on two cores.

    A narrow MobileNet at 112 pixels, trained from random weights: the phantom needs no pretrained ones.
    """
    values = {
        "frames": {"size": 112},
        "model": {"backbone": "random", "width": 0.25},
        "fit": {"epochs": 14, "batch": 16, "zoom": 0.3, "shear_degrees": 10.0},
        "explain": {"errors": 2},
        "report": {"title": "Sonoproof on a simulated cohort"},
    }
    return override(Config(), values, origin="demo")


def run_demo(out: Path, *, reporter: Reporter) -> RunFolder:
    """Simulate the cohort into ``OUT/phantom`` and run into ``OUT/run``; what is there already is kept.

    Args:
        out: Folder of the demonstration.
        reporter: Receives messages and progress.

    Raises:
        SonoproofError: The folder cannot be used.
    """
    folder = out / "phantom"
    if not (folder / "truth.json").is_file():
        reporter.stage(f"simulating ultrasound of {DEMO_COHORT.patients} patients")
        write_cohort(folder, config=DEMO_COHORT, progress=reporter.progress)
    return run_pipeline(
        out / "run",
        inputs=Inputs(sheet=folder / "labels.xlsx", images=folder / "images"),
        config=override(demo_config(), {"explain": {"masks": str(folder / "masks")}}, origin="demo"),
        reporter=reporter,
        command=f"sonoproof demo --out {out}",
        resume=(out / "run" / "manifest.json").is_file(),
    )
