"""What computes logits: PyTorch, ONNX Runtime or OpenVINO, each behind the same two words. Imports none until asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from sonoproof.errors import BundleError, ConfigError, MissingExtra
from sonoproof.inference.model_spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from sonoproof.training.bundle import ModelBundle

__all__ = ["CARD_KEY", "ENGINES", "Engine", "OnnxRuntimeEngine", "OpenVinoEngine", "TorchEngine", "check_engine"]

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

ENGINES = ("auto", "torch", "onnxruntime", "openvino")
CARD_KEY = "sonoproof"


class Engine(Protocol):
    """A network that is ready to answer.

    Attributes:
        name: The engine's name on the command line.
        card: What turns its logits into answers.
    """

    name: str
    card: ModelSpec

    def logits(self, frames: UInt8) -> Floats:
        """(N) logits of the positive class, before calibration, of (N, size, size, 3) uint8 canvases."""


class TorchEngine:
    """The bundle itself, in PyTorch.

    Args:
        bundle: The model.
        device: Where it runs.
    """

    name = "torch"

    def __init__(self, bundle: ModelBundle, *, device: torch.device) -> None:
        self.card = ModelSpec.of_bundle(bundle)
        self._device = device
        self._classifier = bundle.classifier.to(device).eval()

    def logits(self, frames: UInt8) -> Floats:
        """(N) logits of (N, size, size, 3) uint8 canvases."""
        import torch

        from sonoproof.training.batches import to_network

        with torch.inference_mode():
            found = self._classifier(to_network(frames, device=self._device))
        return np.asarray(found.float().cpu().numpy(), np.float64)


class OnnxRuntimeEngine:
    """An exported model in ONNX Runtime, on the processor.

    Args:
        model: The file, or its bytes.
        threads: Threads of its kernels; 0 takes one per processor.

    Raises:
        MissingExtra: ONNX Runtime is not installed.
        BundleError: The file is no model that was exported here.
    """

    name = "onnxruntime"

    def __init__(self, model: Path | bytes, *, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("the engine onnxruntime", extra="export") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or processors()
        state = onnxruntime.capi.onnxruntime_pybind11_state
        faults = (
            state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoSuchFile,
            state.NotImplemented, state.RuntimeException, ValueError,
        )  # fmt: skip
        try:
            source = model if isinstance(model, bytes) else str(model)
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except faults as error:
            raise BundleError(f"{_named(model)}: cannot be opened by ONNX Runtime ({error})") from error
        self.card = _card(self._session.get_modelmeta().custom_metadata_map, model)

    def logits(self, frames: UInt8) -> Floats:
        """(N) logits of (N, size, size, 3) uint8 canvases."""
        return np.asarray(self._session.run(["logit"], {"frames": frames})[0], np.float64)

    def answers(self, frames: UInt8) -> tuple[Floats, Floats]:
        """(N) logits and (N) probabilities as the graph itself computes them."""
        logit, probability = self._session.run(["logit", "probability"], {"frames": frames})
        return np.asarray(logit, np.float64), np.asarray(probability, np.float64)


class OpenVinoEngine:
    """An exported model in OpenVINO, on the processor, in single precision.

    Args:
        model: The file.
        threads: Threads of its kernels; 0 takes one per processor.

    Raises:
        MissingExtra: OpenVINO is not installed.
        BundleError: The file is no model that was exported here.
    """

    name = "openvino"

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtra("the engine openvino", extra="openvino") from error
        settings = {
            "INFERENCE_NUM_THREADS": threads or processors(),
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            read = openvino.Core().read_model(str(model))
            self._compiled = openvino.Core().compile_model(read, "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"{model}: cannot be opened by OpenVINO ({error})") from error
        self.card = _card(_openvino_metadata(read), model)

    def logits(self, frames: UInt8) -> Floats:
        """(N) logits of (N, size, size, 3) uint8 canvases."""
        return np.array(self._compiled(frames)["logit"], np.float64)


def check_engine(name: str) -> None:
    """Check the name of an engine.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: there is no such engine; take one of {', '.join(ENGINES)}")


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _card(metadata: dict[str, str], model: Path | bytes) -> ModelSpec:
    if CARD_KEY not in metadata:
        raise BundleError(f"{_named(model)}: was not written by `sonoproof export`; how to prepare frames is not in it")
    return ModelSpec.from_json(metadata[CARD_KEY])


def _openvino_metadata(model: Any) -> dict[str, str]:
    """The metadata of an ONNX file as OpenVINO keeps it."""
    if not model.has_rt_info(["framework", CARD_KEY]):
        return {}
    return {CARD_KEY: str(model.get_rt_info(["framework", CARD_KEY]).value)}


def _named(model: Path | bytes) -> str:
    return "the exported model" if isinstance(model, bytes) else str(model)
