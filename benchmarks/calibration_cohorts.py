"""What calibration does to the loss on new groups of real cohorts, over many random splits by group.

A stand-in for a network: logistic regression on the features of the backbone, trained on three fifths of the groups,
once regularised (``calibrated``) and once hardly (``overconfident``). It is calibrated on a fifth and measured on the
last, by the rule ``before`` of ``calibration_choice.py`` and as it is done now. The run needs the stage audit. ::

    python benchmarks/calibration_cohorts.py RUN --backbone FOLDER
"""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path

import numpy as np
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
from sonoproof.types import BoolArray, Float32Array, FloatArray

SIMULATION = runpy.run_path(str(Path(__file__).with_name("calibration_choice.py")))
PENALTIES = {"calibrated": 0.001, "overconfident": 0.1}
LOSSES = ("no calibration", "before", "after")


def losses_over_splits(
    features: Float32Array, *, targets: BoolArray, groups: np.ndarray, c: float, splits: int
) -> FloatArray:
    """Mean log loss of the rows of the last fifth, with nothing, before and after; shape (splits, 3)."""
    found = []
    for seed in range(splits):
        fold = group_folds(groups, folds=5, seed=seed)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=200))
        model.fit(features[fold < 3], targets[fold < 3])
        rows = CalibrationRows(model.decision_function(features).astype(np.float64), targets, groups)
        found.append([_loss(calibration, rows.where(fold == 4)) for calibration in _choices(rows.where(fold == 3))])
    return np.array(found)


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
    records = context.records[context.records["label"] != ""]
    features = context.features(list(records["image_id"]))
    targets, groups = (records["label"] == context.classes.positive).to_numpy(), records["group"].to_numpy(str)
    sizes = records["group"].value_counts()
    print(f"{len(records)} frames, {len(sizes)} groups, the largest of {sizes.max()}")
    for name, c in PENALTIES.items():
        losses = losses_over_splits(features, targets=targets, groups=groups, c=c, splits=options.splits)
        changes = losses[:, :1] - losses
        for column, rule in enumerate(LOSSES):
            print(
                f"{name}, {rule}: loss {losses[:, column].mean():.3f}, "
                f"worse in {100 * SIMULATION['share_worse'](changes[:, column]):.0f} % of {options.splits} splits, "
                f"by {np.maximum(-changes[:, column], 0).max():.3f} at most",
                flush=True,
            )


if __name__ == "__main__":
    main()
