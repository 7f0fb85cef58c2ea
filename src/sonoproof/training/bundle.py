"""The saved model: everything that predicting, explaining and exporting need, and nothing that runs on loading.

``weights.safetensors`` holds the numbers and ``model.json`` what they are, both written by training;
``decision.json`` and ``likeness.safetensors`` hold what was chosen after it. There is no pickle in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.numpy
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import BundleError, RunFolderError
from sonoproof.runfolder import atomic_path, read_json, sha256_of_file, write_json
from sonoproof.training.ensemble import Classifier, Ensemble
from sonoproof.training.model import Architecture, BinaryClassifier, rebuild
from sonoproof.training.novelty import NoveltyScorer
from sonoproof.training.verdict import Calibration, Decided, Decision, OperatingPoint

__all__ = [
    "Calibration",
    "Decision",
    "ModelBundle",
    "OperatingPoint",
    "forget_decision",
    "load_bundle",
    "save_bundle",
    "save_decision",
]

WEIGHTS = "weights.safetensors"
SETTINGS = "model.json"
SCHEMA = "model"
# A reader that knows one network only must refuse several; what holds one network stays readable to it.
VERSION_WITH_MEMBERS = 2
DECISION = "decision.json"
DECISION_SCHEMA = "decision"
LIKENESS = "likeness.safetensors"


@dataclass(frozen=True)
class ModelBundle(Decided):
    """A trained classifier with all it needs.

    Attributes:
        classifier: The network, or an ensemble of networks, in evaluation mode.
        negative: Name of the negative class.
        positive: Name of the positive class.
        preprocessing: How a frame becomes the network's input.
        decision: How a logit becomes a probability, a call and an answer.
        likeness: What the training frames look like; None where it was not learned.
        cohort_sha256: Hash of the records it was trained on.
        training: How it was trained (recipe, epoch chosen, …), for the reader.
    """

    classifier: Classifier
    negative: str
    positive: str
    preprocessing: Preprocessing
    decision: Decision = field(default_factory=Decision)
    likeness: NoveltyScorer | None = None
    cohort_sha256: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)


def save_bundle(bundle: ModelBundle, folder: Path) -> None:
    """Write the bundle; ``model.json`` after the weights, with their hash, so that half a bundle is noticed.

    What was chosen for earlier weights is removed: it does not hold for these.
    """
    forget_decision(folder)
    members = bundle.classifier.members
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(_state(members), temporary, metadata={"format": "pt"})
    write_json(
        folder / SETTINGS,
        {
            "architecture": dataclasses.asdict(bundle.classifier.architecture),
            **({"members": len(members)} if len(members) > 1 else {}),
            "classes": {"negative": bundle.negative, "positive": bundle.positive},
            "preprocessing": bundle.preprocessing.to_dict(),
            "cohort_sha256": bundle.cohort_sha256,
            "training": bundle.training,
            "weights_sha256": sha256_of_file(folder / WEIGHTS),
        },
        schema=SCHEMA,
        version=VERSION_WITH_MEMBERS if len(members) > 1 else 1,
    )
    if bundle.decision != Decision() or bundle.likeness is not None:
        save_decision(bundle.decision, folder, likeness=bundle.likeness)


def save_decision(
    decision: Decision, folder: Path, *, likeness: NoveltyScorer | None = None, facts: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write what was chosen after training beside the weights that it was chosen for.

    Args:
        decision: Calibration, operating point and abstention.
        folder: The folder of the saved model.
        likeness: What the training frames look like, if learned.
        facts: How it was chosen, for the reader.

    Returns:
        The files written.
    """
    forget_decision(folder)
    written = []
    if likeness is not None:
        with atomic_path(folder / LIKENESS) as temporary:
            safetensors.numpy.save_file(likeness.__dict__, temporary)
        written.append(folder / LIKENESS)
    hashes = {
        "weights_sha256": sha256_of_file(folder / WEIGHTS),
        "likeness_sha256": sha256_of_file(folder / LIKENESS) if likeness is not None else None,
    }
    write_json(folder / DECISION, {**dataclasses.asdict(decision), **(facts or {}), **hashes}, schema=DECISION_SCHEMA)
    return [*written, folder / DECISION]


