from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.support.bundles import lively_bundle, lively_ensemble, with_spec
from transformers import ResNetConfig, ResNetForImageClassification

from sonoproof.errors import BundleError, ConfigError
from sonoproof.inference import export, mobilenet_graph, onnx_graph
from sonoproof.inference.engines import OnnxRuntimeEngine, TorchEngine
from sonoproof.inference.export import export_onnx
from sonoproof.inference.quantise import compare, quantise, require_small
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.ensemble import Ensemble
from sonoproof.training.layers import fold_batch_norm
from sonoproof.training.model import Architecture, BinaryClassifier
from sonoproof.training.verdict import Calibration, Decision


@pytest.mark.parametrize("size", [64, 33])  # at 33 every stride meets an odd side
def test_the_exported_file_answers_as_the_bundle(tmp_path: Path, size: int) -> None:
    parity = export_onnx(lively_bundle(size=size), out=tmp_path / "model.onnx")
    assert parity.holds
    assert (tmp_path / "model.onnx").is_file()


def small_resnets() -> ModelBundle:
    """Two networks of a kind that is not written out by hand."""
    settings = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    settings.num_labels = 1
    described = Architecture(transformers_config={"model_type": "resnet"})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        members = [BinaryClassifier(ResNetForImageClassification(settings), architecture=described) for _ in range(2)]
    return dataclasses.replace(lively_ensemble(size=33, members=2), classifier=Ensemble(members).eval())


@pytest.mark.slow
@pytest.mark.parametrize("by_exporter", [False, True], ids=["written out", "exporter"])
def test_an_exported_ensemble_answers_as_the_bundle(tmp_path: Path, by_exporter: bool) -> None:
    if by_exporter:
        pytest.importorskip("onnxscript")
    bundle = small_resnets() if by_exporter else lively_ensemble(size=33)
    parity = export_onnx(bundle, out=tmp_path / "model.onnx")
    assert parity.holds
    frames = np.random.default_rng(0).integers(0, 255, (3, 33, 33, 3), dtype=np.uint8)
    alone = [dataclasses.replace(bundle, classifier=member) for member in bundle.classifier.members]
    by_hand = np.mean([TorchEngine(one, device="cpu").logits(frames) for one in alone], axis=0)
    assert OnnxRuntimeEngine(tmp_path / "model.onnx").logits(frames) == pytest.approx(by_hand, abs=1e-4)
    model = onnx.load(tmp_path / "model.onnx")
    assert (model.ir_version, [(entry.domain, entry.version) for entry in model.opset_import]) == (8, [("", 18)])


