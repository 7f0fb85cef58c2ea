"""Does the audit raise what was planted, and nothing on clean cohorts?

Simulates phantom cohorts, clean ones and ones with one planted defect each, and audits them as `sonoproof audit` does:
look-alikes, detectors, probes and label review, without any flag. Prints every finding above the level `info`, and how
many of the planted wrong labels stand among the tenth of the rows that the review workbook shows.

    python benchmarks/audit_phantom.py --clean 10 --planted 3
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.config import Config, override
from sonoproof.phantom import PhantomCohort, PhantomConfig, write_cohort
from sonoproof.pipeline import audit
from sonoproof.runfolder import RunFolder, read_json
from sonoproof.stages.context import Inputs


@dataclass(frozen=True)
class Planted:
    """A defect and the finding that must name it (none where nothing was planted)."""

    settings: Mapping[str, Any]
    finding: str


PLANTED = {
    "caliper": Planted({"caliper": True}, "shortcut-overlays"),
    "text": Planted({"text": True}, "shortcut-overlays"),
    "size": Planted({"size_shortcut": True}, "shortcut-metadata"),
    "exact duplicates, 5 %": Planted({"exact_duplicates": 0.05}, "exact-duplicates"),
    "re-crops, 10 %": Planted({"recrops": 0.1}, "sources"),
    "unreadable files, 5 %": Planted({"unreadable": 0.05}, "unusable-rows"),
}


class Silent:
    """A reporter that says nothing."""

    def stage(self, name: str) -> None: ...

    def say(self, line: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


def audited(folder: Path, config: PhantomConfig) -> tuple[PhantomCohort, RunFolder]:
    """A cohort and its audit."""
    cohort = write_cohort(folder / "cohort", config=config)
    settings: Config = override(
        Config(), {"model": {"backbone": "random"}, "frames": {"size": 112}}, origin="benchmark"
    )
    inputs = Inputs(sheet=cohort.sheet, images=cohort.images)
    return cohort, audit(folder / "audit", inputs=inputs, config=settings, reporter=Silent())


def levels(run: RunFolder) -> dict[str, str]:
    """Finding -> level."""
    return {finding["id"]: finding["level"] for finding in read_json(run.audit, schema="audit")["findings"]}


def wrong_labels_in_review(cohort: PhantomCohort, run: RunFolder) -> tuple[int, int]:
    """Planted wrong labels in the first tenth of the ranking, and in all."""
    planted = json.loads(cohort.truth.read_text())["planted"]
    wrong = {entry["image"] for entry in planted if entry["kind"] == "wrong label"}
    ranked = pd.read_csv(run.audit_folder / "label_doubts.csv", dtype=str)["image_id"]
    return len(wrong & set(ranked.head(round(len(ranked) / 10)))), len(wrong)


def main() -> None:
    """Audit the cohorts and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", type=int, default=10, help="clean cohorts")
    parser.add_argument("--planted", type=int, default=3, help="cohorts of each planted defect")
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--frames", type=int, default=4, help="frames of each patient")
    asked = parser.parse_args()
    size = {"patients": asked.patients, "frames_per_patient": asked.frames}
    kinds = [("clean", seed, Planted({}, "")) for seed in range(asked.clean)]
    kinds += [(name, 100 + seed, planted) for name, planted in PLANTED.items() for seed in range(asked.planted)]
    for name, seed, planted in kinds:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            _, run = audited(Path(folder), PhantomConfig(**size, seed=seed, **planted.settings))
            found = levels(run)
        above = ", ".join(f"{finding} ({level})" for finding, level in found.items() if level != "info") or "nothing"
        verdict = "" if not planted.finding else ("found" if planted.finding in found else "MISSED") + "; "
        print(f"{name}, seed {seed}: {verdict}above info: {above}  [{time.monotonic() - started:.0f} s]", flush=True)
    for seed in range(asked.planted):
        with tempfile.TemporaryDirectory() as folder:
            cohort, run = audited(Path(folder), PhantomConfig(**size, seed=200 + seed, wrong_labels=0.05))
            hits, planted_labels = wrong_labels_in_review(cohort, run)
        print(f"5 % wrong labels, seed {200 + seed}: {hits} of {planted_labels} in the first tenth", flush=True)


if __name__ == "__main__":
    main()
