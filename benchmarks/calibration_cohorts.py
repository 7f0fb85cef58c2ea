"""What calibration does to the loss on new groups of real cohorts, over many random splits by group.

A stand-in for a network: logistic regression on the features of the backbone, trained on three fifths of the groups,
once regularised (``calibrated``) and once hardly (``overconfident``). It is calibrated on a fifth and measured on the
last, by the rule ``before`` of ``calibration_choice.py`` and as it is done now. The run needs the stage audit. ::

    python benchmarks/calibration_cohorts.py RUN --backbone FOLDER
"""

from __future__ import annotations

import argparse
import runpy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sonoproof.config import CalibrateConfig, load_config, override
from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.held_out import group_folds
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.runfolder import RunFolder
from sonoproof.stages.context import RunContext
from sonoproof.training.verdict import Calibration
from sonoproof.types import BoolArray, Float32Array

SIMULATION = runpy.run_path(str(Path(__file__).with_name("calibration_choice.py")))
PENALTIES = {"calibrated": 0.001, "overconfident": 0.1}
LOSSES = ("no calibration", "before", "after")


@dataclass(frozen=True)
class Cohort:
    """Frames with a label: features (N, D), targets and groups (N,)."""

    features: Float32Array
    targets: BoolArray
    groups: npt.NDArray[np.str_]

    def losses(self, *, c: float, train: BoolArray, chooses: BoolArray, new: BoolArray) -> tuple[list[float], float]:
        """Mean log loss of the rows `new` with nothing, before and after; and the temperature that was before."""
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=200))
        model.fit(self.features[train], self.targets[train])
        logits = model.decision_function(self.features).astype(np.float64)
        rows = CalibrationRows(logits, self.targets, self.groups)
        choices = _choices(rows.where(chooses))
        return [_loss(calibration, rows.where(new)) for calibration in choices], choices[1].temperature


def _choices(rows: CalibrationRows) -> tuple[Calibration, Calibration, Calibration]:
    decision = choose_decision(
        rows, config=CalibrateConfig(error=0.0), threshold=0.5, chosen_on="", bootstrap=Bootstrap(resamples=0)
    )
    return Calibration(), SIMULATION["calibration_before"](rows, method="temperature"), decision.calibration


def _loss(calibration: Calibration, rows: CalibrationRows) -> float:
    signed = np.where(rows.targets, 1, -1) * calibration.apply(rows.logits)
    return float(np.logaddexp(0, -signed).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--splits", type=int, default=40)
    options = parser.parse_args()
    run = RunFolder(options.run).existing()
    config = override(load_config(run.config), {"model": {"backbone": options.backbone}}, origin="--backbone")
    context = RunContext(run, config=config)
    records = context.records[context.records["label"] != ""].reset_index(drop=True)
    targets = (records["label"] == context.classes.positive).to_numpy(bool)
    cohort = Cohort(context.features(list(records["image_id"])), targets, records["group"].to_numpy(str))
    sizes = records["group"].value_counts()
    print(f"{len(records)} frames, {len(sizes)} groups, the largest of {sizes.max()}")
    for name, c in PENALTIES.items():
        _print_splits(cohort, name=name, c=c, splits=options.splits)
        if run.split.is_file():
            _print_own_split(cohort, context, records=records, name=name, c=c)


def _print_splits(cohort: Cohort, *, name: str, c: float, splits: int) -> None:
    folds = [group_folds(cohort.groups, folds=5, seed=seed) for seed in range(splits)]
    losses = np.array([cohort.losses(c=c, train=f < 3, chooses=f == 3, new=f == 4)[0] for f in folds])
    for column, rule in enumerate(LOSSES):
        worse = SIMULATION["share_worse"](losses[:, 0] - losses[:, column])
        most = np.maximum(losses[:, column] - losses[:, 0], 0).max()
        print(
            f"{name}, {rule}: loss {losses[:, column].mean():.3f}, worse in {100 * worse:.0f} % of {splits} splits, "
            f"by {most:.3f} at most",
            flush=True,
        )


def _print_own_split(cohort: Cohort, context: RunContext, *, records: pd.DataFrame, name: str, c: float) -> None:
    parts = context.split_records.set_index("image_id").loc[records["image_id"]]
    part, use = parts["part"].to_numpy(str), parts["use"].to_numpy(str)
    losses, temperature = cohort.losses(
        c=c, train=(part == "fit") & (use == "train"), chooses=use == "stop", new=part == "val"
    )
    told = ", ".join(f"{rule} {loss:.3f}" for rule, loss in zip(LOSSES, losses, strict=True))
    print(f"{name}, the run's own split: {told}; temperature before {temperature:.2f}", flush=True)


if __name__ == "__main__":
    main()
