from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image
from sklearn import metrics
from tests.support.phantoms import MakePhantom
from tests.support.runs import PREDICTING, QUICK_STAGES, Silent, inputs_of, small_config

from sonoproof.config import Config
from sonoproof.errors import LeakageError, RunFolderError
from sonoproof.manifest import Manifest
from sonoproof.phantom import PhantomCohort
from sonoproof.pipeline import rerun
from sonoproof.pipeline import run as run_pipeline
from sonoproof.runfolder import RunFolder, read_json, sha256_of_file
from sonoproof.stages.context import Inputs

pytestmark = pytest.mark.slow


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


def test_every_artefact_is_there(finished: RunFolder) -> None:
    expected = [
        "manifest.json", "config.toml", "records.csv", "quarantine.csv", "cohort.json", "split.csv", "history.csv",
        "model/weights.safetensors", "model/model.json", "model/decision.json", "predictions/val.csv",
        "predictions/val.xlsx", "predictions/test.csv", "predictions/test.xlsx", "evaluation/val.json",
        "evaluation/test.json", "evaluation/metrics.csv", "evaluation/metrics.tex",
        "explanations/val/explanations.json", "explanations/val/survey.json", "checklists/claim-2024.docx",
        "checklists/model-card.md", "figures/flow.svg", "report.html",
    ]  # fmt: skip
    assert [name for name in expected if not (finished.root / name).is_file()] == []
    assert not list(finished.root.rglob(".partial-*"))


def test_rows_read_are_rows_used_and_rows_quarantined(finished: RunFolder, cohort: PhantomCohort) -> None:
    facts = read_json(finished.cohort, schema="cohort")
    assert facts["rows_read"] == cohort.rows == len(table(finished.records)) + len(table(finished.quarantine))


def test_no_patient_stands_on_two_sides(finished: RunFolder) -> None:
    rows = table(finished.split).merge(table(finished.records)[["image_id", "patient_id"]], on="image_id")
    assert (rows.groupby("patient_id")["part"].nunique() == 1).all()
    assert (rows.groupby("patient_id")["use"].nunique() == 1).all()
    assert set(rows["part"]) == {"fit", "val", "test"}


def test_every_label_and_prediction_belongs_to_its_image(finished: RunFolder, cohort: PhantomCohort) -> None:
    sheet = pd.read_excel(cohort.sheet, dtype=str, engine="calamine").set_index("imagePath")["Healthy"]
    for part in ("val", "test"):
        predictions = table(finished.predictions(part))
        expected = predictions["image_id"].map(sheet).map({"1": "healthy", "0": "unhealthy"})
        assert (predictions["label"] == expected).all()
        assert ((predictions["probability"] >= 0.5) == (predictions["predicted"] == "unhealthy")).all()
        parts = table(finished.split).set_index("image_id")["part"]
        assert (predictions["image_id"].map(parts) == part).all()


def test_the_metrics_are_those_of_the_predictions(finished: RunFolder) -> None:
    for part in ("val", "test"):
        predictions, found = (
            table(finished.predictions(part)),
            read_json(finished.evaluation(part), schema="evaluation"),
        )
        truth, called = predictions["label"] == "unhealthy", predictions["predicted"] == "unhealthy"
        assert found["positive_class"] == "unhealthy"
        assert found["n"] == len(predictions)
        assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(truth, predictions["probability"]))
        assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(truth, called))
        assert found["recall"]["value"] == pytest.approx(metrics.recall_score(truth, called))
        if called.any():
            assert found["precision"]["value"] == pytest.approx(metrics.precision_score(truth, called))
        else:
            assert found["precision"]["value"] is None


def pictures(run: RunFolder, part: str) -> list[Path]:
    folder = run.explanations(part)
    return [folder / frame["png"] for frame in json.loads((folder / "explanations.json").read_text())["frames"]]


def test_explanations_are_pictures_of_the_resolution_asked_for_and_arrays(finished: RunFolder) -> None:
    for part in ("val", "test"):
        folder = finished.explanations(part)
        frames = json.loads((folder / "explanations.json").read_text())["frames"]
        assert {frame["kind"] for frame in frames} >= {"top"}
        for frame in frames:
            with np.load(folder / frame["arrays"]) as arrays:
                assert all(np.isfinite(arrays[name]).all() for name in arrays.files)
        for path in pictures(finished, part):
            with Image.open(path) as picture:
                assert picture.info["dpi"] == pytest.approx((100, 100), abs=0.1)


def test_the_report_names_no_outside_resource_and_its_links_lead_somewhere(finished: RunFolder) -> None:
    import re

    page = finished.report.read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=[\"']https?://(?!www\.w3\.org)", page.split("</head>")[0])
    for link in re.findall(r'href="([^"#:]+)"', page):
        assert (finished.root / link).is_file(), link