def forget_decision(folder: Path) -> None:
    """Remove what was chosen for other weights."""
    for name in (DECISION, LIKENESS):
        (folder / name).unlink(missing_ok=True)


def load_bundle(folder: Path) -> ModelBundle:
    """Load a bundle written by `save_bundle`, with what `save_decision` added.

    Args:
        folder: The folder with ``model.json`` and ``weights.safetensors``, or a run folder that holds ``model/``.

    Raises:
        BundleError: It is missing, damaged, or a file is not the one that another names by its hash.
    """
    try:
        if not (folder / SETTINGS).is_file() and (folder / "model" / SETTINGS).is_file():
            folder = folder / "model"
        content = read_json(folder / SETTINGS, schema=SCHEMA)
        state = _checked_weights(folder / WEIGHTS, sha256=content["weights_sha256"])
        decision, likeness = _decided(folder, weights_sha256=content["weights_sha256"])
        return _assemble(content, state, decision=decision, likeness=likeness)
    except (RunFolderError, PermissionError, KeyError, TypeError) as error:
        raise BundleError(f"{folder}: holds no usable model ({error})") from error


def _checked_weights(path: Path, *, sha256: str) -> dict[str, torch.Tensor]:
    try:
        if sha256_of_file(path) != sha256:
            raise BundleError(f"{path}: the weights are not those that {SETTINGS} was written for; train again")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read ({error})") from error


def _decided(folder: Path, *, weights_sha256: str) -> tuple[Decision, NoveltyScorer | None]:
    """What was chosen for these weights; nothing where nothing was."""
    if not (folder / DECISION).is_file():
        return Decision(), None
    content = read_json(folder / DECISION, schema=DECISION_SCHEMA)
    if content["weights_sha256"] != weights_sha256:
        raise BundleError(f"{folder / DECISION}: was chosen for other weights; calibrate again")
    return Decision.from_dict(content), _checked_likeness(folder / LIKENESS, sha256=content["likeness_sha256"])


def _checked_likeness(path: Path, *, sha256: str | None) -> NoveltyScorer | None:
    if sha256 is None:
        return None
    try:
        if sha256_of_file(path) != sha256:
            raise BundleError(f"{path}: is not the file that {DECISION} was written for; calibrate again")
        return NoveltyScorer(**safetensors.numpy.load_file(path))
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read ({error})") from error


def _state(members: Sequence[BinaryClassifier]) -> dict[str, torch.Tensor]:
    """The tensors of all members by name; of several, each under its own prefix."""
    return {
        f"{_prefix(number, of=len(members))}{name}": tensor.detach().cpu().contiguous()
        for number, member in enumerate(members)
        for name, tensor in member.network.state_dict().items()
    }


def _prefix(number: int, *, of: int) -> str:
    return f"member{number}." if of > 1 else ""


def _rebuilt(architecture: Architecture, state: Mapping[str, torch.Tensor], *, members: int) -> Classifier:
    if not isinstance(members, int) or members < 1:
        raise BundleError(f"the number of members must be 1 or more, not {members!r}")
    if members == 1:
        return rebuild(architecture, dict(state))
    prefixes = [_prefix(number, of=members) for number in range(members)]
    strays = [name for name in state if not name.startswith(tuple(prefixes))]
    if strays:
        raise BundleError(f"the weights belong to no member of the ensemble of {members}: {strays[0]}")
    return Ensemble([rebuild(architecture, _of_member(state, prefix)) for prefix in prefixes]).eval()


def _of_member(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _assemble(
    content: Mapping[str, Any], state: dict[str, torch.Tensor], *, decision: Decision, likeness: NoveltyScorer | None
) -> ModelBundle:
    described = dict(content["architecture"])
    described["mean"], described["std"] = tuple(described["mean"]), tuple(described["std"])
    return ModelBundle(
        classifier=_rebuilt(Architecture(**described), state, members=content.get("members", 1)),
        negative=content["classes"]["negative"],
        positive=content["classes"]["positive"],
        preprocessing=Preprocessing.from_dict(content["preprocessing"]),
        decision=decision,
        likeness=likeness,
        cohort_sha256=content["cohort_sha256"],
        training=content["training"],
    )
