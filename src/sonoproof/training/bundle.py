"""The saved model: everything that predicting, explaining and exporting need, and nothing that runs on loading.

``weights.safetensors`` holds the numbers, ``model.json`` the rest. There is no pickle in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sonoproof.data.preprocessing import Preprocessing
from sonoproof.errors import BundleError, RunFolderError
from sonoproof.runfolder import atomic_path, read_json, sha256_of_file, write_json
from sonoproof.training.decision import Calibration, OperatingPoint
from sonoproof.training.model import Architecture, BinaryClassifier, rebuild

__all__ = ["Calibration", "ModelBundle", "OperatingPoint", "load_bundle", "save_bundle"]

WEIGHTS = "weights.safetensors"
SETTINGS = "model.json"
SCHEMA = "model"


@dataclass(frozen=True)
class ModelBundle:
    """A trained classifier with all it needs.

    Attributes:
        classifier: The network in evaluation mode.
        negative: Name of the negative class.
        positive: Name of the positive class.
        preprocessing: How a frame becomes the network's input.
        calibration: How a logit becomes a probability.
        operating_point: From which probability a frame is called positive.
        cohort_sha256: Hash of the records it was trained on.
        training: How it was trained (recipe, epoch chosen, …), for the reader.
    """

    classifier: BinaryClassifier
    negative: str
    positive: str
    preprocessing: Preprocessing
    calibration: Calibration = field(default_factory=Calibration)
    operating_point: OperatingPoint = field(default_factory=OperatingPoint)
    cohort_sha256: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)


def save_bundle(bundle: ModelBundle, folder: Path) -> None:
    """Write the bundle; ``model.json`` last, with the hash of the weights, so that half a bundle is noticed."""
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in bundle.classifier.network.state_dict().items()
    }
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
    write_json(
        folder / SETTINGS,
        {
            "architecture": dataclasses.asdict(bundle.classifier.architecture),
            "classes": {"negative": bundle.negative, "positive": bundle.positive},
            "preprocessing": bundle.preprocessing.to_dict(),
            "calibration": dataclasses.asdict(bundle.calibration),
            "operating_point": dataclasses.asdict(bundle.operating_point),
            "cohort_sha256": bundle.cohort_sha256,
            "training": bundle.training,
            "weights_sha256": sha256_of_file(folder / WEIGHTS),
        },
        schema=SCHEMA,
    )


def load_bundle(folder: Path) -> ModelBundle:
    """Load a bundle written by `save_bundle`.

    Args:
        folder: The folder with ``model.json`` and ``weights.safetensors``, or a run folder that holds ``model/``.

    Raises:
        BundleError: It is missing, damaged, or its weights are not those that ``model.json`` names.
    """
    if not (folder / SETTINGS).is_file() and (folder / "model" / SETTINGS).is_file():
        folder = folder / "model"
    try:
        content = read_json(folder / SETTINGS, schema=SCHEMA)
        state = _checked_weights(folder / WEIGHTS, sha256=content["weights_sha256"])
        return _assemble(content, state)
    except (RunFolderError, KeyError, TypeError) as error:
        raise BundleError(f"{folder}: holds no usable model ({error})") from error


def _checked_weights(path: Path, *, sha256: str) -> dict[str, torch.Tensor]:
    try:
        if sha256_of_file(path) != sha256:
            raise BundleError(f"{path}: the weights are not those that {SETTINGS} was written for; train again")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read ({error})") from error


def _assemble(content: Mapping[str, Any], state: dict[str, torch.Tensor]) -> ModelBundle:
    described = dict(content["architecture"])
    described["mean"], described["std"] = tuple(described["mean"]), tuple(described["std"])
    return ModelBundle(
        classifier=rebuild(Architecture(**described), state),
        negative=content["classes"]["negative"],
        positive=content["classes"]["positive"],
        preprocessing=Preprocessing.from_dict(content["preprocessing"]),
        calibration=Calibration(**content["calibration"]),
        operating_point=OperatingPoint(**content["operating_point"]),
        cohort_sha256=content["cohort_sha256"],
        training=content["training"],
    )
