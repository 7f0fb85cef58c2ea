"""Features of frames under a network, computed once and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from sonoproof.config import ModelConfig
from sonoproof.data.frames.frames import Frames
from sonoproof.manifest import fingerprint
from sonoproof.progress import SILENT, Progress
from sonoproof.runfolder import atomic_path
from sonoproof.sampling import evenly_spread
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import to_network
from sonoproof.training.layers import SETTLE_FRAMES, settle_batch_norm
from sonoproof.training.model import BinaryClassifier, resolve_device
from sonoproof.types import Float32Array, LoadFrames

BATCH = 32

LoadFeatures = Callable[[Sequence[str]], Float32Array]
"""Gives the features of image ids under the backbone: (N, D), in the order asked for."""


class FrameFeatures:
    """The backbone's features of a run's frames: computed for all of them when first asked for, and kept on disk.

    Args:
        frames: The frames.
        image_ids: All frames of the run.
        folder: Where features are kept.
        model: The backbone and where it runs.
        seed: Seed of a random backbone.
        progress: Told how many frames are done.
    """

    def __init__(
        self,
        frames: Frames,
        *,
        image_ids: Sequence[str],
        folder: Path,
        model: ModelConfig,
        seed: int,
        progress: Progress = SILENT.progress,
    ) -> None:
        self._frames, self._image_ids, self._folder = frames, image_ids, folder
        self._model, self._seed, self._progress = model, seed, progress

    def __call__(self, image_ids: Sequence[str]) -> Float32Array:
        """The features in the order asked for, (N, D)."""
        return self._table[[self._row_of[image_id] for image_id in image_ids]]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self._image_ids)}

    @cached_property
    def _table(self) -> Float32Array:
        classifier = self._backbone()
        content = fingerprint(self._frames.preprocessing.key(), self._frames.sha256(self._image_ids))
        names = "\0".join([network_key(classifier), content, *self._image_ids])
        path = self._folder / f"features-{hashlib.sha256(names.encode()).hexdigest()[:16]}.npy"
        if path.is_file():
            kept: Float32Array = np.load(path, allow_pickle=False)
            return kept
        device = resolve_device(self._model.device)
        features = extract_features(
            classifier, self._image_ids, load=self._frames, device=device, progress=self._progress
        )
        with atomic_path(path) as temporary:
            np.save(temporary, features, allow_pickle=False)
        return features

    def _backbone(self) -> BinaryClassifier:
        """The backbone; a random one is settled on the frames, or its signal would die out."""
        classifier = load_backbone(self._model, seed=self._seed, image_size=self._frames.preprocessing.size)
        if not classifier.architecture.pretrained:
            some = [self._image_ids[k] for k in evenly_spread(len(self._image_ids), SETTLE_FRAMES)]
            batches = (to_network(self._frames(some[k : k + BATCH])) for k in range(0, len(some), BATCH))
            settle_batch_norm(classifier, batches, device=torch.device("cpu"))
        return classifier


def network_key(classifier: BinaryClassifier) -> str:
    """Hash of everything that features depend on in a network: all weights but the last layer's."""
    head = {f"{name}." for name, module in classifier.network.named_modules() if module is classifier.head}
    digest = hashlib.sha256(repr(sorted(classifier.architecture.transformers_config.items())).encode())
    for name, tensor in sorted(classifier.network.state_dict().items()):
        if not any(name.startswith(prefix) for prefix in head):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def extract_features(
    classifier: BinaryClassifier,
    image_ids: Sequence[str],
    *,
    load: LoadFrames,
    device: torch.device,
    progress: Progress = SILENT.progress,
) -> Float32Array:
    """Features of frames under the network as it is, (N, D) float32 in the order of `image_ids`.

    Args:
        classifier: The network; it is put on the device and into evaluation mode.
        image_ids: The frames.
        load: Gives the frames.
        device: Where the network runs.
        progress: Told the frames done and the frames in all.
    """
    classifier = classifier.to(device).eval()
    parts = []
    for start in range(0, len(image_ids), BATCH):
        part = image_ids[start : start + BATCH]
        parts.append(classifier.features(to_network(load(part), device=device)).float().cpu().numpy())
        progress(start + len(part), len(image_ids))
    return np.concatenate(parts)
