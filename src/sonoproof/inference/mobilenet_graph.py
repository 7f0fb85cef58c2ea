"""MobileNet V1 written out as an ONNX graph, layer by layer, the members of an ensemble side by side.

PyTorch's exporter would do it too. Written out, the graph has its batch norms folded into the convolutions and the
library that the exporter needs (onnxscript) is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from torch import Tensor, nn
from transformers import MobileNetV1ForImageClassification

from sonoproof.inference.onnx_graph import INPUT, IR_VERSION, LOGIT, OPSET, Nodes
from sonoproof.training.layers import fold_batch_norm
from sonoproof.training.model import BinaryClassifier


def is_mobilenet_v1(network: nn.Module) -> bool:
    """Whether `mobilenet_graph` can write a network out."""
    return isinstance(network, MobileNetV1ForImageClassification) and all(
        isinstance(layer.activation, nn.ReLU6) for layer in _layers(network)
    )


def mobilenet_graph(members: Sequence[BinaryClassifier], *, size: int) -> onnx.ModelProto:
    """The mean of MobileNets V1 as a model from ``frames``, (n, size, size, 3) uint8, to ``logit``, (n) float32.

    Args:
        members: The networks, of one architecture, on the processor.
        size: Side of the input in pixels.
    """
    nodes = Nodes()
    values = _network_input(nodes, members[0])
    columns = [_member(nodes, values, member) for member in members]
    column = nodes.apply("Mean", *columns) if len(columns) > 1 else columns[0]
    nodes.apply("Squeeze", column, nodes.weight([1], np.int64), out=LOGIT)
    taken = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", size, size, 3])
    given = helper.make_tensor_value_info(LOGIT, TensorProto.FLOAT, ["n"])
    body = helper.make_graph(nodes.nodes, "classifier", [taken], [given], initializer=nodes.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sonoproof")
    model.ir_version = IR_VERSION
    return model


def _layers(network: nn.Module) -> list[Any]:
    base: Any = network.mobilenet_v1
    return [base.conv_stem, *base.layer]


def _network_input(nodes: Nodes, classifier: BinaryClassifier) -> str:
    """Bytes of canvases to numbers as the backbone takes them, channels first."""
    floats = nodes.apply("Cast", INPUT, to=TensorProto.FLOAT)
    scaled = nodes.apply("Sub", nodes.apply("Div", floats, nodes.weight(127.5)), nodes.weight(1.0))
    values = nodes.apply("Transpose", scaled, perm=[0, 3, 1, 2])
    gain, offset = classifier.get_buffer("gain").numpy(), classifier.get_buffer("offset").numpy()
    if np.all(gain == 1.0) and np.all(offset == 0.0):
        return values
    return nodes.scaled(values, factor=gain, shift=offset)


def _member(nodes: Nodes, values: str, classifier: BinaryClassifier) -> str:
    """Numbers as the backbone takes them to a column of logits."""
    for layer in _layers(classifier.network):
        values = _layer(nodes, values, layer)
    pooled = nodes.apply("Flatten", nodes.apply("GlobalAveragePool", values), axis=1)
    head = classifier.head
    return nodes.apply("Gemm", pooled, _weight(nodes, head.weight), _weight(nodes, head.bias), transB=1)


def _layer(nodes: Nodes, values: str, layer: Any) -> str:
    """A convolution with its batch norm folded in, and the activation."""
    convolution: nn.Conv2d = layer.convolution
    weight, bias = fold_batch_norm(convolution.weight, layer.normalization)
    height, width = (int(side) for side in convolution.padding)
    padding: dict[str, Any] = {"auto_pad": "SAME_UPPER"}  # TensorFlow's "same": the odd pixel at the end
    if not layer.config.tf_padding:
        padding = {"pads": [height, width, height, width]}
    summed = nodes.apply(
        "Conv",
        values,
        _weight(nodes, weight),
        _weight(nodes, bias),
        group=convolution.groups,
        strides=list(convolution.stride),
        kernel_shape=list(convolution.kernel_size),
        **padding,
    )
    return nodes.apply("Clip", summed, nodes.weight(0.0), nodes.weight(6.0))


def _weight(nodes: Nodes, tensor: Tensor) -> str:
    return nodes.weight(tensor.detach().numpy())
