"""Batches of frames in an order that depends on (seed, epoch) alone, prepared while the network works."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from sonoproof.concurrency import map_in_order
from sonoproof.training.augmentation import Augmentation, draw
from sonoproof.training.augmenting import augment, augment_on_device
from sonoproof.types import IntArray, LoadFrames

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

    def take(self, places: npt.NDArray[np.intp]) -> Rows:
        """The rows at these places."""
        image_ids, groups = (tuple(names[k] for k in places) for names in (self.image_ids, self.groups))
        return Rows(image_ids, self.targets[places], groups)


def to_network(frames: npt.NDArray[Any], *, device: torch.device | None = None) -> Tensor:
    """Frames as the network takes them.

    Args:
        frames: (N, H, W, 3) levels in [0, 255], of any number type.
        device: Where the tensor goes; None for the CPU.

    Returns:
        (N, 3, H, W) float32 in [-1, 1], ``x / 127.5 - 1``, in channels-last memory: the frames' own layout.
    """
    return scale_levels(torch.from_numpy(frames).to(device))


def scale_levels(frames: Tensor) -> Tensor:
    """The same as `to_network`, of a tensor."""
    return frames.permute(0, 3, 1, 2).to(torch.float32, copy=True).div_(127.5).sub_(1.0)


class OrderedBatches:
    """Frames as they are, in the order given.

    Args:
        rows: The rows.
        load: Gives the frames.
        batch: Frames per batch, about; batches are of equal size.
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
        return map_in_order(self._prepare, self._parts, workers=1)

    def _prepare(self, part: IntArray) -> Batch:
        frames = self._load([self.rows.image_ids[k] for k in part])
        return to_network(frames, device=self._device), torch.from_numpy(self.rows.targets[part])


class FeatureBatches:
    """Known features in place of frames, all rows in one batch; a list of it, Lightning would take for several loaders.

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
    """Augmented frames, shuffled again in each epoch.

    Args:
        rows: The rows.
        load: Gives the frames.
        augmentation: How frames are changed.
        batch: Frames per batch, about: batches are of equal size, so that none is too small for batch norm.
        seed: Seed of the changes and of the order.
        epoch: Gives the number of the epoch when a pass begins.
        device: Where the batches go; on a GPU frames are sent as bytes and changed there. None for the CPU.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        load: LoadFrames,
        augmentation: Augmentation,
        batch: int,
        seed: int,
        epoch: Callable[[], int],
        device: torch.device | None = None,
    ) -> None:
        self.rows = rows
        self._load = load
        self._augmentation = augmentation
        self._batch = batch
        self._seed = seed
        self._epoch = epoch
        self._device = device or torch.device("cpu")

    def __len__(self) -> int:
        return len(_equal_parts(np.arange(len(self.rows)), batch=self._batch))

    def __iter__(self) -> Iterator[Batch]:
        epoch = self._epoch()
        parts = _equal_parts(self.order(np.random.default_rng([self._seed, epoch])), batch=self._batch)
        return map_in_order(functools.partial(self._prepare, epoch=epoch), parts, workers=1)

    def order(self, rng: np.random.Generator) -> IntArray:
        """Places of the rows in the order in which an epoch shows them."""
        return rng.permutation(len(self.rows))

    def _prepare(self, part: IntArray, *, epoch: int) -> Batch:
        image_ids = [self.rows.image_ids[k] for k in part]
        frames = self._load(image_ids)
        changes = draw(image_ids, augmentation=self._augmentation, seed=self._seed, epoch=epoch, size=frames.shape[1])
        targets = torch.from_numpy(self.rows.targets[part])
        if self._device.type == "cpu":
            return to_network(augment(frames, changes)), targets
        levels = torch.from_numpy(frames).to(self._device).permute(0, 3, 1, 2).float()
        return augment_on_device(levels, changes).div_(127.5).sub_(1.0), targets


def _equal_parts(order: IntArray, *, batch: int) -> list[IntArray]:
    if not len(order):
        return []
    return list(np.array_split(order, max(1, round(len(order) / batch))))
