"""Features of the frames under a network, computed once and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sonoproof.runfolder import atomic_path
from sonoproof.training.batches import LoadFrames, to_network
from sonoproof.training.model import BinaryClassifier

__all__ = ["cached_features", "extract_features", "network_key"]

BATCH = 32


def cached_features(
    classifier: BinaryClassifier,
    *,
    image_ids: Sequence[str],
    load: LoadFrames,
    folder: Path,
    content_key: str,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Features of frames as they are, from the cache where they are known.

    Args:
        classifier: The network; its last layer does not matter.
        image_ids: The frames.
        load: Gives the frames.
        folder: Where features are kept.
        content_key: Names the content behind the image ids and their preprocessing.
        device: Where the network runs.
        progress: Told the frames done and the frames in all.

    Returns:
        (N, D) float32 features, in the order of `image_ids`.
    """
    key = hashlib.sha256("\0".join([network_key(classifier), content_key, *image_ids]).encode()).hexdigest()[:16]
    path = folder / f"features-{key}.npy"
    if path.is_file():
        kept: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
        return kept
    features = extract_features(classifier, image_ids=image_ids, load=load, device=device, progress=progress)
    with atomic_path(path) as temporary:
        np.save(temporary, features, allow_pickle=False)
    return features


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
    *,
    image_ids: Sequence[str],
    load: LoadFrames,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
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
        if progress is not None:
            progress(start + len(part), len(image_ids))
    return np.concatenate(parts)
