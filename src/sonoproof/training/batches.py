"""Batches of frames in an order that depends on (seed, epoch) alone, prepared while the network works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from sonoproof.training.augmentation import Augmentation, augment, augment_on_device, draw

__all__ = ["Batch", "FeatureBatches", "LoadFrames", "OrderedBatches", "Rows", "ShuffledBatches", "to_network"]

# Image ids in, (N, H, W, 3) uint8 frames of the network's size out, in the order asked for.
LoadFrames = Callable[[Sequence[str]], npt.NDArray[np.uint8]]
# (N, 3, H, W) frames or (N, D) features, and (N) targets.
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to measure on.

    Attributes:
        image_ids: (N) the frames.
        targets: (N) 1.0 for the positive class, 0.0 for the negative.
        groups: (N) names of their groups.
    """

    image_ids: tuple[str, ...]
    targets: npt.NDArray[np.float32]
    groups: tuple[str, ...]

    @classmethod
    def from_records(cls, table: pd.DataFrame, *, positive: str) -> Self:
        """The rows of a table with ``image_id``, ``label`` and ``group``; `positive` names the positive class."""
        targets = (table["label"] == positive).to_numpy().astype(np.float32)
        return cls(image_ids=tuple(table["image_id"]), targets=targets, groups=tuple(table["group"]))

    def __len__(self) -> int:
        return len(self.image_ids)


def to_network(frames: npt.NDArray[np.uint8], *, device: torch.device | None = None) -> Tensor:
    """Frames as the network takes them.

    Args:
        frames: (N, H, W, 3) uint8.
        device: Where the tensor goes; None for the CPU.

    Returns:
        (N, 3, H, W) float32 in [-1, 1], ``x / 127.5 - 1``, in channels-last memory: the frames' own layout.
    """
    tensor = torch.from_numpy(frames).to(device)
    return tensor.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)


class OrderedBatches:
    """Frames as they are, in the order given.

    Args:
        rows: The rows.
        load: Gives the frames.
        batch: Frames a batch at most.
        device: Where the batches go; None for the CPU.
    """

    def __init__(self, rows: Rows, *, load: LoadFrames, batch: int, device: torch.device | None = None) -> None:
        self.rows = rows
        self._load = load
        self._device = device
        self._parts = _equal_parts(np.arange(len(rows)), batch=batch)

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        return _ahead(self._prepare, self._parts)

    def _prepare(self, part: npt.NDArray[np.int64]) -> Batch:
        frames = self._load([self.rows.image_ids[k] for k in part])
        return to_network(frames, device=self._device), torch.from_numpy(self.rows.targets[part])


class FeatureBatches:
    """Features that are known, in place of the frames they are of; all rows in one batch.

    Args:
        features: (N, D) what the last layer sees.
        targets: (N) 1.0 for the positive class, 0.0 for the negative.
    """

    def __init__(self, features: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]) -> None:
        self._batch = torch.from_numpy(features), torch.from_numpy(targets)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Batch]:
        yield self._batch


class ShuffledBatches:
    """Augmented frames, shuffled anew each epoch.

    Args:
        rows: The rows.
        load: Gives the frames.
        batch: Frames a batch, about: batches are of equal size, so that none is too small for batch norm.
        augmentation: How frames are changed; its seed is also that of the order.
        epoch: Tells the number of the epoch when a pass begins.
        device: Where the batches go; on a GPU frames are sent as bytes and changed there. None for the CPU.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        load: LoadFrames,
        batch: int,
        augmentation: Augmentation,
        epoch: Callable[[], int],
        device: torch.device | None = None,
    ) -> None:
        self.rows = rows
        self._load = load
        self._batch = batch
        self._augmentation = augmentation
        self._epoch = epoch
        self._device = device or torch.device("cpu")

    def __len__(self) -> int:
        return len(_equal_parts(np.arange(len(self.rows)), batch=self._batch))

    def __iter__(self) -> Iterator[Batch]:
        epoch = self._epoch()
        order = np.random.default_rng([self._augmentation.seed, epoch]).permutation(len(self.rows))
        return _ahead(lambda part: self._prepare(part, epoch), _equal_parts(order, batch=self._batch))

    def _prepare(self, part: npt.NDArray[np.int64], epoch: int) -> Batch:
        image_ids = [self.rows.image_ids[k] for k in part]
        frames = self._load(image_ids)
        maps = draw(image_ids, augmentation=self._augmentation, epoch=epoch, size=frames.shape[1])
        targets = torch.from_numpy(self.rows.targets[part])
        if self._device.type == "cpu":
            return to_network(augment(frames, maps)), targets
        return augment_on_device(to_network(frames, device=self._device), maps), targets


def _equal_parts(order: npt.NDArray[np.int64], *, batch: int) -> list[npt.NDArray[np.int64]]:
    if not len(order):
        return []
    return list(np.array_split(order, max(1, round(len(order) / batch))))


def _ahead(
    prepare: Callable[[npt.NDArray[np.int64]], Batch], parts: Sequence[npt.NDArray[np.int64]]
) -> Iterator[Batch]:
    """Prepare the next batch in a thread while the present one is used."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        waiting = pool.submit(prepare, parts[0]) if parts else None
        for following in [*parts[1:], None]:
            if waiting is None:
                return
            ready = waiting.result()
            waiting = pool.submit(prepare, following) if following is not None else None
            yield ready
