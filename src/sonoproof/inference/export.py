"""A run's model as one ONNX file that answers alone: scaling, network and calibration in the graph, the rest as text.

Decoding a file, bringing it to the canvas and the answer stay outside of the graph; how is written in the metadata
(`sonoproof.inference.onnx_metadata`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sonoproof.errors import BundleError, ConfigError, MissingExtra
from sonoproof.inference.engines import CARD_KEY, OnnxRuntimeEngine, TorchEngine
from sonoproof.inference.model_spec import ModelSpec
from sonoproof.inference.onnx_metadata import words_of
from sonoproof.inference.parity import BATCHES, TOLERANCE, Parity, measure_parity
from sonoproof.runfolder import atomic_path
from sonoproof.training.model import resolve_device
from sonoproof.training.verdict import calibrated

if TYPE_CHECKING:
    import onnx

    from sonoproof.training.bundle import ModelBundle

__all__ = ["check_export_name", "export_onnx", "require_parity", "serialised"]

Floats = npt.NDArray[np.float64]


def export_onnx(bundle: ModelBundle, *, out: Path) -> Parity:
    """Write a bundle as an ONNX file, if the file answers as the bundle does.

    Args:
        bundle: The model.
        out: The file to write, ``.onnx``.

    Returns:
        The largest differences from the bundle on the parity set.

    Raises:
        ConfigError: The file has another ending.
        MissingExtra: The libraries of the extra ``export`` are not installed.
        BundleError: The exported model differs from the bundle by more than 1e-4; no file is written.
    """
    check_export_name(out)
    content = serialised(bundle)
    parity = require_parity(bundle, content)
    with atomic_path(out) as temporary:
        temporary.write_bytes(content)
    return parity


def check_export_name(out: Path) -> None:
    """Check that a model can be exported to a file of this name.

    Raises:
        ConfigError: The name has another ending.
    """
    if out.suffix.lower() != ".onnx":
        raise ConfigError(f"{out}: a model is exported as ONNX; name the file *.onnx")


def serialised(bundle: ModelBundle) -> bytes:
    """The bytes of the ONNX file of a bundle, with its metadata.

    Raises:
        MissingExtra: The libraries of the extra ``export`` are not installed.
    """
    try:
        import onnx

        from sonoproof.inference.mobilenet_graph import classifier_graph
    except ImportError as error:
        raise MissingExtra("exporting a model", extra="export") from error
    model = classifier_graph(bundle)
    _describe(model, ModelSpec.of_bundle(bundle))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def require_parity(bundle: ModelBundle, content: bytes) -> Parity:
    """Compare an exported model with its bundle.

    Raises:
        BundleError: They differ by more than 1e-4.
    """
    exported = OnnxRuntimeEngine(content)
    loaded = TorchEngine(bundle, device=resolve_device("cpu"))

    def reference(frames: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        logits = loaded.logits(frames)
        return logits, calibrated(logits, calibration=bundle.calibration)

    parity = measure_parity(
        reference, exported.answers, wanted=bundle.preprocessing, stated=exported.card.preprocessing
    )
    if not parity.holds:
        raise BundleError(
            f"the exported model differs from the saved one by {parity.logit:.2g} in the logit and "
            f"{parity.probability:.2g} in the probability, more than {TOLERANCE:g} (frames of odd sizes, batches of "
            f"{', '.join(map(str, BATCHES))}); no file was written. Predict with --engine torch instead"
        )
    return parity


def _describe(model: onnx.ModelProto, card: ModelSpec) -> None:
    """Say in the metadata what the graph takes and gives, for Sonoproof (`CARD_KEY`) and for any other reader."""
    import onnx

    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json(), **words_of(card)})