def test_an_exported_ensemble_that_lost_a_member_is_never_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, bundle = export._logit_graph, lively_ensemble(size=33)
    fewer = dataclasses.replace(bundle, classifier=Ensemble(bundle.classifier.members[:2]).eval())
    monkeypatch.setattr(export, "_logit_graph", lambda _bundle: graph(fewer))
    with pytest.raises(BundleError, match=r"differs from the saved one by .* no file was written"):
        export_onnx(bundle, out=tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_ensemble_goes_into_8_bit_integers_whole(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (16, 33, 33, 3), dtype=np.uint8)
    export_onnx(lively_ensemble(size=33), out=tmp_path / "model.onnx")
    single = onnx.load(tmp_path / "model.onnx")
    content = onnx.load_from_string(quantise((tmp_path / "model.onnx").read_bytes(), frames=frames))
    convolutions = [sum(node.op_type == "Conv" for node in model.graph.node) for model in (single, content)]
    assert convolutions == [3 * 27, 3 * 27]
    assert len({node.op_type for node in content.graph.node} & {"QuantizeLinear", "Mean"}) == 2


def test_a_backbone_of_another_scale_is_exported_with_it(tmp_path: Path, bundle: ModelBundle) -> None:
    described = dataclasses.replace(bundle.classifier.architecture, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    (member,) = bundle.classifier.members
    classifier = type(member)(member.network, architecture=described).eval()
    parity = export_onnx(dataclasses.replace(bundle, classifier=classifier), out=tmp_path / "model.onnx")
    assert parity.holds


def test_the_graph_holds_the_calibration(tmp_path: Path, bundle: ModelBundle) -> None:
    export_onnx(bundle, out=tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    frames = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    logit, probability = session.run(["logit", "probability"], {"frames": frames})
    assert probability == pytest.approx(1.0 / (1.0 + np.exp(-(0.7 * logit - 0.2))), abs=1e-6)
    assert np.ptp(logit) > 0.01


def test_another_reader_finds_names_operating_point_and_preparation(tmp_path: Path, bundle: ModelBundle) -> None:
    export_onnx(bundle, out=tmp_path / "model.onnx")
    said = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    card = json.loads(said["sonoproof"])
    assert card["classes"] == {"negative": "healthy", "positive": "unhealthy"}
    assert card["operating_point"]["threshold"] == 0.35
    assert card["preprocessing"] == bundle.spec.preprocessing.to_dict()
    assert "64 x 64" in said["before_input"]
    assert "'unhealthy'" in said["output"]


def test_a_graph_that_differs_is_never_published(
    tmp_path: Path, bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly_folded(*layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
        weight, bias = fold_batch_norm(*layer)
        return weight, bias + 1e-3

    monkeypatch.setattr(mobilenet_graph, "fold_batch_norm", wrongly_folded)
    with pytest.raises(BundleError, match=r"differs from the saved one by .* no file was written"):
        export_onnx(bundle, out=tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_that_is_lost_is_noticed(
    tmp_path: Path, bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_probability = onnx_graph.add_probability
    monkeypatch.setattr(onnx_graph, "add_probability", lambda model, _: add_probability(model, Calibration()))
    with pytest.raises(BundleError, match="in the probability"):
        export_onnx(bundle, out=tmp_path / "model.onnx")


def test_another_ending_is_refused(tmp_path: Path, bundle: ModelBundle) -> None:
    with pytest.raises(ConfigError, match=r"name the file \*\.onnx"):
        export_onnx(bundle, out=tmp_path / "model.pt")


def test_an_onnx_file_of_another_program_is_refused(tmp_path: Path, bundle: ModelBundle) -> None:
    export_onnx(bundle, out=tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(BundleError, match="was not written by `sonoproof export`"):
        OnnxRuntimeEngine(tmp_path / "other.onnx")


def test_8_bit_integers_are_let_through_or_refused_by_their_figures(tmp_path: Path, bundle: ModelBundle) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (16, 64, 64, 3), dtype=np.uint8)
    export_onnx(bundle, out=tmp_path / "model.onnx")
    content = quantise((tmp_path / "model.onnx").read_bytes(), frames=frames)
    operators = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert "QuantizeLinear" in operators
    before = OnnxRuntimeEngine(tmp_path / "model.onnx").outputs(frames)[1]
    after = OnnxRuntimeEngine(content).outputs(frames)[1]
    # Random weights leave 8 bits little to hold on to; what a real model loses is for the gate to say.
    assert 0.0 < np.abs(after - before).mean() < 0.25


def test_the_gate_of_8_bit_integers() -> None:
    positive = np.array([True, False] * 50)
    before = np.where(positive, 0.8, 0.2) + np.linspace(-0.1, 0.1, 100)
    require_small(compare(before, before + 0.009, positive=positive), engine="openvino")
    with pytest.raises(BundleError, match=r"in openvino, on 100 validation frames .* changes by 0\.0110"):
        require_small(compare(before, before + 0.011, positive=positive), engine="openvino")
    swapped = before.copy()
    swapped[:2] = swapped[1::-1]
    with pytest.raises(BundleError, match=r"AUC goes from 1\.0000 to 0\.9"):
        require_small(compare(before, swapped, positive=positive), engine="openvino")
    with pytest.raises(BundleError, match="AUC goes from nan"):
        require_small(compare(before, before, positive=np.ones(100, bool)), engine="openvino")


@pytest.mark.slow
@pytest.mark.parametrize("by_exporter", [False, True], ids=["written out", "exporter"])
def test_a_staircase_of_probabilities_is_exported(tmp_path: Path, bundle: ModelBundle, by_exporter: bool) -> None:
    if by_exporter:
        pytest.importorskip("onnxscript")
        bundle = small_resnets()
    size = bundle.spec.preprocessing.size
    levels = np.linspace(20, 255, 12)[:, None, None, None]
    frames = (levels * np.random.default_rng(0).random((12, size, size, 3))).astype(np.uint8)
    before = np.sort(TorchEngine(bundle, device="cpu").logits(frames))[[2, 5, 6, 9]]
    after = -1.0 + np.cumsum([0.0, *(np.array([0.5, 3.0, 1.0]) * np.diff(before))])  # some lie beyond either end
    knots = tuple(zip(before.tolist(), after.tolist(), strict=True))
    stairs = with_spec(bundle, decision=Decision(Calibration(method="isotonic", knots=knots)))
    assert export_onnx(stairs, out=tmp_path / "model.onnx").holds
    found, probability = OnnxRuntimeEngine(tmp_path / "model.onnx").outputs(frames)
    expected = np.interp(found, before, after)
    assert np.ptp(expected) == pytest.approx(np.ptp(after), abs=1e-4)
    assert probability == pytest.approx(1.0 / (1.0 + np.exp(-expected)), abs=1e-4)
