"""What computes logits: PyTorch, ONNX Runtime or OpenVINO, behind one interface; each is imported when it is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sonoproof.errors import BundleError, MissingExtra
from sonoproof.training.model_spec import ModelSpec
from sonoproof.types import FloatArray, UInt8Array

if TYPE_CHECKING:
    from sonoproof.training.bundle import ModelBundle

SPEC_KEY = "sonoproof"


class Engine(Protocol):
    """A network that is ready to answer.

    Attributes:
        name: The engine's name on the command line.
        spec: What turns its logits into answers.
    """

    name: str
    spec: ModelSpec

    def logits(self, frames: UInt8Array) -> FloatArray:
        """(N) logits of the positive class, before calibration, of (N, size, size, 3) uint8 canvases."""


class TorchEngine:
    """The bundle itself, in PyTorch.

    Args:
        bundle: The model.
        device: Where it runs: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: ``cuda`` was asked for and there is none.
    """

    name = "torch"

    def __init__(self, bundle: ModelBundle, *, device: str = "auto") -> None:
        from sonoproof.training.model import resolve_device

        self.spec = bundle.spec
        self._device = resolve_device(device)
        self._classifier = bundle.classifier.to(self._device).eval()

    def logits(self, frames: UInt8Array) -> FloatArray:
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
        BundleError: The file is not a model that Sonoproof exported.
    """

    name = "onnxruntime"

    def __init__(self, model: Path | bytes, *, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("the engine onnxruntime", extra="export") from error
        kinds = vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        faults: tuple[type[Exception], ...] = (
            *(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)),
            ValueError,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or processors()
        try:
            source = model if isinstance(model, bytes) else str(model)
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except faults as error:
            raise BundleError(f"{_named(model)}: cannot be opened by ONNX Runtime ({error})") from error
        self.spec = _read_spec(self._session.get_modelmeta().custom_metadata_map, model)

    def logits(self, frames: UInt8Array) -> FloatArray:
        """(N) logits of (N, size, size, 3) uint8 canvases."""
        return np.asarray(self._session.run(["logit"], {"frames": frames})[0], np.float64)

    def outputs(self, frames: UInt8Array) -> tuple[FloatArray, FloatArray]:
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
        BundleError: The file is not a model that Sonoproof exported.
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
        self.spec = _read_spec(_openvino_metadata(read), model)

    def logits(self, frames: UInt8Array) -> FloatArray:
        """(N) logits of (N, size, size, 3) uint8 canvases."""
        return np.array(self._compiled(frames)["logit"], np.float64)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_spec(metadata: dict[str, str], model: Path | bytes) -> ModelSpec:
    if SPEC_KEY not in metadata:
        raise BundleError(
            f"{_named(model)}: was not written by `sonoproof export`, so it does not say how to prepare frames"
        )
    return ModelSpec.from_json(metadata[SPEC_KEY])


def _openvino_metadata(model: Any) -> dict[str, str]:
    """The metadata of an ONNX file as OpenVINO keeps it."""
    if not model.has_rt_info(["framework", SPEC_KEY]):
        return {}
    return {SPEC_KEY: str(model.get_rt_info(["framework", SPEC_KEY]).value)}


def _named(model: Path | bytes) -> str:
    return "the exported model" if isinstance(model, bytes) else str(model)
