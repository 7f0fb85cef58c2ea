"""The spread of the metrics between trainings that differ in their seed alone."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.evaluate.seeds import evaluate_seeds, spread
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, write_json, write_table

SEEDS = (4, 5, 6)
CONFIG = EvaluateConfig()


def write_training(run: RunFolder, *, seed: int, **training: object) -> None:
    facts = {"recipe": "default", "learning_rate": 0.002, "epoch_chosen": seed % 3, "seed": seed, **training}
    write_json(run.model / "model.json", {"cohort_sha256": "c", "training": facts}, schema="model")
    drawn = np.random.default_rng(seed)
    target = np.tile([0, 1], 20)
    logit = drawn.normal(target, 1.5)
    rows = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(40)], "path": "", "group": "", "source": "",
            "label": np.where(target == 1, "unhealthy", "healthy"), "target": target, "logit": logit,
            "probability": expit(logit), "predicted": "",
        }
    )  # fmt: skip
    write_table(run.predictions("val"), rows, columns=PREDICTION_COLUMNS)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    write_json(run.cohort, {"classes": {"negative": "healthy", "positive": "unhealthy"}}, schema="cohort")
    write_training(run, seed=SEEDS[0])
    for seed in SEEDS[1:]:
        write_training(run.with_seed(seed), seed=seed)
    return run


def auc(run: RunFolder) -> float:
    table = pd.read_csv(run.predictions("val"))
    return float(roc_auc_score(table["target"], table["probability"]))


def test_the_spread_is_that_of_the_seeds_own_predictions(run: RunFolder) -> None:
    evaluate_seeds(run, seeds=SEEDS, parts=("val",), config=CONFIG)
    expected = [auc(run), *(auc(run.with_seed(seed)) for seed in SEEDS[1:])]
    content = read_json(run.seeds, schema="seeds")
    found = content["parts"]["val"]["metrics"]["auc"]
    assert content["reported_seed"] == SEEDS[0]
    assert found["values"] == pytest.approx(expected)
    assert found["mean"] == pytest.approx(statistics.mean(expected))
    assert found["sd"] == pytest.approx(statistics.stdev(expected))
    assert (found["lowest"], found["highest"]) == pytest.approx((min(expected), max(expected)))
    table = pd.read_csv(run.seeds.with_suffix(".csv")).set_index("metric")
    assert list(table.loc["auc", [f"seed_{seed}" for seed in SEEDS]]) == pytest.approx(expected)


def test_a_seed_without_a_value_is_left_out_and_counted() -> None:
    found = spread([0.5, float("nan"), 0.7])
    assert (found["n_seeds"], found["mean"], found["lowest"]) == (2, pytest.approx(0.6), 0.5)
    assert np.isnan(spread([0.5, float("nan")])["sd"])


def test_with_one_seed_nothing_stays_of_an_earlier_table(run: RunFolder) -> None:
    evaluate_seeds(run, seeds=SEEDS, parts=("val",), config=CONFIG)
    assert evaluate_seeds(run, seeds=SEEDS[:1], parts=("val",), config=CONFIG) is None
    assert not list(run.seeds.parent.glob("seeds*"))


@pytest.mark.parametrize("other", [{"learning_rate": 0.1}, {"seed": 9}])
def test_a_training_that_differs_in_more_than_its_seed_is_refused(run: RunFolder, other: dict[str, object]) -> None:
    write_training(run.with_seed(5), **{"seed": 5, **other})  # type: ignore[arg-type]
    with pytest.raises(RunFolderError, match="not a training with the seed 5 and otherwise the model's settings"):
        evaluate_seeds(run, seeds=SEEDS, parts=("val",), config=CONFIG)


def test_a_missing_seed_and_other_rows_are_reported(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="no training with the seed 7"):
        evaluate_seeds(run, seeds=(*SEEDS, 7), parts=("val",), config=CONFIG)
    path = run.with_seed(6).predictions("val")
    path.write_text(path.read_text().replace("\n0.png", "\nother.png"))
    with pytest.raises(RunFolderError, match="its rows are not those of"):
        evaluate_seeds(run, seeds=SEEDS, parts=("val",), config=CONFIG)
