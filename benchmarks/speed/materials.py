"""What both sides are given: the same phantom frames as JPEG, the same weights, a run folder to predict with."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from sonoproof.classes import Classes
from sonoproof.config import ModelConfig, SheetConfig, load_config
from sonoproof.data.cohort.cohort import build_cohort
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.explanation.attribution import ClassLogit, logit_gradients
from sonoproof.inference.export import export_onnx
from sonoproof.inference.quantise import quantise
from sonoproof.phantom import PhantomConfig, write_cohort
from sonoproof.pipeline import run
from sonoproof.runfolder import RunFolder, atomic_path
from sonoproof.stages.context import Inputs
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import to_network
from sonoproof.training.bundle import ModelBundle, load_bundle, save_bundle
from sonoproof.training.layers import settle_batch_norm
from sonoproof.training.model import BinaryClassifier
from sonoproof.training.model_spec import SPEC_VERSION, ModelSpec

__all__ = ["FRAMES", "SIDES_PX", "SIZE", "Materials", "prepare_materials", "write_peer_weights"]

SIZE = 224
FRAMES = 96
SIDES_PX = {"800x600": (800, 600), "300x300": (300, 300)}
SEED = 11
MATERIALS_VERSION = 3  # raised whenever other materials would be made
TRAINING_STEPS, TRAINING_RATE = 40, 1e-3
# Frames explained, the completeness gap wanted, and the finest even path on which the peer's points are looked for.
IG_FRAMES, IG_TOLERANCE, IG_FINEST = 4, 0.05, 960


@dataclasses.dataclass(frozen=True)
class Materials:
    """Where the materials are.

    Attributes:
        folder: Of all of them.
    """

    folder: Path

    @property
    def model(self) -> Path:
        """A folder with a saved model, MobileNet V1 1.0 224."""
        return self.folder / "model"

    @property
    def weights(self) -> Path:
        """The same weights for the peer: arrays in the order of the layers, channels last."""
        return self.folder / "weights.npz"

    @property
    def canvases(self) -> Path:
        """Eight frames as the network takes them, for the comparison of answers and for attribution."""
        return self.folder / "canvases.npz"

    @property
    def even_path(self) -> Path:
        """How many parts of an even path bring every explained frame to the gap wanted, and the gaps there."""
        return self.folder / "even_path.json"

    @property
    def int8(self) -> Path:
        """The exported model in 8-bit integers."""
        return self.folder / "int8.onnx"

    @property
    def explained(self) -> Path:
        """A small finished run, whose ten explanations are drawn."""
        return self.folder / "explained"

    def frames(self, kind: str) -> Path:
        """The folder of JPEG frames of a kind of `SIDES_PX`."""
        return self.folder / kind


def prepare_materials(folder: Path) -> Materials:
    """Make the materials, unless they are there."""
    materials = Materials(folder)
    ready = folder / "ready.json"
    wanted = json.dumps({"frames": FRAMES, "size": SIZE, "materials": MATERIALS_VERSION, "card": SPEC_VERSION})
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return materials
    if ready.is_file():  # of another version
        shutil.rmtree(folder)
    _write_frames(materials)
    bundle = _write_model(materials)
    write_peer_weights(bundle.classifier.members[0], materials.weights)
    _write_even_path(materials, bundle.classifier)
    _write_explained(materials)
    ready.write_text(wanted, encoding="utf-8")
    return materials


def _write_frames(materials: Materials) -> None:
    cohort = materials.folder / "cohort"
    if not (cohort / "truth.json").is_file():
        write_cohort(cohort, config=PhantomConfig(patients=8, frames_per_patient=3, size_px=800, seed=SEED))
    originals = [_read(path) for path in sorted((cohort / "images").glob("*.jpg"))]
    for kind, (width, height) in SIDES_PX.items():
        materials.frames(kind).mkdir(parents=True, exist_ok=True)
        for number in range(FRAMES):
            frame = _variant(originals[number % len(originals)], number // len(originals))
            resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            path = materials.frames(kind) / f"{number:03d}.jpg"
            path.write_bytes(cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())


def _variant(frame: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.uint8]:
    """The frame, mirrored and cropped a little, so that no two files are the same."""
    mirrored = frame[:, ::-1] if number % 2 else frame
    return np.ascontiguousarray(mirrored[4 * number : frame.shape[0] - 4 * number])


def _read(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)


def _write_model(materials: Materials) -> ModelBundle:
    """A network trained for a few steps: enough for logits that rise along a path, which attribution needs."""
    preprocessing = Preprocessing(SIZE, aspect="stretch")
    paths = sorted(materials.frames("300x300").glob("*.jpg"))
    canvases = np.stack([preprocessing(np.ascontiguousarray(_read(path)[..., ::-1])) for path in paths])
    classifier = load_backbone(ModelConfig(backbone="random", width=1.0), seed=SEED, image_size=SIZE)
    _train(classifier, to_network(canvases), _targets(materials))
    settle_batch_norm(classifier, [to_network(canvases[:32])], device=torch.device("cpu"))
    bundle = ModelBundle(classifier.eval(), ModelSpec(Classes("healthy", "unhealthy"), preprocessing))
    save_bundle(bundle, materials.model)
    np.savez(materials.canvases, canvases=canvases[:8])
    exported = materials.folder / "fp32.onnx"
    export_onnx(bundle, out=exported)
    with atomic_path(materials.int8) as temporary:
        temporary.write_bytes(quantise(exported.read_bytes(), frames=canvases[:32]))
    return load_bundle(materials.model)


def _targets(materials: Materials) -> torch.Tensor:
    """The classes of the frames that `_write_frames` wrote, in their order."""
    cohort = materials.folder / "cohort"
    records = build_cohort(cohort / "labels.xlsx", images=cohort / "images", config=SheetConfig()).records
    by_name = {Path(path).name: label for path, label in zip(records["path"], records["label"], strict=True)}
    labels = [by_name[path.name] for path in sorted((cohort / "images").glob("*.jpg"))]
    return torch.tensor([float(labels[number % len(labels)] == "unhealthy") for number in range(FRAMES)])


def _train(classifier: BinaryClassifier, frames: torch.Tensor, targets: torch.Tensor) -> None:
    """At half the resolution, which costs a quarter."""
    optimizer = torch.optim.Adam(classifier.train().parameters(), lr=TRAINING_RATE)
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(TRAINING_STEPS):
        some = torch.randperm(FRAMES, generator=generator)[:16]
        optimizer.zero_grad()
        logits = classifier(F.avg_pool2d(frames[some], 2))
        loss = F.binary_cross_entropy_with_logits(logits, targets[some])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def write_peer_weights(classifier: BinaryClassifier, path: Path) -> None:
    """Write the weights for the peer.

    Kernels as (height, width, in, out), depthwise ones as (height, width, in, 1), then the four of batch norm.
    """
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    state = {name: tensor.detach().numpy() for name, tensor in classifier.network.state_dict().items()}
    kernels = [name for name in state if name.endswith("convolution.weight")]
    for number, name in enumerate(kernels):
        depthwise = state[name].shape[1] == 1
        arrays[f"{number:02d}_kernel"] = state[name].transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        norm = name.replace("convolution.weight", "normalization.")
        for part in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{number:02d}_{part}"] = state[norm + part]
    arrays["head_kernel"], arrays["head_bias"] = state["classifier.weight"].T, state["classifier.bias"]
    np.savez(path, allow_pickle=False, **arrays)


def _write_even_path(materials: Materials, classifier: nn.Module) -> None:
    """The peer sets one number of points for all frames, as its tutorial does: here the fewest that do for each."""
    logit = ClassLogit(classifier, positive=True)
    frames = to_network(np.load(materials.canvases)["canvases"][:IG_FRAMES])
    gaps = [_gaps_of_even_paths(logit, frame) for frame in frames]
    enough = (parts for parts in gaps[0] if all(of_frame[parts] <= IG_TOLERANCE for of_frame in gaps))
    parts = next(enough, IG_FINEST)
    content = {"parts": parts, "gaps": [of_frame[parts] for of_frame in gaps]}
    materials.even_path.write_text(json.dumps(content), encoding="utf-8")


def _gaps_of_even_paths(logit: ClassLogit, frame: torch.Tensor) -> dict[int, float]:
    """Completeness gaps of the trapezoid rule from black by the number of even parts, each a divisor of the finest."""
    direction, logits, slopes = frame + 1.0, [], []
    for alphas in torch.split(torch.linspace(0.0, 1.0, IG_FINEST + 1), 32):
        values, gradients = logit_gradients(logit, -1.0 + alphas[:, None, None, None] * direction)
        logits.append(values.double())
        slopes.append((gradients * direction).sum(dim=(1, 2, 3)).double())
    rise, slope = torch.cat(logits), torch.cat(slopes)
    difference = float(rise[-1] - rise[0])
    gaps = {}
    for parts in (number for number in range(10, IG_FINEST + 1) if IG_FINEST % number == 0):
        some = slope[:: IG_FINEST // parts]
        gaps[parts] = abs(float(((some[1:] + some[:-1]) / 2).mean()) - difference) / abs(difference)
    return gaps


def _write_explained(materials: Materials) -> None:
    cohort = materials.folder / "small"
    if not (cohort / "truth.json").is_file():
        write_cohort(cohort, config=PhantomConfig(patients=48, frames_per_patient=2, size_px=224, seed=SEED))
    settings = [
        "model.backbone=random", "model.width=0.25", "fit.epochs=1", "audit.probes=false", "audit.lookalikes=false",
        "explain.top=5", "explain.errors=0", "explain.steps=33", "explain.dpi=50", "evaluate.resamples=100",
    ]  # fmt: skip
    inputs = Inputs(sheet=cohort / "labels.xlsx", images=cohort / "images")
    resume = (materials.explained / "manifest.json").is_file()
    run(materials.explained, inputs=inputs, config=load_config(settings=settings), reporter=_Silent(), resume=resume)
    explained = [RunFolder(materials.explained).explanations(part) for part in ("val", "test")]
    if sum(len(list(folder.glob("*.npz"))) for folder in explained) != 10:
        raise FileNotFoundError(f"{materials.explained}: the run did not explain five frames of either part")


class _Silent:
    def stage(self, name: str) -> None: ...

    def say(self, line: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...
