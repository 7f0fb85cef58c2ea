"""Trainings with several seeds on one split: kept, resumed, reported and verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.phantoms import MakePhantom
from tests.support.runs import Silent, inputs_of, small_config

from sonoproof import pipeline
from sonoproof.config import Config
from sonoproof.reporting.terminal.summary import summary_lines
from sonoproof.runfolder import RunFolder, read_json, sha256_of_file
from sonoproof.stages.context import Inputs
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.fit import fit
from sonoproof.training.job import TrainingJob
from sonoproof.verification import verify_run

pytestmark = pytest.mark.slow

QUICK = {
    "frames": {"size": 32}, "audit": {"probes": False, "lookalikes": False}, "evaluate": {"resamples": 100},
    "explain": {"top": 0, "errors": 0, "survey": 0},
}  # fmt: skip


def seeded(count: int) -> Config:
    return small_config(**QUICK, fit={"epochs": 1, "seeds": count})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def inputs(make_phantom: MakePhantom) -> Inputs:
    return inputs_of(make_phantom(frames_per_patient=3, size_px=64))


def test_killed_between_seeds_it_goes_on_and_the_table_is_verified(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    trained: list[str] = []

    def killed_at_the_last(job: TrainingJob, run: RunFolder, **how: Any) -> ModelBundle:
        if run.root.name == "2" and trained.count("2") == 0:
            trained.append("2")
            raise KeyboardInterrupt
        trained.append(run.root.name)
        return fit(job, run, **how)

    monkeypatch.setattr("sonoproof.stages.trainings.fit", killed_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(out, inputs=inputs, config=seeded(3), reporter=Silent())
    reported = sha256_of_file(out / "model/weights.safetensors")
    run = pipeline.run(out, inputs=inputs, config=seeded(3), reporter=Silent(), resume=True)
    assert trained == ["run", "1", "2", "2"]  # nothing that was finished is trained again

    content = read_json(run.seeds, schema="seeds")
    assert content["seeds"] == [0, 1, 2]
    for part in ("val", "test"):
        found = content["parts"][part]["metrics"]["auc"]
        assert found["values"][0] == read_json(run.evaluation(part), schema="evaluation")["auc"]["value"]
        rows = [pd.read_csv(of.predictions(part)) for of in (run, run.with_seed(1), run.with_seed(2))]
        assert all((table["image_id"] == rows[0]["image_id"]).all() for table in rows)
        assert len({tuple(table["logit"]) for table in rows}) == 3
    assert sha256_of_file(run.model / "weights.safetensors") == reported
    assert any("3 trainings on the same split" in line for line in summary_lines(run))
    assert "3 trainings on the same split" in run.report.read_text(encoding="utf-8")
    _check_that_a_forged_mean_is_found(run)

    fewer = pipeline.run(out, inputs=inputs, config=seeded(1), reporter=Silent(), resume=True)
    assert trained == ["run", "1", "2", "2"]  # another number of seeds does not train the model again
    assert not fewer.seeds.exists()


def _check_that_a_forged_mean_is_found(run: RunFolder) -> None:
    found = verify_run(run)
    assert found.differences == ()
    assert {"evaluation/seeds.json", "evaluation/seeds.csv", "seeds/1/predictions/val.csv"} <= set(found.recomputed)
    content, manifest = json.loads(run.seeds.read_text()), json.loads(run.manifest.read_text())
    before = run.seeds.read_text(), run.manifest.read_text()
    content["parts"]["val"]["metrics"]["auc"]["mean"] = 0.99
    run.seeds.write_text(json.dumps(content))
    manifest["stages"]["evaluate"]["outputs"]["evaluation/seeds.json"] = sha256_of_file(run.seeds)
    run.manifest.write_text(json.dumps(manifest))
    assert any("seeds.json: parts.val.metrics.auc.mean" in line for line in verify_run(run).differences)
    run.seeds.write_text(before[0])
    run.manifest.write_text(before[1])


def test_a_training_done_again_alone_takes_its_new_settings(inputs: Inputs, tmp_path: Path) -> None:
    run = pipeline.run(
        tmp_path / "run", inputs=inputs, config=seeded(1), reporter=Silent(), stages_wanted=pipeline.STAGES[:4]
    )
    weights = []
    # Steps of another size lead elsewhere on every processor; more epochs may not, where the first one is the best.
    for epochs, rate in ((2, 1e-3), (1, 1e-2)):
        config = small_config(**QUICK, fit={"epochs": epochs, "learning_rate": rate})  # type: ignore[arg-type]
        pipeline.rerun(run, name="fit", config=config, reporter=Silent())
        weights.append(sha256_of_file(run.model / "weights.safetensors"))
        assert len(pd.read_csv(run.history)) == epochs
    assert weights[0] != weights[1]
