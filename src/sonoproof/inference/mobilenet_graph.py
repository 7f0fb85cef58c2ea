"""A classifier as an ONNX graph: bytes of frames in, logit and calibrated probability out.

MobileNet V1 is written out layer by layer, its batch norm folded into the convolutions, the members of an ensemble
side by side; any other backbone goes through PyTorch's own exporter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from transformers import MobileNetV1ForImageClassification

from sonoproof.errors import BundleError, MissingExtra
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.ensemble import Classifier
from sonoproof.training.model import BinaryClassifier
from sonoproof.training.verdict import Calibration

__all__ = ["INPUT", "OUTPUTS", "classifier_graph"]

INPUT = "frames"
OUTPUTS = ("logit", "probability")
OPSET = 17
IR_VERSION = 8  # the oldest that holds the opset: read by every runtime since 2022


def classifier_graph(bundle: ModelBundle) -> onnx.ModelProto:
    """The graph of a bundle's network.

    Input ``frames``: (n, size, size, 3) uint8 RGB canvases. Outputs ``logit`` (n), of the positive class, and
    ``probability`` (n), calibrated; both float32.

    Args:
        bundle: The model.

    Raises:
        MissingExtra: The backbone needs PyTorch's exporter, whose library is not installed.
        BundleError: PyTorch's exporter cannot express the backbone.
    """
    classifier = bundle.classifier.to("cpu").eval()
    if all(_can_be_written_out(member.network) for member in classifier.members):
        return _mobilenet_v1(classifier.members, size=bundle.preprocessing.size, calibration=bundle.calibration)
    return _by_exporter(classifier, size=bundle.preprocessing.size, calibration=bundle.calibration)


def _can_be_written_out(network: nn.Module) -> bool:
    return isinstance(network, MobileNetV1ForImageClassification) and all(
        isinstance(layer.activation, nn.ReLU6) for layer in _layers(network)
    )


def _layers(network: nn.Module) -> list[Any]:
    base: Any = network.mobilenet_v1
    return [base.conv_stem, *base.layer]


class _Graph:
    """Nodes and weights in the order in which they are needed."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, values: npt.NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def apply(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"{operator}_{name}", **attributes))
        return name

    def scaled(self, values: str, *, factor: npt.ArrayLike, shift: npt.ArrayLike, out: str = "") -> str:
        multiplied = self.apply("Mul", values, self.weight(np.asarray(factor, np.float32)))
        return self.apply("Add", multiplied, self.weight(np.asarray(shift, np.float32)), out=out)


def _mobilenet_v1(members: Sequence[BinaryClassifier], *, size: int, calibration: Calibration) -> onnx.ModelProto:
    graph = _Graph()
    values = _network_input(graph, members[0])  # of one architecture, they take the same numbers
    columns = [_member(graph, values, member) for member in members]
    column = graph.apply("Mean", *columns) if len(columns) > 1 else columns[0]
    logit = graph.apply("Squeeze", column, graph.weight(np.array([1], np.int64)), out=OUTPUTS[0])
    graph.apply("Sigmoid", _calibrated(graph, logit, calibration), out=OUTPUTS[1])
    return _model(graph, size=size)


def _calibrated(graph: _Graph, logit: str, calibration: Calibration) -> str:
    if not calibration.knots:
        return graph.scaled(logit, factor=calibration.slope, shift=calibration.intercept)
    starts, widths, slopes = (graph.weight(values.astype(np.float32)) for values in calibration.ramps)
    beyond = graph.apply("Sub", graph.apply("Unsqueeze", logit, graph.weight(np.array([1], np.int64))), starts)
    inside = graph.apply("Min", graph.apply("Relu", beyond), widths)
    first = graph.weight(np.array(calibration.knots[0][1], np.float32))
    return graph.apply("Add", graph.apply("MatMul", inside, slopes), first)


