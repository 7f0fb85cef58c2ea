"""An ensemble of folds from the sheet to the report: killed, resumed, free of leaks, verified, predicted, exported."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from tests.support.phantoms import MakePhantom
from tests.support.runs import Call, Silent, inputs_of, small_config

from sonoproof import pipeline
from sonoproof.config import Config, override
from sonoproof.errors import ConfigError
from sonoproof.runfolder import RunFolder, read_json, read_table, sha256_of_file
from sonoproof.stages.context import Inputs, RunContext
from sonoproof.training.batches import to_network
from sonoproof.training.bundle import load_bundle
from sonoproof.training.ensemble import Ensemble
from sonoproof.training.fit import fit
from sonoproof.training.job import Parts, TrainingJob
from sonoproof.verification import verify_run

pytestmark = pytest.mark.slow

FOLDS = 3
TO_THE_SPLIT, TO_THE_MODEL = pipeline.STAGES[:3], pipeline.STAGES[:4]


class Killed(Exception):
    """The power goes off in the middle of a training."""


@dataclass
class Watched:
    """Keeps what every training was given and what frames it asked for; kills one of them after its first epoch."""

    kill: str = ""
    trained: list[str] = field(default_factory=list)
    given: dict[str, Parts] = field(default_factory=dict)
    loaded: dict[str, set[str]] = field(default_factory=dict)

    def fit(self, job: TrainingJob, run: RunFolder, **how: Any) -> object:
        name = "/".join(run.root.parts[-2:]) if run.root.parent.name == "folds" else run.root.name
        seen = self.loaded.setdefault(name, set())

        def watched(image_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
            seen.update(image_ids)
            return job.load(image_ids)

        self.trained.append(name)
        self.given[name] = job.parts
        if name == self.kill and self.trained.count(name) == 1:
            how["progress"] = self._kill_after_an_epoch
        return fit(dataclasses.replace(job, load=watched), run, **how)

    def _kill_after_an_epoch(self, done: int, _total: int) -> None:
        if done > 1:
            raise Killed


def tiny(**fit_settings: object) -> Config:
    return small_config(
        frames={"size": 32},
        audit={"probes": False, "lookalikes": False},
        split={"val": 0.25, "test": 0.25, "folds": FOLDS},
        fit={"epochs": 2, "ensemble": True, **fit_settings},
        evaluate={"resamples": 100},
        explain={"top": 1, "errors": 0, "survey": 2, "steps": 8, "dpi": 50, "methods": ["saliency", "grad_cam"]},
    )


@pytest.fixture(scope="module")
def inputs(make_phantom: MakePhantom) -> Inputs:
    return inputs_of(make_phantom(frames_per_patient=3, size_px=64))


@pytest.fixture(scope="module")
def uninterrupted(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Watched]:
    """Trained in one go, and watched."""
    watched, out = Watched(), tmp_path_factory.mktemp("runs") / "uninterrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sonoproof.stages.trainings.fit", watched.fit)
        run = pipeline.run(out, inputs=inputs, config=tiny(), reporter=Silent(), stages_wanted=TO_THE_MODEL)
    return run, watched


@pytest.fixture(scope="module")
def whole(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Watched]:
    """Killed in the second epoch of the second member, resumed, and gone on with through to the report."""
    watched, out = Watched(kill="folds/1"), tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sonoproof.stages.trainings.fit", watched.fit)
        with pytest.raises(Killed):
            pipeline.run(out, inputs=inputs, config=tiny(), reporter=Silent())
        assert not (out / "model" / "model.json").exists()
        run = pipeline.run(out, inputs=inputs, config=tiny(), reporter=Silent(), resume=True)
    return run, watched


def sides(run: RunFolder) -> pd.DataFrame:
    """Part, fold, group and source of every frame, from the tables as they lie there."""
    split = pd.read_csv(run.split, dtype=str, keep_default_na=False)
    return split.merge(pd.read_csv(run.records, dtype=str, keep_default_na=False)[["image_id", "source"]])


def test_no_member_saw_its_fold_or_a_row_that_is_reported_on(uninterrupted: tuple[RunFolder, Watched]) -> None:
    run, watched = uninterrupted
    table = sides(run).set_index("image_id")
    assert (table["fold"] == "").eq(table["part"] != "fit").all()
    assert watched.trained == [f"folds/{fold}" for fold in range(FOLDS)]
    for fold in range(FOLDS):
        parts = watched.given[f"folds/{fold}"]
        learned, chose = set(parts.train.image_ids), set(parts.stop.image_ids)
        others = set(table.index[(table["part"] == "fit") & (table["fold"] != str(fold))])
        assert learned | chose == others
        assert learned
        assert chose
        assert len(parts.val) == 0
        assert watched.loaded[f"folds/{fold}"] <= others
        forbidden = table[(table["part"] != "fit") | (table["fold"] == str(fold))]
        for key in ("group", "source"):
            of_others = set(table.loc[sorted(others), key]) - {""}
            assert not of_others & set(forbidden[key])
        groups_learned, groups_chose = (set(table.loc[sorted(ids), "group"]) for ids in (learned, chose))
        assert not groups_learned & groups_chose
        facts = read_json(run.fold(fold).model / "model.json", schema="model")["training"]
        assert facts["monitor"] == "stop_loss"
        assert not (run.fold(fold).model / "decision.json").exists()  # no member is calibrated by itself


def test_poisoned_labels_of_the_reported_parts_change_no_member(
    inputs: Inputs, uninterrupted: tuple[RunFolder, Watched], tmp_path: Path
) -> None:
    run = pipeline.run(tmp_path / "run", inputs=inputs, config=tiny(), reporter=Silent(), stages_wanted=TO_THE_SPLIT)
    records, split = pd.read_csv(run.records, dtype=str, keep_default_na=False), sides(run)
    reported = records["image_id"].isin(split.loc[split["part"] != "fit", "image_id"])
    other = {"healthy": "unhealthy", "unhealthy": "healthy"}
    records.loc[reported, "label"] = records.loc[reported, "label"].map(other)
    records.to_csv(run.records, index=False)
    pipeline.rerun(run, name="fit", config=tiny(), reporter=Silent())
    for name in ("model/weights.safetensors", "history.csv", "folds/oof.csv"):
        assert sha256_of_file(run.root / name) == sha256_of_file(uninterrupted[0].root / name), name


def test_killed_and_resumed_it_has_the_same_members_and_trains_none_twice(
    uninterrupted: tuple[RunFolder, Watched], whole: tuple[RunFolder, Watched]
) -> None:
    run, watched = whole
    assert watched.trained == ["folds/0", "folds/1", "folds/1", "folds/2"]
    for name in ("model/weights.safetensors", "history.csv", "folds/oof.csv"):
        assert sha256_of_file(run.root / name) == sha256_of_file(uninterrupted[0].root / name), name


def test_predictions_are_the_mean_of_the_members_logits(whole: tuple[RunFolder, Watched]) -> None:
    run, _ = whole
    classifier = load_bundle(run.root).classifier
    assert isinstance(classifier, Ensemble)
    assert len(classifier.members) == FOLDS
    table = pd.read_csv(run.predictions("test"))
    frames = to_network(RunContext(run, config=tiny()).frames(list(table["image_id"])))
    with torch.no_grad():
        each = [load_bundle(run.fold(fold).model).classifier(frames).double().numpy() for fold in range(FOLDS)]
    np.testing.assert_allclose(table["logit"], np.mean(each, axis=0), atol=1e-5)
    assert all(np.abs(table["logit"] - logits).max() > 1e-3 for logits in each)


def test_out_of_fold_predictions_are_of_the_fit_part_and_each_of_the_member_that_left_it_out(
    whole: tuple[RunFolder, Watched],
) -> None:
    run, _ = whole
    oof, table = pd.read_csv(run.predictions("oof")), sides(run)
    fit_rows = table[table["part"] == "fit"]
    assert dict(zip(oof["image_id"], oof["fold"].astype(str), strict=True)) == dict(
        zip(fit_rows["image_id"], fit_rows["fold"], strict=True)
    )
    # They are of single members, and so they choose nothing for the mean of all.
    assert read_json(run.model / "decision.json", schema="decision")["rows"].startswith("validation rows")
    page = run.report.read_text(encoding="utf-8")
    assert "The out-of-fold rows are those of the fit part only" in page


def test_history_model_and_report_tell_of_every_member(whole: tuple[RunFolder, Watched]) -> None:
    run, _ = whole
    history = pd.read_csv(run.history)
    assert list(history.columns[:2]) == ["fold", "epoch"]
    assert (history.groupby("fold").size() == 2).all()
    assert (history.groupby("fold")["chosen"].sum() == 1).all()
    assert history["val_loss"].isna().all()  # no member measures itself on the validation part
    assert history["stop_loss"].notna().all()
    content = read_json(run.model / "model.json", schema="model")
    assert content["members"] == FOLDS
    assert [member["fold"] for member in content["training"]["members"]] == list(range(FOLDS))
    page = run.report.read_text(encoding="utf-8")
    assert f"The {FOLDS} members of the ensemble." in page
    assert f"{FOLDS} members, each learns" in page
    card = (run.checklists / "model-card.md").read_text(encoding="utf-8")
    claim = (run.checklists / "claim-2024.md").read_text(encoding="utf-8")
    assert f"The mean of the logits of {FOLDS} networks" in card + claim


def test_a_finished_ensemble_is_verified_predicted_and_exported(
    whole: tuple[RunFolder, Watched], inputs: Inputs, tmp_path: Path, call: Call
) -> None:
    run, _ = whole
    assert verify_run(run).differences == ()
    known = pd.read_csv(run.predictions("test")).set_index("image_id")
    paths = [inputs.images / image_id for image_id in known.index[:4]]
    code, said, err = call("export", run.root, "--out", tmp_path / "model.onnx")
    assert (code, err) == (0, ""), err
    assert "differs from the saved model by at most" in said
    for source in (run.root, tmp_path / "model.onnx"):
        out = tmp_path / f"{source.name}.csv"
        code, _, err = call("predict", source, *paths, "--out", out)
        assert code == 0, err
        found = read_table(out, columns=("probability",))
        np.testing.assert_allclose(found["probability"], known["probability"].iloc[:4], atol=1e-4)
    weights = bytearray((run.model / "weights.safetensors").read_bytes())
    copy = RunFolder(tmp_path / "damaged")
    shutil.copytree(run.root, copy.root, ignore=shutil.ignore_patterns("store", "folds"))
    weights[len(weights) // 2] ^= 1
    (copy.model / "weights.safetensors").write_bytes(weights)
    assert any(line.startswith("model/weights.safetensors:") for line in verify_run(copy).differences)


def test_further_seeds_and_shuffled_labels_are_ensembles_too(
    whole: tuple[RunFolder, Watched], inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = whole
    watched = Watched()
    monkeypatch.setattr("sonoproof.stages.trainings.fit", watched.fit)
    before = sha256_of_file(run.model / "weights.safetensors")
    config = tiny(seeds=2)
    again = pipeline.run(run.root, inputs=inputs, config=config, reporter=Silent(), resume=True)
    assert watched.trained == [f"folds/{fold}" for fold in range(FOLDS)]  # those of the further seed alone
    assert sha256_of_file(again.model / "weights.safetensors") == before
    second = load_bundle(run.with_seed(1).root).classifier
    assert isinstance(second, Ensemble)
    assert read_json(run.seeds, schema="seeds")["seeds"] == [0, 1]
    assert verify_run(run).differences == ()

    asked = override(config, {"explain": {"label_randomisation": True, "methods": ["saliency"]}}, origin="test")
    watched.trained.clear()
    pipeline.rerun(run, name="explain", config=asked, reporter=Silent())
    assert watched.trained == [f"folds/{fold}" for fold in range(FOLDS)]
    gate = json.loads((run.explanations("val") / "explanations.json").read_text())["gate"]
    assert "label_randomisation" in [check["name"] for check in gate["checks"]]


def test_without_folds_there_is_one_clear_error(inputs: Inputs, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "run"
    for words in ((), ("--folds", 0)):
        code, _, err = call("run", inputs.sheet, "--images", inputs.images, "--out", out, "--backbone", "random",
                            "--ensemble", *words)  # fmt: skip
        assert code == 1
        assert "fit.ensemble needs split.folds of 2 or more, not 0" in err
        assert "--folds 5 --ensemble" in err
    assert not out.exists()


def test_folds_that_hold_validation_rows_make_no_ensemble(inputs: Inputs, tmp_path: Path) -> None:
    plain = tiny(ensemble=False)
    run = pipeline.run(tmp_path / "run", inputs=inputs, config=plain, reporter=Silent(), stages_wanted=TO_THE_SPLIT)
    with pytest.raises(ConfigError, match="would learn from validation rows"):
        pipeline.rerun(run, name="fit", config=tiny(), reporter=Silent())
    assert not (run.root / "folds").exists()
