"""Run folders that an earlier version wrote are still opened: ``verify``, ``predict``, ``export``, ``report``.

Each archive of ``tests/data/old_runs`` holds a run of that version (without store and checkpoints), four frames, and
what that version predicted for them.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pandas as pd
import pytest
from tests.support.shared import ROOT
from typer.testing import CliRunner

from sonoproof.cli import app
from sonoproof.config import load_config
from sonoproof.runfolder import RunFolder, sha256_of_file

ARCHIVES = ROOT / "tests" / "data" / "old_runs"


@pytest.fixture(params=["run", "ensemble"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    with tarfile.open(ARCHIVES / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return RunFolder(Path("run"))


def call(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, f"{words}\n{result.output}\n{result.exception!r}"
    return result.output


@pytest.mark.slow
def test_an_old_run_is_verified_and_stays_as_it_was(old: RunFolder) -> None:
    before = {path: sha256_of_file(path) for path in old.root.rglob("*") if path.is_file()}
    assert "all agree" in call("verify", old.root)
    assert before == {path: sha256_of_file(path) for path in old.root.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_an_old_model_and_its_export_predict_what_it_predicted(old: RunFolder) -> None:
    call("export", old.root, "--out", "model.onnx")
    wanted = pd.read_csv("predicted.csv", keep_default_na=False)
    assert len(wanted) == 4
    for model in (old.root, old.model, "model.onnx"):
        call("predict", model, "frames", "--out", "again.csv")
        found = pd.read_csv("again.csv", keep_default_na=False)
        for column in ("path", "predicted", "positive_class", "reason"):
            assert list(found[column]) == list(wanted[column]), (model, column)
        for column in ("probability", "logit", "threshold"):
            assert list(found[column]) == pytest.approx(list(wanted[column]), abs=1e-4), (model, column)


@pytest.mark.slow
def test_the_report_of_an_old_run_is_written_again(old: RunFolder) -> None:
    before = sha256_of_file(old.report)
    call("report", old.root, "--set", "report.dpi=60")
    assert sha256_of_file(old.report) != before
    assert "all agree" in call("verify", old.root)


def test_old_settings_are_read(old: RunFolder) -> None:
    config = load_config(old.config)
    assert (config.fit.epochs, config.fit.batch, config.calibrate.policy, config.explain.dpi) == (2, 8, "youden", 50)
    assert (config.split.val, config.split.test) == (0.25, 0.0)
