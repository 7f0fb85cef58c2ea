"""Explaining a part: the right frame, the right class, the arrays kept, and mass where the anatomy is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sonoproof.classes import Classes
from sonoproof.config import ExplainConfig
from sonoproof.errors import RunFolderError
from sonoproof.explanation.context import ExplanationContext
from sonoproof.explanation.explain import explain_part
from sonoproof.runfolder import read_json

pytestmark = pytest.mark.slow

CLASSES = Classes(negative="healthy", positive="unhealthy")
CONFIG = ExplainConfig(top=4, errors=2)


@pytest.fixture(scope="module")
def explained(phantom: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "explanations" / "val"
    _explain(phantom, out, masks=phantom.mask)
    return out


def _explain(phantom: Any, out: Path, **options: Any) -> list[Any]:
    predictions = options.pop("predictions", phantom.predictions)
    given = {"config": CONFIG, "classifier": phantom.network} | options
    context = ExplanationContext(frames=phantom.load, classes=CLASSES, **given)
    return explain_part(predictions, part="val", context=context, out=out)


def test_every_frame_explained_has_its_own_arrays(phantom: Any, explained: Path) -> None:
    content = read_json(explained / "explanations.json", schema="explanations")
    assert content["found"]["top"] == 4
    rows = phantom.predictions.set_index("image_id")
    for item in content["frames"]:
        arrays = np.load(explained / item["arrays"], allow_pickle=False)
        row = rows.loc[item["image_id"]]
        np.testing.assert_array_equal(arrays["frame"], phantom.load([item["image_id"]])[0])
        assert item["explained_class"] == row["predicted"]
        own = row["probability"] if row["predicted"] == "unhealthy" else 1 - row["probability"]
        assert item["probability"] == pytest.approx(own)
        assert item["probability"] >= 0.5
        assert arrays["probability_blur"][-1] == pytest.approx(own, abs=1e-4)
        for result in item["baselines"]:
            total = float(arrays[f"ig_{result['name']}"].sum(dtype=np.float64))
            rise = item["logit"] - _logit(arrays, result["name"])
            assert total == pytest.approx(result["logit_difference"] + result["convergence_delta"], abs=1e-3)
            assert result["logit_difference"] == pytest.approx(rise, abs=1e-3)
            assert result["converged"] == (result["gap"] < 0.01)


def _logit(arrays: Any, name: str) -> float:
    probability = float(arrays[f"probability_{name}"][0])
    return float(np.log(probability / (1 - probability)))


def test_saliency_is_the_gradient_at_the_frame(phantom: Any, explained: Path) -> None:
    item = read_json(explained / "explanations.json", schema="explanations")["frames"][0]
    frame = torch.from_numpy(phantom.load([item["image_id"]])).permute(0, 3, 1, 2).float() / 127.5 - 1
    frame.requires_grad_(True)
    phantom.network(frame).sum().backward()
    assert frame.grad is not None
    saved = np.load(explained / item["arrays"])["saliency"]
    np.testing.assert_allclose(saved, frame.grad[0].abs().amax(dim=0).numpy(), rtol=1e-3, atol=1e-6)


def test_every_map_is_measured_against_the_mask_of_its_own_frame(phantom: Any, explained: Path) -> None:
    """That attribution lies on ovary and follicles more than their area would give is asked of many: test_survey."""
    for item in read_json(explained / "explanations.json", schema="explanations")["frames"]:
        with np.load(explained / item["arrays"]) as arrays:
            magnitude = np.abs(arrays["ig_blur"].sum(axis=0, dtype=np.float64))
        mask = phantom.mask(item["image_id"])
        share = magnitude[mask].sum() / magnitude.sum()
        assert item["localisation"]["mass"] == pytest.approx(share, rel=1e-4)
        assert item["localisation"]["lift"] == pytest.approx(share / mask.mean(), rel=1e-4)


def test_gate_is_run_and_kept(explained: Path) -> None:
    gate = read_json(explained / "explanations.json", schema="explanations")["gate"]
    assert gate["passed"]
    assert {check["name"] for check in gate["checks"]} >= {"completeness", "model_randomisation", "baseline_agreement"}


def test_both_classes_are_explained(explained: Path) -> None:
    frames = read_json(explained / "explanations.json", schema="explanations")["frames"]
    assert {item["explained_class"] for item in frames if item["kind"] == "top"} == {"healthy", "unhealthy"}


def test_methods_by_name_are_explained_judged_and_scaled(phantom: Any, tmp_path: Path) -> None:
    methods: tuple[Any, ...] = ("saliency", "integrated_gradients", "smoothgrad", "grad_cam", "occlusion")
    config = ExplainConfig(top=1, errors=0, methods=methods, baselines=("mean",))
    _explain(phantom, tmp_path, config=config, shuffled_labels=phantom.network)
    content = read_json(tmp_path / "explanations.json", schema="explanations")
    arrays = np.load(tmp_path / content["frames"][0]["arrays"], allow_pickle=False)
    assert content["gate"]["method"] == "integrated_gradients, mean"
    assert [gate["method"] for gate in content["further_gates"]] == [m for m in methods if "integrated" not in m]
    for name in ("smoothgrad", "grad_cam", "occlusion"):
        assert arrays[name].shape == arrays["saliency"].shape
        assert np.isfinite(arrays[name]).all()
        assert content["scale"][name] > 0
    for gate in (content["gate"], *content["further_gates"]):
        (check,) = (check for check in gate["checks"] if check["name"] == "label_randomisation")
        assert not check["passed"]  # the very same network is no network of shuffled labels


def test_predictions_of_another_model_are_refused(phantom: Any, tmp_path: Path) -> None:
    other = phantom.predictions.assign(logit=phantom.predictions["logit"] * 1.5)
    with pytest.raises(RunFolderError, match="different models"):
        _explain(phantom, tmp_path, predictions=other)
    assert not (tmp_path / "explanations.json").exists()


def test_a_swapped_frame_is_refused(phantom: Any, tmp_path: Path) -> None:
    swapped = phantom.predictions.assign(image_id=list(phantom.predictions["image_id"])[::-1])
    with pytest.raises(RunFolderError, match="different models"):
        _explain(phantom, tmp_path, predictions=swapped)


def test_nothing_to_explain_is_still_a_whole_file(phantom: Any, tmp_path: Path) -> None:
    assert _explain(phantom, tmp_path, config=ExplainConfig(top=0, errors=0)) == []
    content = read_json(tmp_path / "explanations.json", schema="explanations")
    assert content["frames"] == []
    assert content["gate"] is None


def test_files_of_an_earlier_run_go_and_others_stay(phantom: Any, tmp_path: Path) -> None:
    for name in ("top-01-0123abcd.png", "error-10-p045_c2_f01.preview.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    _explain(phantom, tmp_path, config=ExplainConfig(top=0, errors=0))
    assert {path.name for path in tmp_path.iterdir()} == {"explanations.json", "notes.txt"}


def test_image_id_makes_no_path(phantom: Any, tmp_path: Path) -> None:
    hostile = "../../" + "x" * 300 + "/\n$\\alpha$\u202e.png"
    table = phantom.predictions.head(1).assign(image_id=hostile, label="")
    context = ExplanationContext(
        frames=lambda _: phantom.frames[:1],
        classifier=phantom.network,
        classes=CLASSES,
        config=ExplainConfig(top=1, errors=1, baselines=("blur",)),
    )
    explain_part(table, part="test", context=context, out=tmp_path / "out")
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "out"}
    assert json.loads((tmp_path / "out" / "explanations.json").read_text())["frames"][0]["image_id"] == hostile