def test_the_manifest_holds_the_hash_of_every_file_written(finished: RunFolder) -> None:
    stages = Manifest(finished).content["stages"]
    outputs = {name: sha for stage in stages.values() for name, sha in stage["outputs"].items()}
    assert {"records.csv", "split.csv", "model/weights.safetensors", "report.html"} <= set(outputs)
    for name, sha256 in outputs.items():
        assert sha256_of_file(finished.root / name) == sha256, name


def test_resuming_a_finished_run_does_nothing_and_changes_nothing(finished: RunFolder, cohort: PhantomCohort) -> None:
    before = {
        path: sha256_of_file(path) for path in finished.root.rglob("*") if path.suffix in (".csv", ".png", ".html")
    }
    reporter = Silent()
    run_pipeline(finished.root, inputs=inputs_of(cohort), config=small_config(), reporter=reporter, resume=True)
    assert sum("done before" in line for line in reporter.lines) >= 8
    assert before == {path: sha256_of_file(path) for path in before}


def test_a_file_that_was_changed_is_made_again(finished: RunFolder, cohort: PhantomCohort, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished.root, copy)
    evaluation = RunFolder(copy).evaluation("val")
    whole = evaluation.read_text()
    evaluation.write_text(whole.replace("0.", "1.", 1))
    run_pipeline(copy, inputs=inputs_of(cohort), config=small_config(), reporter=Silent(), resume=True)
    assert evaluation.read_text() == whole


