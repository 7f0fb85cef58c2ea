"""Which explanation method finds the anatomy on the phantom, where the truth is known, and what each costs.

    python benchmarks/explanation_methods.py 0 1 2

For each seed a cohort is simulated, a small MobileNet trained on it, and every method explains the right frames of
validation and test, one a group first. Printed are the means over frames of the pointing game, relevance mass and
rank accuracy against ovary and follicles, the lift over area with the 95 % interval over groups, how often the trust
gate passed, and seconds a frame beside those of saliency.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from sonoproof.config import Config, override
from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.catalogue import METHODS
from sonoproof.explanation.gate.gate import run_gate
from sonoproof.explanation.gate.patches import edge_map
from sonoproof.explanation.gate.trial import Trial
from sonoproof.explanation.localisation import localise
from sonoproof.explanation.methods import MethodSettings, explainer
from sonoproof.phantom import PhantomCohort, PhantomConfig, write_cohort
from sonoproof.pipeline import STAGES
from sonoproof.pipeline import run as run_pipeline
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table
from sonoproof.stages.context import Inputs, RunContext

FRAMES, GATE_FRAMES = 40, 3
WANTED = ("audit", "split", "fit", "predict", "evaluate")
SETTINGS = MethodSettings(steps=64)


@dataclass(frozen=True)
class Silent:
    """A reporter that keeps quiet."""

    def stage(self, name: str) -> None:
        print(f"  {name}", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        pass

    def progress(self, done: int, total: int) -> None:
        pass


def main(seeds: list[int]) -> None:
    rows, gates, aucs = [], [], []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            cohort = write_cohort(
                Path(folder) / "cohort",
                config=PhantomConfig(patients=80, frames_per_patient=5, size_px=128, seed=seed, image_format="png"),
            )
            run, config = _trained(Path(folder) / "run", cohort, seed)
            aucs += [read_json(run.evaluation(part), schema="evaluation")["auc"]["value"] for part in ("val", "test")]
            found, passed = _measured(run, config)
            rows.append(found.assign(seed=seed))
            gates.append(passed)
    _report(pd.concat(rows, ignore_index=True), pd.DataFrame(gates), aucs)


def _trained(out: Path, cohort: PhantomCohort, seed: int) -> tuple[RunFolder, Config]:
    values: dict[str, Any] = {
        "sheet": {"group_columns": ["patient_id"]},
        "frames": {"size": 96},
        "audit": {"lookalikes": False, "probes": False},
        "split": {"seed": seed},
        "model": {"backbone": "random", "width": 0.25, "device": "cpu"},
        "fit": {"epochs": 14, "batch": 16, "zoom": 0.3, "shear_degrees": 10.0, "seed": seed},
        "explain": {"masks": str(cohort.masks)},
    }
    config = override(Config(), values, origin="benchmark")
    wanted = tuple(stage for stage in STAGES if stage.name in WANTED)
    inputs = Inputs(sheet=cohort.sheet, images=cohort.images)
    return run_pipeline(out, inputs=inputs, config=config, reporter=Silent(), stages_wanted=wanted), config


def _measured(run: RunFolder, config: Config) -> tuple[pd.DataFrame, dict[str, bool]]:
    context = RunContext(run, config=config)
    masks, bundle = context.masks, context.bundle
    assert masks is not None
    tables = [read_table(run.predictions(part), columns=PREDICTION_COLUMNS) for part in ("val", "test")]
    table = pd.concat(tables, ignore_index=True)
    right = table[table["label"] == table["predicted"]]
    turn = right.groupby("group").cumcount()
    chosen = right.iloc[np.argsort(turn.to_numpy(), kind="stable")[:FRAMES]]
    frames = context.frames(list(chosen["image_id"]))
    positive = list(chosen["predicted"] == bundle.spec.classes.positive)
    rows, gates = [], {}
    for name in (*METHODS, "edges (knows no model)"):
        explain = explainer(name, settings=SETTINGS) if name in METHODS else lambda _logit, frame: edge_map(frame)
        for row, frame, side in zip(chosen.to_dict("records"), frames, positive, strict=True):
            mask = masks(row["image_id"])
            assert mask is not None
            started = time.perf_counter()
            values = np.asarray(explain(ClassLogit(bundle.classifier, positive=side), frame))
            seconds = time.perf_counter() - started
            found = localise(values, mask)
            if found is not None:
                rows.append({"method": name, "group": row["group"], "seconds": seconds, **asdict(found)})
        trial = Trial(bundle.classifier, frames[:GATE_FRAMES], positive=positive[:GATE_FRAMES])
        gates[name] = run_gate(explain, method=name, trial=trial).passed
    return pd.DataFrame(rows), gates


def _report(rows: pd.DataFrame, gates: pd.DataFrame, aucs: list[float]) -> None:
    print(f"{len(gates)} models, AUC on validation and test {min(aucs):.2f} to {max(aucs):.2f}")
    print("| method | lift over area (95 %) | pointing game | mass | rank | gate passed | time, over saliency |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    saliency = rows.loc[rows["method"] == "saliency", "seconds"].median()
    lifts = {str(name): _mean(table) for name, table in rows.groupby("method")}
    for name in sorted(lifts, key=lambda name: -lifts[name][0]):
        table = rows[rows["method"] == name]
        value, reach = lifts[name]
        print(
            f"| {name.replace('_', ' ')} | {value:.2f} ({value - reach:.2f} to {value + reach:.2f}) "
            f"| {table['pointing'].mean():.0%} | {table['mass'].mean():.2f} | {table['rank'].mean():.2f} "
            f"| {int(gates[name].sum())} of {len(gates)} | {table['seconds'].median() / saliency:.1f} |"
        )


def _mean(table: pd.DataFrame) -> tuple[float, float]:
    """Mean lift over groups, and half its interval."""
    means = table.groupby(["seed", "group"])["lift"].mean().to_numpy()
    reach = student.ppf(0.975, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean()), float(reach)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [0, 1, 2])
