"""A classifier as an ONNX graph: bytes of frames in, logit and calibrated probability out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from sonoproof.training.verdict import Calibration

INPUT, LOGIT, PROBABILITY = "frames", "logit", "probability"

OPSET = 18
"""The operators of every exported model, whatever its backbone: the lowest that PyTorch's exporter writes."""

IR_VERSION = 8
"""The lowest file format that holds them; ONNX Runtime reads both since 1.14 (2023)."""


class Nodes:
    """Nodes and weights in the order in which they are needed.

    Args:
        prefix: What the names that are given begin with.
    """

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._prefix = prefix

    def weight(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add numbers; return their name."""
        name = f"{self._prefix}w{len(self.weights)}"
        self.weights.append(
            numpy_helper.from_array(np.ascontiguousarray(values, dtype).reshape(np.shape(values)), name)
        )
        return name

    def apply(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = out or f"{self._prefix}x{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"{operator}_{name}", **attributes))
        return name

    def scaled(self, values: str, *, factor: npt.ArrayLike, shift: npt.ArrayLike) -> str:
        """Add ``values * factor + shift``; return the name of the result."""
        return self.apply("Add", self.apply("Mul", values, self.weight(factor)), self.weight(shift))


def add_probability(model: onnx.ModelProto, calibration: Calibration) -> None:
    """Give a model that has the output ``logit`` a second one, ``probability``, (n) float32."""
    nodes = Nodes("calibration_")
    nodes.apply("Sigmoid", _calibrated(nodes, calibration), out=PROBABILITY)
    model.graph.node.extend(nodes.nodes)
    model.graph.initializer.extend(nodes.weights)
    model.graph.output.append(helper.make_tensor_value_info(PROBABILITY, TensorProto.FLOAT, ["n"]))


def _calibrated(nodes: Nodes, calibration: Calibration) -> str:
    if not calibration.knots:
        return nodes.scaled(LOGIT, factor=calibration.slope, shift=calibration.intercept)
    starts, widths, slopes = map(nodes.weight, calibration.ramps)
    beyond = nodes.apply("Sub", nodes.apply("Unsqueeze", LOGIT, nodes.weight([1], np.int64)), starts)
    inside = nodes.apply("Min", nodes.apply("Relu", beyond), widths)
    return nodes.apply("Add", nodes.apply("MatMul", inside, slopes), nodes.weight(calibration.knots[0][1]))
