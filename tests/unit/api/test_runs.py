"""Runs, cohorts and splits as a notebook sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from tests.support.report_run import make_run

import sonoproof as sp
import sonoproof.api.runs
from sonoproof.config import Config, override
from sonoproof.console import shows_bars
from sonoproof.progress import SILENT
from sonoproof.runfolder import RunFolder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("runs") / "run", hostile="<script>\u202e", preview_side=8)


class TestRun:
    def test_tables_are_those_of_the_files(self, made: RunFolder) -> None:
        run = sp.Run(made.root)
        assert len(run.records) == 570
        assert run.findings["id"].tolist() == ["lookalikes", "sizes"]
        assert run.parts == ("val", "test")
        assert run.predictions("val")["logit"].dtype == np.float64
        auc = run.metrics.query("part == 'val' and metric == 'auc'").iloc[0]
        assert auc["value"] == run.evaluation("val")["auc"]["value"]
        assert auc["low"] < auc["value"] < auc["high"]
        assert set(run.split["part"]) == {"fit", "val", "test"}
        assert len(run.quarantine) == 5

    def test_numbers_of_the_run_are_those_of_the_library(self, made: RunFolder) -> None:
        rows = sp.Run(made.root).predictions("test")
        found = sp.metrics(rows["label"], rows["logit"], groups=rows["group"], positive="unhealthy", logits=True,
                           resamples=100)  # fmt: skip
        known = sp.Run(made.root).evaluation("test")
        assert {name: found[name].to_dict() for name in found} == {name: known[name] for name in found}

    def test_a_notebook_shows_no_markup_of_the_data(self, made: RunFolder, tmp_path: Path) -> None:
        named = tmp_path / "<img src=x>"
        named.symlink_to(made.root)
        made.report.touch()  # the last line names it
        shown = sp.Run(named)._repr_html_()
        assert "Area under the ROC curve" in shown
        assert "<img" not in shown
        assert "<script>" not in shown
        assert "\u202e" not in shown

    def test_what_is_not_there_is_one_clear_error(self, made: RunFolder, tmp_path: Path) -> None:
        with pytest.raises(sp.RunFolderError, match="not a run folder"):
            sp.Run(tmp_path)
        with pytest.raises(sp.RunFolderError, match=r"no predictions of 'oof' \(there are: val, test\)"):
            sp.Run(made.root).predictions("oof")

    def test_verify_finds_what_does_not_hold(self, made: RunFolder) -> None:
        assert any("records.csv" in line for line in sp.Run(made.root).verify().differences)


@pytest.mark.parametrize("name", ["run", "audit"])
def test_calls_go_to_the_pipeline_of_the_command_line(
    name: str, made: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(sonoproof.api.runs, f"{name}_pipeline", lambda out, **words: seen.update(words, out=out))
    call = getattr(sp, name)
    found = call("labels.xlsx", images="frames", out=made.root, seed=3, model={"backbone": "random"})
    assert found.folder == made.root
    assert seen["config"] == override(Config(), {"seed": 3, "model": {"backbone": "random"}}, origin="test")
    assert (seen["inputs"].sheet, seen["inputs"].images) == (Path("labels.xlsx"), Path("frames"))
    assert seen["reporter"] is SILENT
    assert capfd.readouterr() == ("", "")
    with pytest.raises(sp.ConfigError, match="did you mean 'backbone'"):
        call("labels.xlsx", images="frames", out=made.root, model={"backbon": "random"})


@pytest.mark.parametrize("widgets", [True, False])
def test_a_bar_is_shown_where_it_can_be(widgets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sonoproof.console.find_spec", lambda _name: object() if widgets else None)
    assert shows_bars(Console(force_jupyter=True)) is widgets
    assert shows_bars(Console(force_jupyter=False, force_terminal=True))
    assert not shows_bars(Console(force_jupyter=False, force_terminal=False))


class TestSplit:
    def records(self) -> pd.DataFrame:
        groups = np.repeat([f"p{k}" for k in range(24)], 3)
        label = np.where(np.repeat(np.arange(24) % 2 == 0, 3), "ill", "well")
        return pd.DataFrame({"image_id": [f"{k}.png" for k in range(72)], "label": label, "group": groups})

    def test_parts_divide_no_group(self) -> None:
        divided = sp.split(self.records(), val=0.25, test=0.25, seed=1)
        assert set(divided["part"]) == {"fit", "val", "test"}
        assert (divided.groupby("group")["part"].nunique() == 1).all()

    @pytest.mark.parametrize("column", ["image_id", "label", "group"])
    def test_what_is_missing_is_an_error(self, column: str) -> None:
        with pytest.raises(sp.CohortError, match=column):
            sp.split(self.records().drop(columns=column))
        with pytest.raises(sp.CohortError, match=f"without {column}"):
            sp.split(self.records().assign(**{column: [None, *self.records()[column][1:]]}))

    def test_folds_divide_no_group_and_have_both_classes(self) -> None:
        table = self.records().sample(frac=1, random_state=0)
        y, groups = table["label"], table["group"]
        tested = []
        for train, test in sp.GroupedSplit(4, seed=2).split(table, y, groups):
            assert not set(groups.iloc[train]) & set(groups.iloc[test])
            assert set(y.iloc[test]) == {"ill", "well"}
            tested += test.tolist()
        assert sorted(tested) == list(range(72))

    def test_scikit_learn_takes_it_and_groups_are_required(self) -> None:
        table = self.records()
        X, y = np.random.default_rng(0).normal(size=(72, 2)), table["label"]
        scores = cross_val_score(LogisticRegression(), X, y, groups=table["group"], cv=sp.GroupedSplit(3))
        assert len(scores) == 3
        with pytest.raises(sp.ScoreError, match="groups"):
            list(sp.GroupedSplit().split(X, y))
        with pytest.raises(sp.CohortError, match="folds"):
            list(sp.GroupedSplit(20).split(X, y, table["group"]))


def test_a_simulated_cohort_can_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = sp.simulate(tmp_path / "phantom", patients=4, frames_per_patient=2, size_px=48, workers=1)
    cohort = sp.read_cohort(made.sheet, images=made.images)
    assert len(cohort.records) == made.rows == 8
    assert cohort.classes.positive == "unhealthy"
    assert capfd.readouterr() == ("", "")
    with pytest.raises(TypeError, match="no setting 'patient'"):
        sp.simulate(tmp_path / "other", patient=4)
