"""Metrics of anybody's predictions: the numbers of a run, and an error for what would be wrong in silence."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from tests.support.report_run import make_run
from typer.testing import CliRunner

import sonoproof as sp
from sonoproof.api.measuring import metrics_of_table
from sonoproof.classes import Classes
from sonoproof.cli import app
from sonoproof.config import Config, EvaluateConfig
from sonoproof.evaluation.measures.compare import compare
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.runfolder import RunFolder, read_json, read_table


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("run"), preview_side=8)


@pytest.fixture(scope="module")
def predictions(run: RunFolder) -> pd.DataFrame:
    return read_table(run.predictions("val"), columns=())


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), 4)
    y = np.repeat(rng.random(30) < 0.5, 4).astype(int)
    return y, 1 / (1 + np.exp(-rng.normal(2 * y - 1, 1.5))), groups


class TestTheNumbersOfARun:
    def test_logits_give_the_evaluation_of_the_run_to_the_last_digit(
        self, run: RunFolder, predictions: pd.DataFrame
    ) -> None:
        known = read_json(run.evaluation("val"), schema="evaluation")
        found = sp.metrics(
            predictions["label"], predictions["logit"], groups=predictions["group"], positive="unhealthy", logits=True,
            resamples=100,
        ).to_dict()  # fmt: skip
        shared = [name for name in known if name in found and name != "notes"]
        assert {*METRICS, "n", "confusion", "unit", "n_units"} <= set(shared)
        assert {name: found[name] for name in shared} == {name: known[name] for name in shared}

    def test_the_table_of_the_run_gives_them_too(self, run: RunFolder, tmp_path: Path) -> None:
        known = read_json(run.evaluation("val"), schema="evaluation")
        words = ["metrics", str(run.predictions("val")), "--label", "label", "--group", "group", "--positive"]
        words += ["unhealthy", "--set", "evaluate.resamples=100", "--out", str(tmp_path / "m.json")]
        result = CliRunner().invoke(app, [*words, "--score", "logit", "--logits"])
        assert result.exit_code == 0, result.output
        exact = read_json(tmp_path / "m.json", schema="metrics")
        assert {name: exact[name] for name in METRICS} == {name: known[name] for name in METRICS}
        result = CliRunner().invoke(app, [*words, "--score", "probability"])
        assert result.exit_code == 0, result.output
        assert f"{known['auc']['value']:.3f}" in result.output
        rounded = read_json(tmp_path / "m.json", schema="metrics")
        for name in METRICS:
            # A probability of 17 digits has no more of its logit's.
            assert rounded[name] == pytest.approx(known[name], rel=1e-11), name

    def test_compare_gives_the_differences_of_tables(self, predictions: pd.DataFrame) -> None:
        noise = np.random.default_rng(0).normal(0, 1, len(predictions))
        other = predictions.assign(logit=predictions["logit"] + noise)
        other["probability"] = 1 / (1 + np.exp(-other["logit"]))
        known = compare(
            {"a": predictions, "b": other},
            classes=Classes("healthy", "unhealthy"),
            config=EvaluateConfig(resamples=100),
        )
        found = sp.compare(
            predictions["label"], predictions["logit"], other["logit"], groups=predictions["group"],
            positive="unhealthy", logits=True, resamples=100,
        )  # fmt: skip
        assert found.found.differences == known.differences
        assert "a minus b" in repr(found)
        assert list(found.table["metric"]) == list(METRICS)

    def test_a_difference_that_is_undefined_has_its_reason(self) -> None:
        found = sp.compare([0, 1] * 4, [0.2, 0.7] * 4, [0.1, 0.3] * 4, resamples=100)
        (line,) = [line for line in repr(found).splitlines() if "Precision" in line]
        assert line.endswith("undefined: no row was predicted positive")

    def test_calibration_is_that_of_the_run(self, run: RunFolder, predictions: pd.DataFrame) -> None:
        known = read_json(run.evaluation("val"), schema="evaluation")["calibration"]
        found = sp.calibration(
            predictions["label"], predictions["logit"], groups=predictions["group"], positive="unhealthy", logits=True,
            resamples=100,
        )  # fmt: skip
        assert {name: interval.to_dict() for name, interval in found.intervals.items()} == {
            name: known[name] for name in found
        }
        assert found.reliability["n"].sum() == len(predictions)


class TestMetrics:
    def test_values_are_those_of_scikit_learn(self, rows: tuple[np.ndarray, ...]) -> None:
        y, p, groups = rows
        found = sp.metrics(y, p, groups=groups, resamples=100)
        assert found["auc"].value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        assert found["loss"].value == pytest.approx(log_loss(y, p), abs=1e-12)
        assert found["brier"].value == pytest.approx(brier_score_loss(y, p), abs=1e-12)

    def test_certain_scores_are_measured_as_scikit_learn_does_and_noted(self) -> None:
        y, p = [0, 0, 1, 1, 1], [0.0, 1.0, 1.0, 0.5, 0.7]
        found = sp.metrics(y, p, resamples=100)
        assert found["loss"].value == pytest.approx(log_loss(y, p), rel=1e-12)
        assert any("exactly 0 or 1" in note for note in found.notes)

    def test_groups_make_the_intervals_wider_than_rows_on_their_own(self, rows: tuple[np.ndarray, ...]) -> None:
        y, _, groups = rows
        p = 1 / (1 + np.exp(-(2 * y - 1 + np.repeat(np.random.default_rng(0).normal(0, 2, 30), 4))))
        by_group, alone = (sp.metrics(y, p, groups=g, resamples=200)["auc"] for g in (groups, None))
        assert by_group.high - by_group.low > 1.3 * (alone.high - alone.low)

    def test_the_other_label_as_positive_turns_everything_round(self, rows: tuple[np.ndarray, ...]) -> None:
        y, p, _ = rows
        one, other = sp.metrics(y, p, resamples=100), sp.metrics(y, 1 - p, positive=0, resamples=100)
        assert other["specificity"].value == one["recall"].value
        assert other.positive_class == "0"

    @pytest.mark.parametrize("labels", [[False, True] * 4, ["0", "1"] * 4, [0.0, 1.0] * 4, np.array([0, 1] * 4)])
    def test_usual_codings_need_no_word(self, labels: object) -> None:
        assert sp.metrics(labels, [0.2, 0.7] * 4, resamples=100)["auc"].value == 1

    def test_table_text_and_notebook_show_the_same_and_escape(self, rows: tuple[np.ndarray, ...]) -> None:
        y, p, groups = rows
        names = np.where(y == 1, "<b>ill", "well")
        found = sp.metrics(names, p, groups=groups, positive="<b>ill", resamples=100)
        assert list(found.table["metric"]) == list(METRICS)
        assert f"{found['auc'].value:.3f}" in repr(found)
        assert "120 rows" in repr(found)
        assert "30 groups" in repr(found)
        assert "<b>ill" not in found._repr_html_()
        assert "&lt;b&gt;ill" in found._repr_html_()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y_score": [0.1, 1.2, 0.3, 0.4]}, r"outside of 0 to 1.*1: 1.2"),
            ({"y_score": [0.1, float("nan"), 0.3, 0.4]}, "missing or not finite"),
            ({"y_score": ["a", "b", "c", "d"]}, "must be numbers"),
            ({"y_score": [[0.1, 0.9]] * 4}, r"probabilities\[:, 1\]"),
            ({"y_score": [0.1, 0.2]}, "4 y_true, 2 y_score"),
            ({"y_true": [1, 1, 1, 1]}, "one class"),
            ({"y_true": [0, 1, 2, 1]}, "3 different values"),
            ({"y_true": [0, 1, None, 1]}, "no label"),
            ({"y_true": ["a", "b", "a", "b"]}, "which label is positive"),
            ({"y_true": [2, 1, 2, 1]}, "which label is positive"),
            ({"positive": 7}, "no row has the positive label '7'"),
            ({"groups": ["a", "b", "", "c"]}, "no group"),
            ({"groups": ["a", "b"]}, "not of the same rows"),
            ({"y_true": pd.Series([0, 1, 0, 1]), "groups": pd.Series(list("abcd"), index=[3, 2, 1, 0])}, "indices"),
            ({"y_true": [], "y_score": []}, "there are no"),
            ({"resamples": 3}, "resamples"),
            ({"confidence": 95}, "confidence"),
        ],
    )
    def test_what_would_be_wrong_is_one_clear_error(self, change: dict[str, object], message: str) -> None:
        given: dict[str, object] = {"y_true": [0, 1, 0, 1], "y_score": [0.1, 0.9, 0.3, 0.4], "resamples": 100}
        with pytest.raises((sp.ScoreError, sp.ConfigError), match=f"(?i){message}"):
            sp.metrics(**{**given, **change})  # type: ignore[arg-type]


HEADER = ["case", "truth", "score"]
GOOD = [["p1", "1", "0.9"], ["p1", "1", "0.4"], ["p2", "0", "0.2"], ["p3", "0", "0.6"], ["p4", "1", "0.7"]]


def measure(path: Path, **changes: object) -> object:
    words: dict[str, object] = {"label": "truth", "score": "score", "group": None, "positive": None}
    return metrics_of_table(path, config=Config(evaluate=EvaluateConfig(resamples=100)), **{**words, **changes})  # type: ignore[arg-type]


def write_csv(path: Path, rows: list[list[str]], *, delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


class TestTable:
    def test_csv_workbook_and_decimal_commas_give_the_same(self, tmp_path: Path) -> None:
        plain = write_csv(tmp_path / "a.csv", [HEADER, *GOOD])
        german = [[*row[:2], row[2].replace(".", ",")] for row in GOOD]
        comma = write_csv(tmp_path / "b.csv", [HEADER, *german], delimiter=";")
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(["a heading"])
        sheet.append(["Case", "Truth", "Score"])
        for case, truth, score in GOOD:
            sheet.append([case, int(truth), float(score)])
        book.save(tmp_path / "c.xlsx")
        found = [repr(measure(path, group="case")) for path in (plain, comma, tmp_path / "c.xlsx")]
        assert found[0] == found[1] == found[2]
        assert "4 groups" in found[0]

    def test_spellings_of_one_patient_are_one_group(self, tmp_path: Path) -> None:
        rows = [["P1 ", *GOOD[0][1:]], *GOOD[1:]]
        assert "4 groups" in repr(measure(write_csv(tmp_path / "a.csv", [HEADER, *rows]), group="case"))

    @pytest.mark.parametrize(
        ("row", "cell", "problem"),
        [
            (["p9", "1", "1.5"], "C7", "probability"),
            (["p9", "1", "nan"], "C7", "not a number"),
            (["p9", "1", "high"], "C7", "not a number"),
            (["p9", "1", ""], "C7", "no value"),
            (["p9", "", "0.5"], "B7", "no value"),
            (["p9", "unknown", "0.5"], "B7", "not known"),
            (["", "1", "0.5"], "A7", "no value"),
        ],
    )
    def test_a_cell_that_cannot_be_used_is_named(self, tmp_path: Path, row: list[str], cell: str, problem: str) -> None:
        path = write_csv(tmp_path / "a.csv", [HEADER, *GOOD, row])
        with pytest.raises(sp.SheetError, match=f"{cell}.*{problem}"):
            measure(path, group="case")

    def test_text_labels_need_a_positive_one_and_columns_must_be_there(self, tmp_path: Path) -> None:
        named = [[row[0], {"1": "ill", "0": "well"}[row[1]], row[2]] for row in GOOD]
        path = write_csv(tmp_path / "a.csv", [HEADER, *named])
        with pytest.raises(sp.ScoreError, match=r"which label is positive.*'ill' \(3 rows\)"):
            measure(path)
        assert measure(path, positive="ill")["recall"].value == pytest.approx(2 / 3)  # type: ignore[index]
        with pytest.raises(sp.SheetError, match="no column 'scores'; did you mean 'score'"):
            measure(path, score="scores")
        doubled = write_csv(tmp_path / "b.csv", [[*HEADER, "score"], *([*row, row[2]] for row in named)])
        with pytest.raises(sp.SheetError, match="several columns"):
            measure(doubled, positive="ill")
