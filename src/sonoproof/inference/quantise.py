"""The exported model in 8-bit integers, and the gate that it must pass on frames that had no part in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from sonoproof.errors import BundleError, MissingExtra
from sonoproof.types import BoolArray, FloatArray, UInt8Array

MAX_AUC_CHANGE = 0.002
MAX_MEAN_CHANGE = 0.01


@dataclass(frozen=True)
class Change:
    """What 8-bit integers change on validation frames.

    Attributes:
        auc_before: AUC of the model in single precision; NaN where all frames are of one class.
        auc_after: AUC in 8-bit integers.
        mean_change: Mean absolute change of the probability.
        frames: Number of frames.
    """

    auc_before: float
    auc_after: float
    mean_change: float
    frames: int

    def __str__(self) -> str:
        return (
            f"on {self.frames} validation frames the AUC goes from {self.auc_before:.4f} to {self.auc_after:.4f} "
            f"and the probability changes by {self.mean_change:.4f} on average"
        )


def quantise(content: bytes, *, frames: UInt8Array) -> bytes:
    """An exported model with its convolutions in 8-bit integers, weights by channel.

    Args:
        content: The ONNX file in single precision.
        frames: (N, size, size, 3) uint8 canvases from which the ranges of the activations are taken.

    Raises:
        MissingExtra: ONNX Runtime or onnx is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtra("exporting in 8-bit integers", extra="export") from error
    with tempfile.TemporaryDirectory() as folder:
        given, prepared, out = (Path(folder) / name for name in ("given.onnx", "prepared.onnx", "int8.onnx"))
        given.write_bytes(content)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            out,
            _Frames(frames),
            quant_format=QuantFormat.QDQ,
            # With Clip among them a convolution and its activation share one range, 0 to 6, and become one kernel.
            op_types_to_quantize=["Conv", "Clip", "Gemm"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        model = onnx.load(out)
    described = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    onnx.helper.set_model_props(model, {**described, "precision": "int8"})
    whole: bytes = model.SerializeToString()
    return whole


def compare(before: FloatArray, after: FloatArray, *, positive: BoolArray) -> Change:
    """Compare (N) probabilities before and after, of rows whose class is known."""
    both = bool(positive.any() and not positive.all())
    return Change(
        auc_before=float(roc_auc_score(positive, before)) if both else float("nan"),
        auc_after=float(roc_auc_score(positive, after)) if both else float("nan"),
        mean_change=float(np.mean(np.abs(after - before))),
        frames=len(positive),
    )


def require_small(change: Change, *, engine: str) -> None:
    """The gate.

    Args:
        change: What was measured.
        engine: The engine that it was measured with.

    Raises:
        BundleError: The AUC changes by more than 0.002 or is undefined, or the probability by 0.01 or more.
    """
    auc_holds = abs(change.auc_after - change.auc_before) <= MAX_AUC_CHANGE  # false where it is NaN
    if not (auc_holds and change.mean_change < MAX_MEAN_CHANGE):
        raise BundleError(
            f"8-bit integers change this model too much: in {engine}, {change} (allowed: {MAX_AUC_CHANGE:g} and "
            f"{MAX_MEAN_CHANGE:g}); no file was written. Export without --int8"
        )


class _Frames:
    """What the quantiser reads: one batch after another, then None."""

    def __init__(self, frames: UInt8Array) -> None:
        self._rest: Iterator[UInt8Array] = (frames[k : k + 8] for k in range(0, len(frames), 8))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._rest, None)
        return None if batch is None else {"frames": batch}
