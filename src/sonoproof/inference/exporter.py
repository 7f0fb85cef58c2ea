"""Any other backbone than MobileNet V1 as an ONNX graph, by PyTorch's exporter."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from sonoproof.errors import BundleError, MissingExtra
from sonoproof.inference.onnx_graph import INPUT, IR_VERSION, LOGIT, OPSET
from sonoproof.training.batches import scale_levels
from sonoproof.training.ensemble import Classifier


def exported_graph(classifier: Classifier, *, size: int) -> onnx.ModelProto:
    """A classifier as a model from ``frames``, (n, size, size, 3) uint8, to ``logit``, (n) float32.

    Args:
        classifier: The network, on the processor.
        size: Side of the input in pixels.

    Raises:
        MissingExtra: The library that PyTorch's exporter needs is not installed.
        BundleError: PyTorch's exporter cannot express the backbone.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        kind = classifier.architecture.transformers_config["model_type"]
        raise MissingExtra(f"exporting a backbone of type {kind}", extra="export") from error
    try:
        program = torch.onnx.export(
            _FromBytes(classifier).eval(),
            (torch.zeros((2, size, size, 3), dtype=torch.uint8),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[LOGIT],
            dynamic_shapes={"frames": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise BundleError(f"PyTorch cannot export this backbone ({error})") from error
    assert program is not None
    model = program.model_proto
    model.ir_version = IR_VERSION
    return model


class _FromBytes(nn.Module):
    """A classifier that takes the bytes of frames."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, frames: Tensor) -> Tensor:
        logit: Tensor = self.classifier(scale_levels(frames))
        return logit
