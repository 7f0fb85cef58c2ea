"""The training step, the optimiser and the evaluation of an epoch, in the terms of Lightning."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import lightning.pytorch as pl
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor

from sonoproof.training.batches import Batch
from sonoproof.training.layers import batch_norms, settle_batch_norm
from sonoproof.training.model import BinaryClassifier
from sonoproof.training.recipes import Recipe

WARM_UP_SHARE = 0.05


class TrainingModule(pl.LightningModule):
    """What happens in a step and in an epoch.

    Args:
        classifier: The network.
        recipe: What is trained, and how fast.
        positive_weight: Weight of a positive row in the loss, that of a negative one being 1.
        parts: Names of the parts that are measured, in the order of the validation loaders.
        steps: Optimiser steps in all, for the schedule.
        settle: Frames on which batch norm statistics are estimated before each evaluation.
    """

    def __init__(
        self,
        classifier: BinaryClassifier,
        *,
        recipe: Recipe,
        positive_weight: float,
        parts: tuple[str, ...],
        steps: int,
        settle: Iterable[Batch] = (),
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.recipe = recipe
        self.parts = parts
        self.metrics_of_epoch: dict[str, float] = {}
        self.rate = math.nan
        self._positive_weight = positive_weight
        self._steps = steps
        self._settle = settle
        # Numbers, not the tensors of each batch: a small tensor that stays lies among the large ones that come and go
        # with a step, which then do not fit where they were, and memory grows with the frames.
        self._logits: dict[str, list[float]] = {}
        self._targets: dict[str, list[float]] = {}
        for parameter in classifier.base_parameters():
            parameter.requires_grad_(recipe.train_base)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch, and put every layer into the recipe's mode, whatever mode it was in."""
        self._logits = {part: [] for part in ("fit", *self.parts)}
        self._targets = {part: [] for part in ("fit", *self.parts)}
        self.classifier.train()
        if self.recipe.batch_norm == "frozen":
            for module in batch_norms(self.classifier):
                module.eval()

    def training_step(self, batch: Batch, _batch_idx: int) -> Tensor:
        """Weighted binary cross-entropy of a batch."""
        frames, targets = batch
        self.rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        logits = self.classifier(frames)
        self._keep("fit", logits.detach(), targets)
        weight = torch.where(targets > 0.5, self._positive_weight, 1.0)
        return F.binary_cross_entropy_with_logits(logits, targets, weight=weight)

    def on_validation_epoch_start(self) -> None:
        """Estimate the batch norm statistics of the present weights, where they are being learned."""
        if self.recipe.batch_norm == "learned":
            settle_batch_norm(self.classifier, (frames for frames, _ in self._settle), device=self.device)

    def validation_step(self, batch: Batch, _batch_idx: int, dataloader_idx: int = 0) -> None:
        """Keep the logits of a batch: of frames, or of features where the base that they come from is not trained."""
        given, targets = batch
        logits = self.classifier.classify_features(given) if given.ndim == 2 else self.classifier(given)
        self._keep(self.parts[dataloader_idx], logits, targets)

    def on_validation_epoch_end(self) -> None:
        """Compute the epoch's metrics of every part."""
        self.metrics_of_epoch = {
            f"{part}_{name}": value
            for part in ("fit", *self.parts)
            for name, value in epoch_metrics(
                np.array(self._logits[part], np.float32), np.array(self._targets[part], np.float32)
            ).items()
        }
        self.log_dict(self.metrics_of_epoch)

    def _keep(self, part: str, logits: Tensor, targets: Tensor) -> None:
        """Keep the logits and targets of a batch, (N) each."""
        self._logits[part] += logits.float().tolist()
        self._targets[part] += targets.tolist()

    def configure_optimizers(self) -> Any:
        """Adam, with decoupled weight decay where the recipe has any, and its schedule."""
        recipe = self.recipe
        groups: list[dict[str, Any]] = [{"params": list(self.classifier.head.parameters()), "lr": recipe.head_rate}]
        if recipe.train_base:
            groups.append({"params": self.classifier.base_parameters(), "lr": recipe.base_rate})
        optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)  # without any, it is Adam
        if recipe.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _cosine(step, steps=self._steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def epoch_metrics(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]) -> dict[str, float]:
    """Loss (unweighted), recall, accuracy, precision (at probability 0.5) and AUC; NaN where undefined.

    Args:
        logits: (N) logits of the positive class.
        targets: (N) 1.0 for the positive class, 0.0 for the negative.
    """
    logits = logits.astype(np.float64)
    if not len(logits):
        return dict.fromkeys(("loss", "recall", "accuracy", "precision", "auc"), math.nan)
    predicted, positive = logits >= 0.0, targets > 0.5
    hits = float(np.sum(predicted & positive))
    predictions, positives = float(predicted.sum()), float(positive.sum())
    return {
        "loss": float(np.mean(np.logaddexp(0.0, logits) - logits * positive)),
        "recall": hits / positives if positives else math.nan,
        "accuracy": float(np.mean(predicted == positive)),
        "precision": hits / predictions if predictions else math.nan,
        "auc": float(roc_auc_score(positive, logits)) if 0 < positives < len(positive) else math.nan,
    }


def _cosine(step: int, *, steps: int) -> float:
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    progress = min(1.0, (step - warm_up) / max(1, steps - warm_up))
    return 0.5 * (1.0 + math.cos(math.pi * progress))
