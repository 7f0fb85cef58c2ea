from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from sonoproof import verification
from sonoproof.cli import app
from sonoproof.runfolder import RunFolder, sha256_of_file
from sonoproof.verification import Verification, verify_run, wrong_hashes

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(finished: RunFolder, tmp_path: Path) -> RunFolder:
    shutil.copytree(finished.root, tmp_path / "copy", ignore=shutil.ignore_patterns("store", "checkpoints"))
    return RunFolder(tmp_path / "copy")


def change_one_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    content[place] ^= 1
    path.write_bytes(bytes(content))


def admit(run: RunFolder) -> None:
    """Write the present hashes into the manifest: what a forger would do."""
    manifest = json.loads(run.manifest.read_text())
    for stage in manifest["stages"].values():
        stage["outputs"] = {name: sha256_of_file(run.root / name) for name in stage["outputs"]}
    run.manifest.write_text(json.dumps(manifest))


def test_an_intact_run_agrees(finished: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Verification] = []

    def kept(run: RunFolder) -> Verification:
        found.append(verify_run(run))
        return found[0]

    monkeypatch.setattr(verification, "verify_run", kept)
    before = {path: sha256_of_file(path) for path in finished.root.rglob("*") if path.is_file()}
    result = CliRunner().invoke(app, ["verify", str(finished.root)])
    assert result.exit_code == 0, result.output
    assert "all agree" in result.output
    assert found[0].differences == ()
    assert {"evaluation/val.json", "evaluation/test_curves.json", "evaluation/metrics.csv", "report.html",
            "predictions/val.csv", "predictions/val.xlsx"} <= set(found[0].recomputed)  # fmt: skip
    assert before == {path: sha256_of_file(path) for path in finished.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        "predictions/val.csv", "predictions/test.xlsx", "model/weights.safetensors", "figures/val-roc.png",
        "evaluation/val.json", "config.toml",
    ],
)  # fmt: skip
def test_one_byte_changed_is_found(copy: RunFolder, name: str) -> None:
    change_one_byte(copy.root / name)
    assert list(wrong_hashes(copy)) == [name]


def test_where_the_model_is_damaged_nothing_is_computed_again(copy: RunFolder) -> None:
    change_one_byte(copy.model / "weights.safetensors")
    result = CliRunner().invoke(app, ["verify", str(copy.root)])
    assert result.exit_code == 1
    assert "model/weights.safetensors: is not the file that the run wrote" in result.output
    assert "the numbers were not computed again" in result.output


def test_forgeries_that_the_hashes_admit_are_found(copy: RunFolder) -> None:
    evaluation = json.loads(copy.evaluation("test").read_text())
    evaluation["accuracy"]["value"] = 0.97
    copy.evaluation("test").write_text(json.dumps(evaluation))
    page = copy.report.read_text()
    copy.report.write_text(re.sub(r"<dd>0\.\d{3} ", "<dd>0.999 ", page, count=1))
    workbook = load_workbook(copy.predictions("val").with_suffix(".xlsx"))
    workbook.worksheets[0]["A2"] = "another.png"
    workbook.save(copy.predictions("val").with_suffix(".xlsx"))
    admit(copy)
    differences = verify_run(copy).differences
    assert any(line.startswith("evaluation/test.json: accuracy.value: 0.97, should be 0.") for line in differences)
    assert any(re.match(r"report\.html: summary, text \d+: 0\.999, should be 0\.", line) for line in differences)
    assert any(
        line.startswith("predictions/val.xlsx: predictions, row 2, column 1: another.png") for line in differences
    )
    assert len(differences) == 3


def test_what_does_not_follow_from_the_predictions_any_more_is_found(copy: RunFolder) -> None:
    """In one run: a changed probability, rows of another group and class, a row and a file that are missing."""
    _forge_a_probability(copy.predictions("val"))
    _forge_group_and_class(copy.predictions("test"))
    admit(copy)
    copy.metrics.with_suffix(".tex").unlink()
    manifest = json.loads(copy.manifest.read_text())
    manifest["stages"]["explain"]["done"] = False
    copy.manifest.write_text(json.dumps(manifest))
    differences = verify_run(copy).differences
    for place in ("evaluation/val.json: loss.value", "evaluation/metrics.csv", "report.html: performance",
                  "predictions/val.xlsx"):  # fmt: skip
        assert any(line.startswith(place) for line in differences), (place, differences)
    assert "evaluation/metrics.tex: is missing" in differences
    assert "manifest.json: the stage explain was not finished" in differences
    told = "\n".join(differences)
    assert "has a group that differs from records.csv" in told
    assert "is not predicted as its probability and the threshold 0.5 require" in told
    assert "is in the part test of split.csv and was not predicted" in told


def _forge_a_probability(path: Path) -> None:
    header, first, *rest = path.read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    forged = first.replace(cells["logit"], "7.0").replace(cells["probability"], "0.9990889488055994")
    path.write_text("\n".join([header, forged, *rest, ""]))


def _forge_group_and_class(path: Path) -> None:
    """Of the first row; the last one goes."""
    header, first, *rest = path.read_text().splitlines()
    columns = header.split(",")
    cells = first.split(",")
    cells[columns.index("predicted")] = "healthy" if "unhealthy" in cells[columns.index("predicted")] else "unhealthy"
    cells[columns.index("group")] = "another"
    path.write_text("\n".join([header, ",".join(cells), *rest[:-1], ""]))


def test_a_run_of_another_version_may_be_worded_differently_but_not_have_other_numbers(copy: RunFolder) -> None:
    copy.report.write_text("<html><body><section id='performance'><p>In other words.</p></section></body></html>")
    evaluation = json.loads(copy.evaluation("test").read_text())
    evaluation["interval_method"] = "in other words"
    evaluation["accuracy"]["value"] = 0.97
    copy.evaluation("test").write_text(json.dumps(evaluation))
    manifest = json.loads(copy.manifest.read_text())
    copy.manifest.write_text(json.dumps(manifest | {"sonoproof": "0.0.1"}))
    admit(copy)
    found = verify_run(copy)
    assert found.other_version == "0.0.1"
    (difference,) = found.differences
    assert difference.startswith("evaluation/test.json: accuracy.value: 0.97")
