from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.protocol.table import Effect, effect, random_effects, table
from benchmarks.protocol.training import Plan, Task, tasks
from benchmarks.protocol.variants import VARIANTS
from sklearn.metrics import roc_auc_score

from sonoproof.training.batches import Rows

FOLDS = 5
SKILL = {"before": 0.6, "varied": 1.4}


@pytest.fixture
def rows() -> Rows:
    rng = np.random.default_rng(0)
    groups = tuple(f"g{k // 3}" for k in range(300))
    targets = np.repeat(rng.random(100) < 0.4, 3).astype(np.float32)
    return Rows(tuple(map(str, range(300))), targets, groups)


@pytest.fixture
def logits(rows: Rows) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(1).normal(size=300)
    return {name: (skill * rows.targets + noise).astype(np.float32) for name, skill in SKILL.items()}


def held_out(fold: int) -> np.ndarray:
    return np.flatnonzero((np.arange(300) // 3) % FOLDS == fold)


@pytest.fixture
def results(tmp_path: Path, logits: dict[str, np.ndarray]) -> Path:
    for name, values in logits.items():
        for fold in range(FOLDS):
            stop, out = held_out((fold + 1) % FOLDS), held_out(fold)
            np.savez(
                tmp_path / Task(name, "toy", fold, 0).file,
                held_out=out, logits=values[out], stop=stop, stop_logits=values[stop],
                facts=json.dumps({"cpu_seconds": 6.0}),
            )  # fmt: skip
    return tmp_path


def test_the_difference_is_that_of_the_folds_and_its_interval_holds_it(
    rows: Rows, logits: dict[str, np.ndarray], results: Path
) -> None:
    def mean_auc(name: str) -> float:
        parts = [held_out(fold) for fold in range(FOLDS)]
        return float(np.mean([roc_auc_score(rows.targets[part], logits[name][part]) for part in parts]))

    found = effect("varied", "before", "toy", rows, results)
    assert found is not None
    assert found.auc == pytest.approx(mean_auc("varied"))
    assert found.difference == pytest.approx(mean_auc("varied") - mean_auc("before"))
    assert found.limits[0] < found.difference < found.limits[1]
    assert found.limits[0] > 0  # the skill is twice as high
    assert found.trainings == FOLDS
    assert effect("no beam, 16 epochs", "before", "toy", rows, results) is None


def test_the_mean_over_sets_is_that_of_dersimonian_and_laird() -> None:
    differences, variances = np.array([0.02, -0.01, 0.05]), np.array([1e-4, 4e-4, 2e-4])
    one = Effect(auc=0.8, difference=0.0, variance=1.0, loss=0.0, slope=1.0, cpu_minutes=1.0, trainings=5)
    effects = {
        str(k): replace(one, difference=d, variance=v)
        for k, (d, v) in enumerate(zip(differences, variances, strict=True))
    }
    weights = 1 / variances
    fixed = (weights * differences).sum() / weights.sum()
    q = (weights * (differences - fixed) ** 2).sum()
    between = max(0.0, (q - 2) / (weights.sum() - (weights**2).sum() / weights.sum()))
    weights = 1 / (variances + between)
    expected = (weights * differences).sum() / weights.sum()
    mean, low, high = random_effects(effects)
    assert mean == pytest.approx(expected)
    assert high - low == pytest.approx(2 * 1.959964 / np.sqrt(weights.sum()), rel=1e-4)


def test_the_table_has_a_row_for_each_variant_with_results(rows: Rows, results: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    np.savez(
        pack / "toy.npz",
        image_ids=np.array(rows.image_ids), targets=rows.targets, groups=np.array(rows.groups),
        use=np.zeros((FOLDS, 300), np.int8),
    )  # fmt: skip
    lines = table(pack, results).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| before", "| varied"]
    assert "(toy)" in lines[3]


def test_what_matters_most_is_trained_first_and_no_two_trainings_share_a_file(tmp_path: Path) -> None:
    planned = tasks(Plan(tmp_path, tmp_path, sets=("a", "b")))
    assert len({task.file for task in planned}) == len(planned) == len(VARIANTS) * 3 * 2 * FOLDS
    assert (planned[0].variant, planned[0].seed) == ("before", 0)
    ranks = [2 * VARIANTS[task.variant].rank + task.seed for task in planned]
    assert ranks == sorted(ranks)
