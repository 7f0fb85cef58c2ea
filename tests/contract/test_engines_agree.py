"""The same answers with any engine, any batch size, in any order, with any number of decoding threads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from tests.support.bundles import lively_bundle, lively_ensemble, write_frames

from sonoproof.config import FramesConfig
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.files import FileAnswer, predict_files
from sonoproof.training.bundle import ModelBundle, load_bundle, save_bundle

ENGINES = ["torch", "onnxruntime", "openvino"]


@pytest.fixture(scope="module", params=["one network", "ensemble"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    bundle = lively_bundle(size=64) if request.param == "one network" else lively_ensemble(size=64)
    save_bundle(bundle, folder / "model")
    return folder


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_frames(tmp_path_factory.mktemp("data") / "frames")


def answers(run: Path, files: list[Path], *, engine: str, batch: int = 32, workers: int = 0) -> list[FileAnswer]:
    opened = open_engine(run, engine=engine, say=lambda _line: None)
    return predict_files(opened, files=files, frames=FramesConfig(workers=workers), batch=batch)


def reference(run: Path, files: list[Path]) -> list[FileAnswer]:
    return answers(run, files, engine="torch", batch=1, workers=1)


def assert_same(found: list[FileAnswer], wanted: list[FileAnswer]) -> None:
    by_path = {answer.path: answer for answer in found}
    assert [answer.path for answer in wanted] == sorted(by_path, key=[a.path for a in wanted].index)
    for answer in wanted:
        other = by_path[answer.path]
        assert other.reason == answer.reason
        assert (other.predicted, other.answer) == (answer.predicted, answer.answer)
        if not answer.reason:
            assert other.probability == pytest.approx(answer.probability, abs=1e-4)
            assert other.logit == pytest.approx(answer.logit, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (2, 3), (7, 2), (32, 0)])
def test_engine_batch_and_workers_change_nothing(
    saved: Path, frames: list[Path], engine: str, batch: int, workers: int
) -> None:
    if engine == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("the extra openvino is not installed")
    wanted = reference(saved, frames)
    assert len({round(answer.logit, 3) for answer in wanted if not answer.reason}) == 7
    assert_same(answers(saved, frames, engine=engine, batch=batch, workers=workers), wanted)


def test_the_order_changes_nothing(saved: Path, frames: list[Path]) -> None:
    found = answers(saved, frames[::-1], engine="onnxruntime", batch=3)
    assert [answer.path for answer in found] == [str(path) for path in frames[::-1]]
    assert_same(found, reference(saved, frames))


def test_calibration_and_threshold_of_the_bundle_are_those_of_every_engine(saved: Path, frames: list[Path]) -> None:
    loaded: ModelBundle = load_bundle(saved)
    for answer in answers(saved, frames[:3], engine="onnxruntime"):
        by_hand = 1.0 / (1.0 + np.exp(-(0.7 * answer.logit - 0.2)))
        assert answer.probability == pytest.approx(by_hand, abs=1e-12)
        assert answer.threshold == loaded.spec.decision.operating_point.threshold == 0.35
        assert answer.predicted == ("unhealthy" if by_hand >= 0.35 else "healthy")


def test_a_saved_bundle_alone_is_enough(saved: Path, frames: list[Path]) -> None:
    assert_same(answers(saved / "model", frames, engine="onnxruntime"), reference(saved, frames))
