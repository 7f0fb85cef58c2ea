"""A run's model as one ONNX file that answers alone: scaling, network and calibration in the graph, the rest as text.

Decoding a file, bringing it to the canvas and the answer stay outside of the graph; the metadata describe how they are
done (`sonoproof.inference.onnx_metadata`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sonoproof.errors import BundleError, ConfigError, MissingExtra
from sonoproof.inference.engines import SPEC_KEY, OnnxRuntimeEngine
from sonoproof.inference.onnx_metadata import describe
from sonoproof.inference.parity import BATCHES, TOLERANCE, Parity, measure_parity
from sonoproof.runfolder import atomic_path

if TYPE_CHECKING:
    import onnx

    from sonoproof.training.bundle import ModelBundle


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
    content = to_onnx(bundle)
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


def to_onnx(bundle: ModelBundle) -> bytes:
    """The bytes of the ONNX file of a bundle, with its metadata.

    Raises:
        MissingExtra: The libraries of the extra ``export`` are not installed.
        BundleError: The backbone cannot be expressed in ONNX.
    """
    try:
        import onnx

        from sonoproof.inference.onnx_graph import add_probability
    except ImportError as error:
        raise MissingExtra("exporting a model", extra="export") from error
    model = _logit_graph(bundle)
    add_probability(model, bundle.spec.decision.calibration)
    onnx.helper.set_model_props(model, {SPEC_KEY: bundle.spec.to_json(), **describe(bundle.spec)})
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def require_parity(bundle: ModelBundle, content: bytes) -> Parity:
    """Compare an exported model with its bundle.

    Raises:
        BundleError: They differ by more than 1e-4.
    """
    parity = measure_parity(bundle, OnnxRuntimeEngine(content))
    if not parity.holds:
        raise BundleError(
            f"the exported model differs from the saved one by {parity.logit:.2g} in the logit and "
            f"{parity.probability:.2g} in the probability, more than {TOLERANCE:g} (frames of odd sizes, batches of "
            f"{', '.join(map(str, BATCHES))}); no file was written. Predict with --engine torch instead"
        )
    return parity


def _logit_graph(bundle: ModelBundle) -> onnx.ModelProto:
    """The graph from frames to the logit: written out where the backbone is a MobileNet V1, else by the exporter."""
    from sonoproof.inference.exporter import exported_graph
    from sonoproof.inference.mobilenet_graph import is_mobilenet_v1, mobilenet_graph

    classifier, size = bundle.classifier.to("cpu").eval(), bundle.spec.preprocessing.size
    if all(is_mobilenet_v1(member.network) for member in classifier.members):
        return mobilenet_graph(classifier.members, size=size)
    return exported_graph(classifier, size=size)
