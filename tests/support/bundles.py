"""Small networks with everything that a saved model has, and frames for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from sonoproof.classes import Classes
from sonoproof.config import ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import to_network
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.ensemble import Ensemble
from sonoproof.training.layers import settle_batch_norm
from sonoproof.training.model_spec import ModelSpec
from sonoproof.training.novelty import fit_novelty
from sonoproof.training.verdict import Abstention, Calibration, Decision, OperatingPoint


def lively_bundle(*, size: int, seed: int = 0) -> ModelBundle:
    """A small network whose batch norm statistics are those of frames, so that its answers differ by frame."""
    classifier = load_backbone(ModelConfig(backbone="random", width=0.25), seed=seed, image_size=size).eval()
    noise = np.random.default_rng(seed).integers(0, 255, (16, size, size, 3))
    darker = (noise * np.linspace(0.1, 1.0, 16)[:, None, None, None]).astype(np.uint8)
    settle_batch_norm(classifier, [to_network(darker)], device=torch.device("cpu"))
    # Logits of this size differ between engines by far less than the 1e-4 that an export may, on any processor.
    nn.init.normal_(classifier.head.weight, 0.0, 0.03, generator=torch.Generator().manual_seed(seed))
    spec = ModelSpec(
        Classes("healthy", "unhealthy"),
        Preprocessing(size),
        decision=Decision(
            Calibration(method="platt", slope=0.7, intercept=-0.2, chosen_on="set-aside rows"),
            OperatingPoint(threshold=0.35, policy="fixed", chosen_on="set before training"),
            Abstention(error=0.1, quantile=0.45),
        ),
        novelty=fit_novelty(darker, held_out=darker[::2], groups=np.arange(8)),
        cohort_sha256="cohort",
    )
    return ModelBundle(classifier, spec)


def lively_ensemble(*, size: int, members: int = 3) -> ModelBundle:
    """Several small networks as one."""
    bundles = [lively_bundle(size=size, seed=seed) for seed in range(members)]
    classifier = Ensemble([network for bundle in bundles for network in bundle.classifier.members]).eval()
    return dataclasses.replace(bundles[0], classifier=classifier)


def with_spec(bundle: ModelBundle, **changes: Any) -> ModelBundle:
    """The same network with another specification."""
    return dataclasses.replace(bundle, spec=dataclasses.replace(bundle.spec, **changes))


def write_frames(folder: Path) -> list[Path]:
    """Seven frames of different sizes, and one file that is no image."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    paths = [folder / f"{k}.png" for k in range(7)]
    for k, path in enumerate(paths):
        Image.fromarray(rng.integers(0, 60 + 25 * k, (40 + 11 * k, 90 - 7 * k, 3), dtype=np.uint8)).save(path)
    broken = folder / "broken.png"
    broken.write_bytes(b"no image")
    return [*paths[:3], broken, *paths[3:]]
