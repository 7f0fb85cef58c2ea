"""Bad input gets one clear error, or a quarantine row; the exit code is right and nothing is lost."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tests.support.runs import FAST, Call

from sonoproof.phantom import PhantomCohort


def sheet(path: Path, cohort: PhantomCohort, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    table = pd.read_excel(cohort.sheet, dtype=str, engine="calamine")
    change(table).to_excel(path, index=False)
    return path


def one_class(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(Healthy="1")


def two_label_columns(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="Healthy").assign(label=table["Healthy"], **{"class": table["Healthy"][::-1].to_numpy()})


def no_image(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(imagePath="other_" + table["imagePath"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.head(0), ["no row"]),
        (one_class, ["only one class", "two classes"]),
        (two_label_columns, ["label", "class", "--label-column"]),
        (no_image, ["other_p"]),
        (lambda table: table.drop(columns="Healthy"), ["--label-column"]),
    ],
    ids=["empty", "one class", "two candidates", "no image", "no label column"],
)
def test_a_sheet_that_cannot_be_used_is_one_message_and_exit_1(
    cohort: PhantomCohort, tmp_path: Path, call: Call, change: Callable[[pd.DataFrame], pd.DataFrame], words: list[str]
) -> None:
    bad = sheet(tmp_path / "bad.xlsx", cohort, change)
    code, out, err = call("run", bad, "--images", cohort.images, "--out", tmp_path / "run", *FAST)
    assert code == 1
    assert "Traceback" not in err
    assert "error:" in err
    for word in words:
        assert word in err
    assert "Validation" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--label-column", "Healhty"], "Healthy"),
        (["--group-column", "patient"], "patient_id"),
        (["--set", "fit.epoch=3"], "did you mean 'epochs'"),
        (["--set", "fti.epochs=3"], "did you mean 'fit'"),
        (["--set", "fit.epochs=many"], "a whole number"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--recipe", "modern"], "default, varied, classic"),
    ],
)
def test_a_wrong_setting_names_the_right_one(
    cohort: PhantomCohort, tmp_path: Path, call: Call, words: list[str], said: str
) -> None:
    code, _, err = call("run", cohort.sheet, "--images", cohort.images, "--out", tmp_path / "run", *FAST, *words)
    assert code == 1
    assert said in err
    assert "Traceback" not in err


def test_a_missing_sheet_and_a_missing_folder_are_said(cohort: PhantomCohort, tmp_path: Path, call: Call) -> None:
    none, given = tmp_path / "none", ["run", cohort.sheet, "--images", cohort.images, "--out", tmp_path / "a", *FAST]
    wrong = (
        ["run", none, *given[2:]],
        [*given, "--images", none],
        [*given, "--masks", none],
        [*given, "--test-sheet", none],
    )
    for words in wrong:
        code, _, err = call(*words)
        assert (code, f"{none}: there is no such" in err) == (1, True)
        assert not (tmp_path / "a").exists()


def test_a_backbone_that_is_not_there_stops_before_anything_is_written(
    cohort: PhantomCohort, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    words = ["--backbone", "nobody/has_this"]
    code, _, err = call("run", cohort.sheet, "--images", cohort.images, "--out", tmp_path / "run", *words)
    assert code == 1
    assert all(way in err for way in ("--download", "--backbone DIR", "--backbone random"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words", [["run"], ["nonsense"], ["compare", "a", "b", "--part", "all"], ["run", "--folds", "x"]]
)
def test_usage_errors_exit_2(call: Call, words: list[str]) -> None:
    assert call(*words)[0] == 2


@pytest.mark.parametrize(
    "words", [["fit"], ["calibrate"], ["evaluate"], ["explain"], ["report"], ["verify"], ["compare", "."]]
)
def test_a_folder_that_is_not_of_a_run_is_named(call: Call, tmp_path: Path, words: list[str]) -> None:
    code, _, err = call(*words, tmp_path)
    assert code == 1
    assert err.endswith(": is not a run folder (it has no manifest.json)\n")
    assert len(err.splitlines()) == 1


def huge_png(path: Path) -> None:
    """A PNG whose header says 60,000 x 60,000 pixels; three lines long."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 180_001)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


