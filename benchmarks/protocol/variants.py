"""The variants that are compared: settings of the product, and trials that are not part of it.

A trial is a change that the product may get if it helps: it is built here by replacing a step of `Training`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sonoproof.training.batches import ShuffledBatches
from sonoproof.training.fit import Training
from sonoproof.training.module import TrainingModule
from sonoproof.training.recipes import VARIED, Recipe
from sonoproof.types import IntArray

EMA_DECAY = 0.99
LAYER_DECAY = 0.9


@dataclass(frozen=True)
class Variant:
    """How a network is trained.

    Attributes:
        recipe: Fields of the recipe that differ from the product's own; of `augmentation` too.
        training: The class of the training; a trial replaces a step of it.
        views: Views of each frame for a regression on frozen features; 0 trains the network.
        rank: How soon it is trained where time is short: 0 before 1 before 2.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: type[Training] = Training
    views: int = 0
    rank: int = 0

    def changed(self, recipe: Recipe) -> Recipe:
        """The product's own recipe with what differs."""
        return dataclasses.replace(recipe, **self.recipe)


class _AveragedModule(TrainingModule):
    """The weights that are measured and kept are an exponential moving average."""

    _average: dict[str, Tensor] | None = None
    _raw: dict[str, Tensor] | None = None

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average towards the weights; in the first steps faster, as it begins with the start weights."""
        weights = dict(self.classifier.named_parameters())
        if self._average is None:
            self._average = {name: weight.detach().clone() for name, weight in weights.items()}
        decay = min(EMA_DECAY, (1.0 + self.global_step) / (10.0 + self.global_step))
        for name, weight in weights.items():
            self._average[name].lerp_(weight.detach(), 1.0 - decay)

    def on_validation_epoch_start(self) -> None:
        """Measure the average in place of the weights."""
        super().on_validation_epoch_start()
        assert self._average is not None
        self._raw = {name: weight.detach().clone() for name, weight in self.classifier.named_parameters()}
        self._put(self._average)

    def on_validation_epoch_end(self) -> None:
        """Go on training from the weights."""
        super().on_validation_epoch_end()
        assert self._raw is not None
        self._put(self._raw)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the average."""
        assert self._average is not None
        checkpoint["state_dict"] |= {f"classifier.{name}": weight for name, weight in self._average.items()}

    def _put(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.classifier.named_parameters():
                weight.copy_(weights[name])


class _BatchesByGroup(ShuffledBatches):
    """Every group of frames weighs the same: an epoch draws as many frames as there are, each group as often."""

    def order(self, rng: np.random.Generator) -> IntArray:
        """Places of the rows, drawn with replacement."""
        _, member, counts = np.unique(self.rows.groups, return_inverse=True, return_counts=True)
        weights = 1.0 / counts[member]
        return rng.choice(len(member), size=len(member), p=weights / weights.sum())


class _LayeredModule(TrainingModule):
    """The lower a layer, the smaller its steps; the uppermost ones are twice as fast as the recipe's base."""

    def configure_optimizers(self) -> Any:
        """The recipe's own optimiser, the base divided into its layers."""
        made = super().configure_optimizers()
        optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        head, base = optimizer.param_groups
        layers: dict[int, list[Tensor]] = {}
        for name, weight in self.classifier.network.named_parameters():
            if any(weight is other for other in base["params"]):
                found = re.search(r"\.layer\.(\d+)\.", name)
                layers.setdefault(int(found[1]) // 2 if found else -1, []).append(weight)
        top, peak = max(layers), 2.0 * self.recipe.base_rate
        rates = {layer: peak * LAYER_DECAY ** (top - layer) for layer in layers}
        groups = [{"params": head["params"], "lr": self.recipe.head_rate}]
        groups += [{"params": weights, "lr": rates[layer]} for layer, weights in layers.items()]
        layered = torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay)
        (factor,) = set(schedule.lr_lambdas)
        again = torch.optim.lr_scheduler.LambdaLR(layered, factor)
        return {"optimizer": layered, "lr_scheduler": {"scheduler": again, "interval": "step"}}


class WithAverage(Training):
    """Training that keeps an average of the weights."""

    kind_of_module = _AveragedModule


class ByGroup(Training):
    """Training on as many frames of each group."""

    kind_of_batches = _BatchesByGroup


class ByLayer(Training):
    """Training with a rate for each layer."""

    kind_of_module = _LayeredModule


def _zero(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, 0.0)


WIDER: dict[str, Any] = {"augmentation": VARIED}
FASTER: dict[str, Any] = {"base_rate": 3e-4, "head_rate": 3e-4}
LONGER: dict[str, Any] = {"epochs": 16, "patience": 6}


def _without(*names: str) -> Variant:
    return Variant(LONGER | {"augmentation": dataclasses.replace(VARIED, **_zero(*names))}, rank=1)


VARIANTS: dict[str, Variant] = {
    "before": Variant(),
    "before, 16 epochs": Variant(LONGER),
    "varied": Variant(WIDER),
    "varied, 16 epochs": Variant(WIDER | LONGER),
    "features, 1 view": Variant(views=1),
    "features, 3 views": Variant(views=3),
    "varied, rate 3e-4": Variant(WIDER | FASTER, rank=2),
    "varied, average": Variant(WIDER, training=WithAverage, rank=1),
    "varied, by group": Variant(WIDER, training=ByGroup, rank=1),
    "varied, by layer": Variant(WIDER, training=ByLayer, rank=1),
    "no moves, 16 epochs": _without("rotation_degrees", "translation", "crop"),
    "no grey curve, 16 epochs": _without("brightness", "contrast", "gamma"),
    "no beam, 16 epochs": _without("time_gain", "speckle", "blur_px"),
}
