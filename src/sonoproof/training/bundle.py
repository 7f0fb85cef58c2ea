"""The saved model: everything that predicting, explaining and exporting need, and nothing that runs on loading.

``weights.safetensors`` holds the numbers and ``model.json`` describes them, both written by training;
``decision.json`` and ``likeness.safetensors`` hold what was chosen afterwards. No file is a pickle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import safetensors.numpy
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sonoproof.classes import Classes
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import BundleError, RunFolderError
from sonoproof.runfolder import atomic_path, read_json, sha256_of_file, write_json
from sonoproof.training.ensemble import Classifier, Ensemble
from sonoproof.training.model import Architecture, BinaryClassifier, rebuild
from sonoproof.training.model_spec import ModelSpec
from sonoproof.training.novelty import NoveltyScorer
from sonoproof.training.verdict import Decision
from sonoproof.types import Json

WEIGHTS = "weights.safetensors"
SETTINGS = "model.json"
SCHEMA = "model"
# A version that knows single networks only must refuse an ensemble; a single network stays readable to it.
VERSION_WITH_MEMBERS = 2
DECISION = "decision.json"
DECISION_SCHEMA = "decision"
NOVELTY = "likeness.safetensors"

Content = TypeVar("Content")


@dataclass(frozen=True)
class ModelBundle:
    """A trained classifier with all it needs.

    Attributes:
        classifier: The network, or an ensemble of networks, in evaluation mode.
        spec: What turns its logits into answers.
        training: How it was trained (recipe, epoch chosen, …), for the reader.
    """

    classifier: Classifier
    spec: ModelSpec
    training: Mapping[str, Any] = field(default_factory=dict)


def save_bundle(bundle: ModelBundle, folder: Path) -> None:
    """Write the bundle; ``model.json`` after the weights, with their hash, so that half a bundle is noticed.

    What was chosen for earlier weights is removed: it does not hold for these.
    """
    forget_decision(folder)
    members, spec = bundle.classifier.members, bundle.spec
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(_tensors(members), temporary, metadata={"format": "pt"})
    write_json(
        folder / SETTINGS,
        {
            "architecture": dataclasses.asdict(bundle.classifier.architecture),
            **({"members": len(members)} if len(members) > 1 else {}),
            "classes": dataclasses.asdict(spec.classes),
            "preprocessing": spec.preprocessing.to_dict(),
            "cohort_sha256": spec.cohort_sha256,
            "training": bundle.training,
            "weights_sha256": sha256_of_file(folder / WEIGHTS),
        },
        schema=SCHEMA,
        version=VERSION_WITH_MEMBERS if len(members) > 1 else 1,
    )
    if spec.decision != Decision() or spec.novelty is not None:
        save_decision(spec.decision, folder, novelty=spec.novelty)


def save_decision(
    decision: Decision, folder: Path, *, novelty: NoveltyScorer | None = None, facts: Json | None = None
) -> list[Path]:
    """Write what was chosen after training beside the weights that it was chosen for.

    Args:
        decision: Calibration, operating point and abstention.
        folder: The folder of the saved model.
        novelty: What the training frames look like, if learned.
        facts: How it was chosen, for the reader.

    Returns:
        The files written.
    """
    forget_decision(folder)
    written = []
    if novelty is not None:
        with atomic_path(folder / NOVELTY) as temporary:
            safetensors.numpy.save_file(novelty.__dict__, temporary)
        written.append(folder / NOVELTY)
    hashes = {
        "weights_sha256": sha256_of_file(folder / WEIGHTS),
        "likeness_sha256": sha256_of_file(folder / NOVELTY) if novelty is not None else None,
    }
    write_json(folder / DECISION, {**dataclasses.asdict(decision), **(facts or {}), **hashes}, schema=DECISION_SCHEMA)
    return [*written, folder / DECISION]


def forget_decision(folder: Path) -> None:
    """Remove what was chosen for other weights."""
    for name in (DECISION, NOVELTY):
        (folder / name).unlink(missing_ok=True)


def load_bundle(folder: Path) -> ModelBundle:
    """Load a bundle written by `save_bundle`, with what `save_decision` added.

    Args:
        folder: The folder with ``model.json`` and ``weights.safetensors``, or a run folder that holds ``model/``.

    Raises:
        BundleError: It is missing or damaged, or a file is not the one that another names by its hash.
    """
    try:
        if not (folder / SETTINGS).is_file() and (folder / "model" / SETTINGS).is_file():
            folder = folder / "model"
        content = read_json(folder / SETTINGS, schema=SCHEMA)
        state = _load_tensors(folder / WEIGHTS, load_file, sha256=content["weights_sha256"], written_for=SETTINGS)
        spec = ModelSpec(
            classes=Classes.from_dict(content["classes"]),
            preprocessing=Preprocessing.from_dict(content["preprocessing"]),
            cohort_sha256=content["cohort_sha256"],
        )
        spec = _with_decision(spec, folder, weights_sha256=content["weights_sha256"])
        return ModelBundle(_rebuild(content, state), spec, training=content["training"])
    except (RunFolderError, PermissionError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder}: holds no usable model ({error})") from error


def _with_decision(spec: ModelSpec, folder: Path, *, weights_sha256: str) -> ModelSpec:
    """The specification with what was chosen for these weights, if anything was."""
    if not (folder / DECISION).is_file():
        return spec
    content = read_json(folder / DECISION, schema=DECISION_SCHEMA)
    if content["weights_sha256"] != weights_sha256:
        raise BundleError(f"{folder / DECISION}: was chosen for other weights; calibrate again")
    novelty = None
    if content["likeness_sha256"] is not None:
        sha256, load = content["likeness_sha256"], safetensors.numpy.load_file
        novelty = NoveltyScorer(**_load_tensors(folder / NOVELTY, load, sha256=sha256, written_for=DECISION))
    return dataclasses.replace(spec, decision=Decision.from_dict(content), novelty=novelty)


def _load_tensors(path: Path, load: Callable[[Path], Content], *, sha256: str, written_for: str) -> Content:
    """The content of a file of tensors, if its hash is the one that is recorded for it."""
    try:
        if sha256_of_file(path) != sha256:
            again = "train" if written_for == SETTINGS else "calibrate"
            raise BundleError(f"{path}: is not the file that {written_for} was written for; {again} again")
        return load(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read ({error})") from error


def _tensors(members: Sequence[BinaryClassifier]) -> dict[str, torch.Tensor]:
    """The tensors of all members by name; if there are several, each member's under its own prefix."""
    return {
        f"{prefix}{name}": tensor.detach().cpu().contiguous()
        for prefix, member in zip(_prefixes(len(members)), members, strict=True)
        for name, tensor in member.network.state_dict().items()
    }


def _prefixes(members: int) -> list[str]:
    return [f"member{number}." for number in range(members)] if members > 1 else [""]


def _rebuild(content: Json, state: dict[str, torch.Tensor]) -> Classifier:
    """The network, or the ensemble, from its description and its tensors."""
    described, members = dict(content["architecture"]), content.get("members", 1)
    described["mean"], described["std"] = tuple(described["mean"]), tuple(described["std"])
    if not isinstance(members, int) or members < 1:
        raise BundleError(f"the number of members must be 1 or more, not {members!r}")
    prefixes = _prefixes(members)
    strays = [name for name in state if not name.startswith(tuple(prefixes))]
    if strays:
        raise BundleError(f"the weights belong to no member of the ensemble of {members}: {strays[0]}")
    networks = [
        rebuild(
            Architecture(**described),
            {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)},
        )
        for prefix in prefixes
    ]
    return Ensemble(networks).eval() if members > 1 else networks[0]
