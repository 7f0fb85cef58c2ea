from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.bundles import lively_bundle

from sonoproof.errors import BundleError, ConfigError, MissingExtra, SonoproofError
from sonoproof.inference import engine_cache, engine_selection
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.engines import Engine
from sonoproof.inference.export import export_onnx, to_onnx
from sonoproof.training.bundle import ModelBundle, save_bundle, save_decision
from sonoproof.training.model_spec import SPEC_VERSION
from sonoproof.training.verdict import Calibration, Decision


def opened(folder: Path, engine: str = "auto", device: str = "auto") -> tuple[str, list[str]]:
    said: list[str] = []
    return open_engine(folder, engine=engine, device=device, say=said.append).name, said


def test_auto_measures_once_and_remembers(saved: Path) -> None:
    name, said = opened(saved)
    assert "frames per second" in said[-1]
    assert opened(saved) == (name, [])
    assert json.loads((saved / "engines" / "choice.json").read_text())["engine"] == name


def test_the_fastest_is_taken(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"torch": 1.0, "onnxruntime": 3.0, "openvino": 2.5}
    monkeypatch.setattr(engine_selection, "_seconds_per_frame", lambda engine: seconds[engine.name])
    assert opened(saved)[0] == "torch"
    assert opened(saved) == ("torch", [])
    seconds["onnxruntime"] = 1.9  # less than what importing PyTorch costs every time
    (saved / "engines" / "choice.json").unlink()
    assert opened(saved)[0] == "onnxruntime"


def test_a_choice_holds_for_the_device_that_was_asked_for(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_selection, "_seconds_per_frame", lambda engine: 0.1 if engine.name == "torch" else 1.0)
    devices: list[str] = []
    in_torch = engine_selection._torch

    def noted(folder: Path, *, device: str) -> Engine:
        devices.append(device)
        return in_torch(folder, device=device)

    monkeypatch.setattr(engine_selection, "_torch", noted)
    for device in ("auto", "auto", "cpu", "cpu", "auto"):
        opened(saved, device=device)
    assert devices == ["auto", "auto", "cpu", "cpu", "auto"]
    assert opened(saved, device="cpu")[1] != []  # the last choice was for another device


def test_an_engine_installed_later_is_measured_too(saved: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for library in engine_cache.LIBRARIES:
            patch.setitem(sys.modules, library, None)
        assert opened(saved)[0] == "torch"
        assert opened(saved) == ("torch", [])
    assert "onnxruntime" in opened(saved)[1][-1]


def test_a_model_that_changes_while_it_is_exported_is_exported_anew(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calibrated_meanwhile(bundle: ModelBundle) -> bytes:
        content = to_onnx(bundle)
        save_decision(other, saved / "model")
        monkeypatch.undo()
        return content

    other = Decision(Calibration(method="platt", slope=3.0))
    monkeypatch.setattr("sonoproof.inference.export.to_onnx", calibrated_meanwhile)
    opened(saved, "onnxruntime")
    engine = open_engine(saved, engine="onnxruntime", say=lambda _line: None)
    assert engine.spec.decision.calibration.slope == 3.0


def test_damaged_weights_are_noticed_whatever_engine_is_remembered(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_selection, "_seconds_per_frame", lambda engine: 1.0)
    assert opened(saved)[0] != "torch"
    weights = saved / "model" / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for engine in ("auto", "onnxruntime", "torch"):
        with pytest.raises(BundleError, match=r"weights\.safetensors: is not the file that"):
            opened(saved, engine)
    weights.unlink()
    with pytest.raises(BundleError, match=r"no usable model .*weights\.safetensors"):
        opened(saved)


def test_a_run_that_was_not_calibrated_is_said(saved: Path) -> None:
    assert not any("not calibrated" in line for line in opened(saved)[1])
    (saved / "model" / "decision.json").unlink()
    for engine in ("auto", "torch", "onnxruntime"):
        assert "sonoproof calibrate" in opened(saved, engine)[1][0]


def test_a_folder_that_may_not_be_read_is_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", forbidden)
    for engine in ("auto", "torch"):
        with pytest.raises(BundleError, match="Permission denied"):
            opened(saved, engine)


def test_another_model_in_the_folder_is_measured_and_exported_anew(saved: Path) -> None:
    opened(saved)
    before = (saved / "engines" / "model.onnx").read_bytes()
    save_bundle(lively_bundle(size=64, seed=1), saved / "model")
    assert opened(saved)[1] != []
    assert (saved / "engines" / "model.onnx").read_bytes() != before


def test_another_machine_measures_anew(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(saved)
    monkeypatch.setattr(engine_cache, "_machine", lambda: "another")
    assert opened(saved)[1] != []


def test_an_exported_model_that_was_changed_is_not_used(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_selection, "_seconds_per_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
    opened(saved)
    file = saved / "engines" / "model.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert opened(saved)[1] != []
    assert file.read_bytes() == whole


def test_an_exported_model_of_an_earlier_version_is_made_anew(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_selection, "_seconds_per_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
    monkeypatch.setattr(engine_cache, "SPEC_VERSION", SPEC_VERSION - 1)
    opened(saved)
    monkeypatch.undo()
    assert opened(saved)[1] != []
    assert json.loads((saved / "engines" / "model.json").read_text())["card_version"] == SPEC_VERSION


def test_an_engine_that_answers_differently_is_left_out_and_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(*_bundle: ModelBundle, **_where: Path) -> None:
        raise BundleError("the exported model differs")

    monkeypatch.setattr("sonoproof.inference.export.require_parity", differs)
    name, said = opened(saved)
    assert name == "torch"
    assert said[0] == "engines other than torch left out: the exported model differs"


def test_a_folder_that_cannot_be_written_to_still_predicts(saved: Path) -> None:
    (saved / "engines").write_text("a file where the folder should be")
    name, said = opened(saved)
    assert name == "torch"
    assert any("not remembered" in line for line in said)
    assert sum("cannot be written" in line for line in said) == 2  # the exported model, the choice


@pytest.mark.parametrize(
    ("engine", "device", "message"),
    [
        ("tensorrt", "auto", "there is no such engine"),
        ("onnxruntime", "cuda", "goes with --engine torch"),
        ("onnxruntime", "tpu", "there is no such device"),
    ],
)
def test_what_cannot_be_had_is_said(saved: Path, engine: str, device: str, message: str) -> None:
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
    with pytest.raises(ConfigError, match="runs on the processor"):
        opened(tmp_path / "model.onnx", device="cuda")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        assert opened(tmp_path / "model.onnx")[0] == "openvino"
        patch.setitem(sys.modules, "openvino", None)
        with pytest.raises(MissingExtra, match="onnxruntime"):
            opened(tmp_path / "model.onnx")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"PK\x03\x04 no model"])
def test_a_file_that_is_no_model_is_said(tmp_path: Path, engine: str, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx: cannot be opened"):
        opened(tmp_path / "model.onnx", engine)


@pytest.mark.slow
def test_a_remembered_engine_predicts_without_torch_and_pandas(saved: Path, frames: list[Path]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_selection, "_seconds_per_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
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
    monkeypatch.setattr(engine_selection, "_seconds_per_frame", lambda engine: 2.0 if engine.name == "torch" else 1.0)
    assert opened(saved)[0] in ("onnxruntime", "openvino")
    for library in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, library, None)
    assert opened(saved)[0] == "torch"