def test_a_run_into_a_folder_that_holds_something_is_refused(cohort: PhantomCohort, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(RunFolderError, match="--out"):
            run_pipeline(tmp_path, inputs=inputs_of(cohort), config=small_config(), reporter=Silent(), resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_one_stage_can_be_done_again_from_the_folder(finished: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(tmp_path / "copy")
    shutil.copytree(finished.root, copy.root)
    rerun(copy, name="evaluate", config=small_config(evaluate={"resamples": 300}), reporter=Silent())
    assert read_json(copy.evaluation("val"), schema="evaluation")["resamples"] == 300


def test_a_split_that_leaks_is_not_trained_on(finished: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(tmp_path / "copy")
    shutil.copytree(finished.root, copy.root)
    rows = pd.read_csv(copy.split, dtype=str, keep_default_na=False)
    val = rows.index[rows["part"] == "val"][0]
    rows.loc[val, ["part", "use"]] = ["fit", "train"]
    rows.to_csv(copy.split, index=False)
    with pytest.raises(LeakageError, match="on two sides"):
        rerun(copy, name="fit", config=small_config(), reporter=Silent())


def test_damaged_frames_are_quarantined_and_the_rest_is_used(make_phantom: MakePhantom, tmp_path: Path) -> None:
    cohort = make_phantom(unreadable=0.1, exact_duplicates=0.1, seed=3)
    out = tmp_path / "run"
    finished = run_pipeline(
        out, inputs=inputs_of(cohort), config=small_config(), reporter=Silent(), stages_wanted=PREDICTING
    )
    planted = json.loads(cohort.truth.read_text())["planted"]
    damaged = {item["image"] for item in planted if item["kind"] == "unreadable"}
    quarantine, records = table(finished.quarantine), table(finished.records)
    assert damaged
    assert set(quarantine["reference"]) == damaged
    assert (quarantine["reason"] != "").all()
    assert not damaged & set(records["image_id"])
    assert len(quarantine) + len(records) == cohort.rows
    parts = records.merge(table(finished.split)[["image_id", "part"]], on="image_id")
    assert (parts.groupby("pixel_sha256")["part"].nunique() == 1).all()
    assert parts["pixel_sha256"].duplicated().any()


def test_a_test_folder_is_predicted_frame_by_frame(cohort: PhantomCohort, tmp_path: Path) -> None:
    folder = tmp_path / "test"
    folder.mkdir()
    for source in sorted(cohort.images.iterdir())[:5]:
        shutil.copy(source, folder / f"=new {source.name}")
    (folder / "broken.jpg").write_text("this is a text file")
    inputs = Inputs(sheet=cohort.sheet, images=cohort.images, test_images=folder)
    config = small_config(fit={"epochs": 1}, split={"test": -1.0})
    finished = run_pipeline(
        tmp_path / "run", inputs=inputs, config=config, reporter=Silent(), stages_wanted=QUICK_STAGES
    )
    predictions = table(finished.predictions("test"))
    assert sorted(predictions["image_id"]) == [f"test:=new {path.name}" for path in sorted(cohort.images.iterdir())[:5]]
    assert (predictions["label"] == "").all()
    quarantine = table(finished.quarantine)
    assert list(quarantine["reference"]) == ["broken.jpg"]
    sheet = load_workbook(finished.predictions("test").with_name("challenge.xlsx")).active
    assert sheet is not None
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("S. No.", "Image Path", "Predicted Class Label")
    assert [row[1] for row in rows[1:6]] == [image_id.removeprefix("test:") for image_id in predictions["image_id"]]
    assert not finished.evaluation("test").exists()
    # The frames of the test folder are copies of training frames: no frame of the sheet may count as test.
    assert set(table(finished.split).query("part == 'test'")["image_id"]) == set(predictions["image_id"])


def test_cross_validation_predicts_every_row_from_other_groups(cohort: PhantomCohort, tmp_path: Path) -> None:
    config = small_config(split={"folds": 3, "test": 0.0}, fit={"epochs": 1})
    finished = run_pipeline(
        tmp_path / "run", inputs=inputs_of(cohort), config=config, reporter=Silent(), stages_wanted=QUICK_STAGES
    )
    oof = table(finished.predictions("oof"))
    assert sorted(oof["image_id"]) == sorted(table(finished.records)["image_id"])
    assert (oof.groupby("group")["fold"].nunique() == 1).all()
    assert oof["fold"].nunique() == 3
    assert read_json(finished.evaluation("oof"), schema="evaluation")["n"] == len(oof)


def test_poisoned_labels_of_the_reported_parts_change_nothing_that_was_chosen(
    finished: RunFolder, tmp_path: Path
) -> None:
    clean, poisoned = RunFolder(tmp_path / "clean"), RunFolder(tmp_path / "poisoned")
    # A wide band of rows set aside, a policy that follows the labels, and as few groups as it takes.
    config = small_config(
        calibrate={"policy": "sensitivity", "target": 0.5, "least_groups": 2, "error": 0.3},
        fit={"epochs": 1},
        split={"stop": 0.3},
    )
    for copy in (clean, poisoned):
        shutil.copytree(finished.root, copy.root)
        rerun(copy, name="split", config=config, reporter=Silent())
    records = pd.read_csv(poisoned.records, dtype=str, keep_default_na=False)
    parts = pd.read_csv(poisoned.split, dtype=str).set_index("image_id")["part"]
    reported = records["image_id"].map(parts).isin(["val", "test"])
    records.loc[reported, "label"] = records.loc[reported, "label"].map(
        {"healthy": "unhealthy", "unhealthy": "healthy"}
    )
    records.to_csv(poisoned.records, index=False)
    for copy in (clean, poisoned):
        for stage in ("fit", "calibrate", "predict"):
            rerun(copy, name=stage, config=config, reporter=Silent())
    decision = read_json(clean.model / "decision.json", schema="decision")
    assert "set aside" in decision["operating_point"]["chosen_on"]  # something was chosen
    assert decision["abstention"]["quantile"] < 1
    for name in ("weights.safetensors", "decision.json", "likeness.safetensors"):
        assert sha256_of_file(clean.model / name) == sha256_of_file(poisoned.model / name), name
    for part in ("val", "test"):
        one, other = (table(copy.predictions(part)).drop(columns=["label", "target"]) for copy in (clean, poisoned))
        pd.testing.assert_frame_equal(one, other)
    # The poison is seen where it may be: on rows that choose.
    records.loc[~reported, "label"] = records.loc[~reported, "label"].map(
        {"healthy": "unhealthy", "unhealthy": "healthy"}
    )
    records.to_csv(poisoned.records, index=False)
    rerun(poisoned, name="calibrate", config=config, reporter=Silent())
    assert read_json(poisoned.model / "decision.json", schema="decision")["abstention"] != decision["abstention"]


def test_explained_again_with_label_randomisation_and_the_resolution_of_the_defaults(
    finished: RunFolder, tmp_path: Path
) -> None:
    copy = RunFolder(shutil.copytree(finished.root, tmp_path / "copy"))
    dpi = Config().explain.dpi
    config = small_config(explain={"top": 1, "errors": 0, "label_randomisation": True, "dpi": dpi}, fit={"epochs": 1})
    before = sha256_of_file(copy.model / "weights.safetensors")
    rerun(copy, name="explain", config=config, reporter=Silent())
    gate = read_json(copy.explanations("val") / "explanations.json", schema="explanations")["gate"]
    assert "label_randomisation" in [check["name"] for check in gate["checks"]]
    # The network of shuffled labels is nobody's model.
    assert sha256_of_file(copy.model / "weights.safetensors") == before
    assert dpi == 600
    with Image.open(pictures(copy, "val")[0]) as picture:
        assert picture.info["dpi"] == pytest.approx((600, 600), abs=0.1)
        assert picture.width >= 600 * 6
