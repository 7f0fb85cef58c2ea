from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.inference.conftest import lively_bundle

from sonoproof.errors import BundleError, ConfigError, SonoproofError
from sonoproof.inference import choice
from sonoproof.inference.card import CARD_VERSION
from sonoproof.inference.choice import open_engine
from sonoproof.inference.export import export_onnx
from sonoproof.training.bundle import ModelBundle, save_bundle


def opened(folder: Path, engine: str = "auto", device: str | None = None) -> tuple[str, list[str]]:
    said: list[str] = []
    return open_engine(folder, engine=engine, device=device, say=said.append).name, said


def test_auto_measures_once_and_remembers(saved: Path) -> None:
    name, said = opened(saved)
    assert "frames a second" in said[-1]
    assert opened(saved) == (name, [])
    assert json.loads((saved / "engines" / "choice.json").read_text())["engine"] == name


def test_the_fastest_is_taken(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_seconds_a_frame", lambda engine: 1.0 if engine.name == "torch" else 2.0)
    assert opened(saved)[0] == "torch"
    assert opened(saved) == ("torch", [])


def test_another_model_in_the_folder_is_measured_and_exported_anew(saved: Path) -> None:
    opened(saved)
    before = (saved / "engines" / "model.onnx").read_bytes()
    save_bundle(lively_bundle(size=64, seed=1), saved / "model")
    assert opened(saved)[1] != []
    assert (saved / "engines" / "model.onnx").read_bytes() != before


def test_another_machine_measures_anew(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(saved)
    monkeypatch.setattr(choice, "_machine", lambda: "another")
    assert opened(saved)[1] != []


def test_an_exported_model_that_was_changed_is_not_used(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_seconds_a_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
    opened(saved)
    file = saved / "engines" / "model.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert opened(saved)[1] != []
    assert file.read_bytes() == whole


def test_an_exported_model_of_an_earlier_version_is_made_anew(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_seconds_a_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
    monkeypatch.setattr(choice, "CARD_VERSION", CARD_VERSION - 1)
    opened(saved)
    monkeypatch.undo()
    assert opened(saved)[1] != []
    assert json.loads((saved / "engines" / "model.json").read_text())["card_version"] == CARD_VERSION


def test_an_engine_that_answers_differently_is_left_out_and_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(*_bundle: ModelBundle, **_where: Path) -> None:
        raise BundleError("the exported model differs")

    monkeypatch.setattr("sonoproof.inference.export.export_onnx", differs)
    name, said = opened(saved)
    assert name == "torch"
    assert "engine onnxruntime left out: the exported model differs" in said


def test_a_folder_that_cannot_be_written_to_still_predicts(saved: Path) -> None:
    (saved / "engines").write_text("a file where the folder should be")
    name, said = opened(saved)
    assert name == "torch"
    assert any("not remembered" in line for line in said)


@pytest.mark.parametrize(
    ("engine", "device", "message"),
    [("tensorrt", None, "there is no such engine"), ("onnxruntime", "cuda", "goes with --engine torch")],
)
def test_what_cannot_be_had_is_said(saved: Path, engine: str, device: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(saved, engine, device)


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(SonoproofError, match="no usable model"):
        opened(tmp_path)


def test_an_exported_file_answers_alone(bundle: ModelBundle, tmp_path: Path) -> None:
    export_onnx(bundle, out=tmp_path / "model.onnx")
    assert opened(tmp_path / "model.onnx")[0] == "onnxruntime"
    with pytest.raises(ConfigError, match="needs the run folder"):
        opened(tmp_path / "model.onnx", "torch")


def test_a_remembered_engine_predicts_without_torch_and_pandas(saved: Path, frames: list[Path]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "_seconds_a_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
        open_engine(saved, say=lambda _line: None)
    program = (
        "import sys; from sonoproof.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "assert not {'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    )
    words = [sys.executable, "-c", program, "predict", str(saved), str(frames[0])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith(f"{frames[0]},")


def test_a_remembered_engine_that_is_not_installed_any_more_is_chosen_anew(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_seconds_a_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
    assert opened(saved)[0] in ("onnxruntime", "openvino")
    for library in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, library, None)
    assert opened(saved)[0] == "torch"
