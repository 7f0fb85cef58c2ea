"""`sonoproof predict` on an exported model: every file asked for gets a row, and nothing is lost at the end."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.support.bundles import lively_bundle

from sonoproof.inference.export import export_onnx
from sonoproof.inference.predict_paths import predict_paths
from sonoproof.runfolder import RunFolder
from sonoproof.training.bundle import save_bundle

Rows = dict[str, dict[str, str]]
Command = Callable[..., "subprocess.CompletedProcess[bytes]"]
# Root may read everything; whoever may not is simulated by what the system would say.
LOCKED = """
import os
stat = os.stat
def refusing(path, *args, **named):
    if str(path).startswith("locked/"):
        raise PermissionError(13, "Permission denied", path)
    return stat(path, *args, **named)
os.stat = refusing
"""
PREDICT = """
import sys
from sonoproof.cli import main
try:
    main()
finally:
    print("slow:", sorted({"torch", "pandas"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(lively_bundle(size=32), out=out)
    return out


@pytest.fixture
def predict(model: Path, tmp_path: Path) -> Command:
    """The command line in a process of its own, in the test's folder."""

    def call(
        *words: str, first: str = "", encoding: str = "utf-8", run: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        command = [sys.executable, "-c", first + PREDICT, "predict", run or str(model), *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)

    return call


def image(path: Path, *, kind: str = "png") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    with path.open("wb") as file:
        Image.fromarray(pixels).save(file, format=kind)
    return path


def rows_of(text: str) -> Rows:
    return {row["path"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    image(folder / "中.png")
    try:
        image(folder / os.fsdecode(b"latin\xe9.png"))
    except OSError:
        pytest.skip("the file system takes only names in Unicode")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.xlsx"])
def test_a_name_that_is_no_text_has_a_row_in_every_format(odd: Path, predict: Command, name: str) -> None:
    done = predict("odd", "--out", name)
    assert done.returncode == 0, done.stderr.decode()
    path = odd.parent / name
    read: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".xlsx": lambda path: pd.read_excel(path, engine="calamine"),
    }
    table = read[path.suffix](path)
    assert list(table["path"]) == ["odd/latin\\xe9.png", "odd/中.png"]
    assert table["probability"].between(0, 1).all()


@pytest.mark.usefixtures("odd")
def test_a_terminal_that_lacks_a_script_shows_every_row_and_nothing_slow_is_loaded(predict: Command) -> None:
    done = predict("odd", encoding="latin-1")
    assert done.returncode == 0, done.stderr.decode()
    assert list(rows_of(done.stdout.decode("latin-1"))) == ["odd/latin\\xe9.png", "odd/\\u4e2d.png"]
    assert b"slow: []" in done.stderr


@pytest.mark.slow
def test_every_image_of_a_folder_has_a_row_and_the_rest_is_counted(predict: Command, tmp_path: Path) -> None:
    some = tmp_path / "some"
    image(some / "a.jfif", kind="jpeg")
    image(some / "b.jpe", kind="jpeg")
    image(some / "c.gif", kind="gif")
    image(some / "sub" / "d.PNG")
    image(some / "._d.png")
    (some / "e.png").symlink_to(some / "nowhere")
    (some / "notes.txt").touch()
    (some / "more").symlink_to(image(tmp_path / "other" / "f.png").parent)
    done = predict("some")
    assert done.returncode == 0, done.stderr.decode()
    reasons = {path: row["reason"] for path, row in rows_of(done.stdout.decode()).items()}
    assert reasons == {
        "some/a.jfif": "",
        "some/b.jpe": "",
        "some/c.gif": "is a GIF file; save it as PNG",
        "some/e.png": "does not exist",
        "some/sub/d.PNG": "",
    }
    assert b"1 other file in some was not looked at" in done.stderr
    assert b"some/more: is a link to a folder, which is not followed" in done.stderr
    (some / "notes.md").touch()
    assert b"2 other files in some were not looked at" in predict("some").stderr


def test_a_file_that_may_not_be_seen_has_a_row(predict: Command, tmp_path: Path) -> None:
    image(tmp_path / "locked" / "a.png")
    image(tmp_path / "b.png")
    done = predict("locked/a.png", "b.png", first=LOCKED)
    assert b"Traceback" not in done.stderr
    reasons = [row["reason"] for row in rows_of(done.stdout.decode()).values()]
    assert (done.returncode, reasons) == (0, ["cannot be read (Permission denied)", ""])


def label_sheet(path: Path) -> None:
    table = pd.DataFrame({"imagePath": ["a.png"], "Healthy": ["1"]})
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_excel(path, index=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "prepare", "words"),
    [
        ("taken.csv", Path.mkdir, "taken.csv: is a folder"),
        ("labels.csv", label_sheet, "not a table of predictions, so it is not overwritten"),
        ("labels.xlsx", label_sheet, "not a table of predictions, so it is not overwritten"),
        ("labels.parquet", label_sheet, "not a table of predictions, so it is not overwritten"),
        ("a.png/x.csv", None, "cannot be written (Not a directory)"),
        ("a" * 300 + ".csv", None, "cannot be written (File name too long)"),
        ("junk.xlsx", lambda path: path.write_text("junk"), "not a table of predictions"),
        ("junk.parquet", lambda path: path.write_text("junk"), "not a table of predictions"),
    ],
    ids=["folder", "csv sheet", "xlsx sheet", "parquet table", "below a file", "long", "junk xlsx", "junk parquet"],
)
def test_an_output_that_cannot_be_is_said_before_predicting(
    predict: Command, tmp_path: Path, name: str, prepare: Callable[[Path], object] | None, words: str
) -> None:
    image(tmp_path / "a.png")
    if prepare is not None:
        prepare(tmp_path / name)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = predict("a.png", "--out", name)
    assert (done.returncode, done.stdout) == (1, b"")
    assert words in done.stderr.decode()
    assert b"predicting" not in done.stderr
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder in which nobody can write")
def test_a_folder_in_which_nobody_can_write_is_said_before_predicting(predict: Command, tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    done = predict("a.png", "--out", "/proc/x.csv")
    assert done.returncode == 1
    assert b"error: /proc/x.csv: cannot be written" in done.stderr
    assert b"predicting" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new/folder/out.csv", "out.xlsx", "out.parquet"])
def test_predictions_are_written_over_those_of_before(predict: Command, tmp_path: Path, name: str) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    assert predict("a.png", "--out", name).returncode == 0
    done = predict("a.png", "b.png", "--out", name)
    assert (done.returncode, b"2 predicted" in done.stdout) == (0, True), done.stderr.decode()
    assert [path.name for path in (tmp_path / name).parent.glob("*out*")] == [Path(name).name]


@pytest.mark.parametrize("named", ["run", "run/model", "run/seeds/1/model"])
def test_a_model_in_a_run_folder_is_given_the_limits_of_the_run(tmp_path: Path, named: str) -> None:
    run, bundle = RunFolder(tmp_path / "run"), lively_bundle(size=32)
    for folder in (run, run.with_seed(1)):
        save_bundle(bundle, folder.model)
    run.config.write_text("[frames]\nmax_pixels = 1000\n")
    run.manifest.write_text("{}")
    image(tmp_path / "a.png")  # of 2,000 pixels
    (answer,) = predict_paths(tmp_path / named, [tmp_path / "a.png"], engine="torch")
    assert "frames.max_pixels (1000)" in answer.reason
    (apart,) = predict_paths(run.model.rename(tmp_path / "apart"), [tmp_path / "a.png"], engine="torch")
    assert apart.reason == ""


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("nothere", "nothere: there is no such run folder or exported model"),
        ("a.png", "a.png: is neither a run folder nor an exported .onnx model; name the model first"),
        ("labels.xlsx", "labels.xlsx: is neither a run folder nor an exported .onnx model"),
        ("frames", "frames: holds no usable model: it is neither a run folder nor an exported .onnx model"),
        ("begun", "begun: holds no model yet; finish the run with --resume"),
    ],
)
def test_what_is_no_model_is_said_as_such(predict: Command, tmp_path: Path, run: str, words: str) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "frames" / "a.png")
    label_sheet(tmp_path / "labels.xlsx")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.toml").touch()
    done = predict("a.png", run=run)
    assert done.returncode == 1
    assert f"error: {words}" in done.stderr.decode()
    assert b"Traceback" not in done.stderr