def _member(graph: _Graph, values: str, classifier: BinaryClassifier) -> str:
    """Numbers as the backbone takes them to a column of logits."""
    for layer in _layers(classifier.network):
        values = _layer(graph, values, layer)
    pooled = graph.apply("Flatten", graph.apply("GlobalAveragePool", values), axis=1)
    weight, bias = graph.weight(_numbers(classifier.head.weight)), graph.weight(_numbers(classifier.head.bias))
    return graph.apply("Gemm", pooled, weight, bias, transB=1)


def _network_input(graph: _Graph, classifier: BinaryClassifier) -> str:
    """Bytes of canvases to numbers as the backbone takes them, channels first."""
    floats = graph.apply("Cast", INPUT, to=TensorProto.FLOAT)
    divided = graph.apply("Div", floats, graph.weight(np.array(127.5, np.float32)))
    shifted = graph.apply("Sub", divided, graph.weight(np.array(1.0, np.float32)))
    values = graph.apply("Transpose", shifted, perm=[0, 3, 1, 2])
    gain, offset = _numbers(classifier.get_buffer("gain")), _numbers(classifier.get_buffer("offset"))
    if np.all(gain == 1.0) and np.all(offset == 0.0):
        return values
    return graph.scaled(values, factor=gain, shift=offset)


def _layer(graph: _Graph, values: str, layer: Any) -> str:
    """A convolution with its batch norm folded in, and the activation."""
    convolution: nn.Conv2d = layer.convolution
    weight, bias = _folded(convolution, layer.normalization)
    height, width = (int(side) for side in convolution.padding)
    padding: dict[str, Any] = {"auto_pad": "SAME_UPPER"}  # TensorFlow's "same": the odd pixel at the end
    if not layer.config.tf_padding:
        padding = {"pads": [height, width, height, width]}
    summed = graph.apply(
        "Conv",
        values,
        graph.weight(weight),
        graph.weight(bias),
        group=convolution.groups,
        strides=list(convolution.stride),
        kernel_shape=list(convolution.kernel_size),
        **padding,
    )
    return graph.apply("Clip", summed, graph.weight(np.array(0.0, np.float32)), graph.weight(np.array(6.0, np.float32)))


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weight and bias of the convolution that does what convolution and batch norm do in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = convolution.weight.detach().double() * scale[:, None, None, None]
    bias = norm.bias.detach().double() - norm.running_mean.double() * scale
    return _numbers(weight), _numbers(bias)


def _numbers(tensor: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def _model(graph: _Graph, *, size: int) -> onnx.ModelProto:
    taken = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", size, size, 3])
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in OUTPUTS]
    body = helper.make_graph(graph.nodes, "classifier", [taken], given, initializer=graph.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sonoproof")
    model.ir_version = IR_VERSION
    return model


class _Answering(nn.Module):
    """A classifier from bytes to logit and probability, for PyTorch's exporter."""

    def __init__(self, classifier: Classifier, calibration: Calibration) -> None:
        super().__init__()
        self.classifier = classifier
        self._calibration = calibration

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        scaled = frames.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
        logit = self.classifier(scaled)
        return logit, torch.sigmoid(self._calibrated(logit))

    def _calibrated(self, logit: Tensor) -> Tensor:
        calibration = self._calibration
        if not calibration.knots:
            return calibration.slope * logit + calibration.intercept
        starts, widths, slopes = (torch.from_numpy(values).float() for values in calibration.ramps)
        inside = torch.minimum(torch.relu(logit[:, None] - starts), widths)
        return inside @ slopes + calibration.knots[0][1]


def _by_exporter(classifier: Classifier, *, size: int, calibration: Calibration) -> onnx.ModelProto:
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        kind = classifier.architecture.transformers_config["model_type"]
        raise MissingExtra(f"exporting a backbone of type {kind}", extra="export") from error
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    try:
        program = torch.onnx.export(
            _Answering(classifier, calibration).eval(),
            (example,),
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={"frames": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise BundleError(f"PyTorch cannot export this backbone ({error})") from error
    assert program is not None
    return program.model_proto