@pytest.mark.slow
def test_hostile_and_damaged_images_become_rows_with_a_reason(
    cohort: PhantomCohort, tmp_path: Path, call: Call
) -> None:
    images = tmp_path / "images"
    shutil.copytree(cohort.images, images)
    (images / "text.jpg").write_text("this is a text file")
    huge_png(images / "huge.png")
    whole = sorted(cohort.images.iterdir())[0].read_bytes()
    (images / "half.jpg").write_bytes(whole[: len(whole) // 2])
    bad = ["text.jpg", "huge.png", "half.jpg", "absent.jpg"]

    def with_bad_rows(table: pd.DataFrame) -> pd.DataFrame:
        rows = pd.DataFrame(
            {"imagePath": [*bad, table["imagePath"][0]], "Healthy": "1", "patient_id": "pX", "clip": "c"}
        )
        return pd.concat([table, rows], ignore_index=True)

    changed = sheet(tmp_path / "sheet.xlsx", cohort, with_bad_rows)
    out = tmp_path / "run"
    words = ["--group-column", "patient_id", "--set", "split.test=0.0"]
    code, printed, err = call("run", changed, "--images", images, "--out", out, *FAST, *words)
    assert code == 0, err
    assert "Validation" in printed
    quarantine = pd.read_csv(out / "quarantine.csv", keep_default_na=False)
    assert set(bad) <= set(quarantine["reference"])
    assert (quarantine["reason"].str.len() > 5).all()
    assert len(quarantine) + len(pd.read_csv(out / "records.csv")) == cohort.rows + 5
    assert f"rows read {cohort.rows + 5}" in err.replace(",", "")

    predicted = tmp_path / "answers.csv"
    code, printed, err = call("predict", out, images / "text.jpg", cohort.images, "--out", predicted, "--device", "cpu")
    assert code == 0, err
    answers = pd.read_csv(predicted, keep_default_na=False)
    assert len(answers) == 1 + len(list(cohort.images.iterdir()))
    assert answers["predicted"][0] == ""
    assert answers["reason"][0] != ""
    assert (answers["predicted"][1:] != "").all()
    assert "1 not readable" in printed
    again = pd.read_csv(out / "predictions" / "val.csv").assign(name=lambda t: t["path"].map(os.path.basename))
    alone = answers.assign(name=answers["path"].map(os.path.basename)).set_index("name")["probability"]
    alone = pd.to_numeric(alone, errors="coerce")
    assert (again["name"].map(alone) - again["probability"]).abs().max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["answers.xlsx", "answers.parquet"])
def test_predictions_are_written_in_the_format_of_the_name(
    finished_run: Path, cohort: PhantomCohort, tmp_path: Path, call: Call, name: str
) -> None:
    code, _, err = call("predict", finished_run, cohort.images, "--out", tmp_path / name, "--device", "cpu")
    assert code == 0, err
    read = (
        pd.read_excel(tmp_path / name, engine="calamine") if name.endswith("xlsx") else pd.read_parquet(tmp_path / name)
    )
    assert len(read) == len(list(cohort.images.iterdir()))
    assert read["probability"].between(0, 1).all()


@pytest.mark.slow
def test_predicting_without_a_model_or_into_an_unknown_format_is_said(
    finished_run: Path, cohort: PhantomCohort, tmp_path: Path, call: Call
) -> None:
    code, _, err = call("predict", tmp_path, cohort.images, "--out", tmp_path / "a.csv")
    assert (code, "no usable model" in err) == (1, True)
    code, _, err = call("predict", finished_run, cohort.images, "--out", tmp_path / "a.docx")
    assert (code, ".parquet" in err) == (1, True)
    code, _, err = call("predict", finished_run, tmp_path / "nowhere", "--out", tmp_path / "a.csv")
    assert (code, "nowhere" in err) == (1, True)


@pytest.fixture(scope="session")
def finished_run(finished: object) -> Path:
    from sonoproof.runfolder import RunFolder

    assert isinstance(finished, RunFolder)
    return finished.root


@pytest.mark.slow
def test_a_folder_that_exists_is_not_overwritten(finished_run: Path, cohort: PhantomCohort, call: Call) -> None:
    before = sorted(finished_run.rglob("*"))
    code, _, err = call("run", cohort.sheet, "--images", cohort.images, "--out", finished_run, *FAST)
    assert (code, "--resume" in err) == (1, True)
    assert sorted(finished_run.rglob("*")) == before


@pytest.mark.slow
def test_a_full_disk_is_one_message_and_the_run_can_go_on(cohort: PhantomCohort, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the same error from the same calls."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "sonoproof", "run", cohort.sheet, "--images", cohort.images, "--out", out, *FAST]
    words = " ".join(
        f"'{word}'" for word in [*command, "--set", "audit.lookalikes=false", "--set", "audit.probes=false"]
    )
    full = subprocess.run(["bash", "-c", f"ulimit -f 300; {words}"], capture_output=True, text=True, check=False)
    assert full.returncode == 1, full.stderr
    assert "cannot be written" in full.stderr
    assert "Traceback" not in full.stderr
    resumed = subprocess.run(["bash", "-c", f"{words} --resume"], capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert (out / "report.html").is_file()


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "--help"]], ids=" ".join)
def test_help_is_quick_and_imports_nothing_heavy(words: list[str]) -> None:
    ask = f"sys.argv = ['sonoproof', *{words}]; from sonoproof.cli import main; main()" if words else "import sonoproof"
    script = (
        f"import sys\ntry:\n    {ask}\nexcept SystemExit as done:\n    assert not done.code\n"
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'cv2', 'PIL', 'matplotlib', 'transformers', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
