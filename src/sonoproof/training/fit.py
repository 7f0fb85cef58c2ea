"""A training: rows and frames in, a saved model and its history out.

Killed at any moment, it continues from the last complete epoch and ends with the weights of an uninterrupted run on the
same machine, bit for bit: the order of the frames and their augmentation depend on (seed, epoch, image) alone, and the
optimiser, the schedule, early stopping and the history are all part of the checkpoint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from sonoproof.errors import CohortError
from sonoproof.progress import SILENT, Progress
from sonoproof.runfolder import RunFolder
from sonoproof.sampling import evenly_spread
from sonoproof.training.augmentation import draw
from sonoproof.training.augmenting import augment
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import FeatureBatches, OrderedBatches, Rows, ShuffledBatches
from sonoproof.training.bundle import ModelBundle, save_bundle
from sonoproof.training.checkpoints import (
    BEST,
    LAST,
    AtomicCheckpoints,
    History,
    best_and_last,
    is_finished,
    read_checkpoint,
)
from sonoproof.training.features import extract_features
from sonoproof.training.head import fit_head
from sonoproof.training.job import TrainingJob
from sonoproof.training.layers import SETTLE_FRAMES, settle_batch_norm
from sonoproof.training.model import BinaryClassifier, resolve_device
from sonoproof.training.module import TrainingModule, epoch_metrics
from sonoproof.training.recipes import BETTER, Recipe, recipe_for
from sonoproof.training.trainer import needless_warnings_off, quiet_trainer, threads
from sonoproof.types import Float32Array, UInt8Array


def fit(job: TrainingJob, run: RunFolder, *, resume: bool = False, progress: Progress = SILENT.progress) -> ModelBundle:
    """Train, write ``history.csv``, ``checkpoints/`` and ``model/``, and return the model.

    Args:
        job: What to train on, and how.
        run: The run folder.
        resume: Whether to continue from the last complete epoch.
        progress: Told the epochs done and the epochs at most.

    Raises:
        CohortError: The training rows hold one class only.
        ConfigError: The backbone cannot be loaded, or training diverged.
    """
    _check_two_classes(job)
    device = resolve_device(job.model.device)
    with threads(job.config.threads), torch.random.fork_rng():
        classifier = load_backbone(job.model, seed=job.seed, image_size=job.spec.preprocessing.size).to(device)
        recipe = recipe_for(job.config, pretrained=classifier.architecture.pretrained)
        if not len(job.parts.val):
            recipe = replace(recipe, chosen_on="stop")
        training = Training(job, run, recipe, classifier, device)
        chosen = training.train(resume=resume, progress=progress)
    described = {**dataclasses.asdict(recipe), "epoch_chosen": chosen, "monitor": training.monitor, "seed": job.seed}
    bundle = ModelBundle(classifier.cpu().eval(), job.spec, training=described)
    save_bundle(bundle, run.model)
    return bundle


@dataclass(frozen=True)
class Training:
    """One training from start to end; holds what its steps share.

    Attributes:
        job: What to train on, and how.
        run: The folder of the history and the checkpoints.
        recipe: What training does.
        classifier: The network, trained in place.
        device: Where it is trained.
        kind_of_module: What happens in a step and in an epoch; a trial of another way replaces it.
        kind_of_batches: What gives the training frames; likewise.
    """

    kind_of_module: ClassVar[type[TrainingModule]] = TrainingModule
    kind_of_batches: ClassVar[type[ShuffledBatches]] = ShuffledBatches

    job: TrainingJob
    run: RunFolder
    recipe: Recipe
    classifier: BinaryClassifier
    device: torch.device

    @cached_property
    def measured(self) -> dict[str, Rows]:
        """The rows that every epoch is measured on, by the name of their part; it takes some to have a history."""
        parts = self.job.parts
        has_val = self.recipe.chosen_on == "val" or self.job.config.val_each_epoch or not len(parts.stop)
        found = {"val": parts.val if has_val else parts.val.take(np.arange(0)), "stop": parts.stop}
        return {part: rows for part, rows in found.items() if len(rows)}

    @cached_property
    def monitor(self) -> str | None:
        """The metric by which the epoch is chosen, as ``part_metric``; None where there is nothing to choose by."""
        if not self.recipe.epochs:
            return None
        chosen_on = self.recipe.chosen_on
        return f"{chosen_on}_{self.job.config.monitor}" if chosen_on in self.measured else None

    def train(self, *, resume: bool, progress: Progress) -> int:
        """Train the network; return the epoch whose weights it ends with (0: the fitted last layer)."""
        if not resume:
            self._forget_checkpoints()
        if self.recipe.batch_norm == "frozen" and not self.classifier.architecture.pretrained:
            # The start statistics of a random network let the signal die out on its way: the features would be zero.
            settle_batch_norm(self.classifier, (frames for frames, _ in self._settling()), device=self.device)
        rows = [self._fit_head()] if self.recipe.head_first else []
        start = {name: tensor.detach().clone() for name, tensor in self.classifier.state_dict().items()}
        history = History(self.run.history, rows=rows, progress=progress)
        if self.recipe.epochs:
            if not self.measured:
                raise ValueError("no rows to measure the epochs on: there would be no history, and no epoch to keep")
            self._train_network(history)
        chosen = self._best_epoch(history.rows)
        self.classifier.load_state_dict(start if chosen == 0 else self._kept_state())
        self._measure_validation(next(row for row in history.rows if row["epoch"] == chosen))
        history.write(chosen=chosen)
        return chosen

    def _fit_head(self) -> dict[str, Any]:
        """Fit the last layer on features, and measure it as epoch 0."""
        rows = {"fit": self.job.parts.train, **self.measured, **self._reported}
        features = {part: self._features(of_part) for part, of_part in rows.items()}
        views = [self._features_of_view(rows["fit"], view) for view in range(self.recipe.views - 1)]
        weight, bias = fit_head(
            features["fit"], rows["fit"], balanced=self.recipe.balanced, seed=self.job.seed, views=views
        )
        with torch.no_grad():
            self.classifier.head.weight.copy_(torch.from_numpy(weight)[None, :])
            self.classifier.head.bias.fill_(bias)
        logits = {part: (values @ weight + bias).astype(np.float32) for part, values in features.items()}
        metrics = {
            f"{part}_{name}": value
            for part, of_part in rows.items()
            for name, value in epoch_metrics(logits[part], of_part.targets).items()
        }
        return {"epoch": 0, "phase": "head", **metrics, "learning_rate": float("nan")}

    @property
    def _reported(self) -> dict[str, Rows]:
        """The validation rows, where there are any."""
        return {"val": self.job.parts.val} if len(self.job.parts.val) else {}

    @torch.inference_mode()
    def _measure_validation(self, row: dict[str, Any]) -> None:
        """Add the metrics of the validation rows to the row of the epoch that is kept, if it has none."""
        if "val_loss" in row or not self._reported:
            return
        batches = self._ordered(self.job.parts.val)
        logits = torch.cat([self.classifier.eval()(frames).float().cpu() for frames, _ in batches]).numpy()
        metrics = epoch_metrics(logits, self.job.parts.val.targets)
        row |= {f"val_{name}": value for name, value in metrics.items()}

    def _train_network(self, history: History) -> None:
        """Gradient training, from the last checkpoint if there is one."""
        last = self.run.checkpoints / LAST
        if last.is_file():
            checkpoint = read_checkpoint(last)
            if is_finished(checkpoint, epochs=self.recipe.epochs):
                history.load_state_dict(checkpoint["callbacks"][History.__qualname__])
                return
        trainer = quiet_trainer(
            max_epochs=self.recipe.epochs,
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
            precision="bf16-mixed" if self.device.type == "cuda" else "32-true",
            plugins=[AtomicCheckpoints()],
            callbacks=[
                history,
                *best_and_last(self.run.checkpoints, monitor=self.monitor, patience=self.recipe.patience),
            ],
        )
        # Lightning's own count of epochs is one behind when it asks for the first batches after a resume; its count
        # of steps is not.
        batches = self._shuffled(lambda: trainer.global_step // len(batches))
        with needless_warnings_off():
            trainer.fit(
                self._module(steps=self.recipe.epochs * len(batches)),
                train_dataloaders=batches,
                val_dataloaders=[self._measuring(rows) for rows in self.measured.values()],
                ckpt_path=last if last.is_file() else None,
                weights_only=True,
            )
        self.classifier.to(self.device)

    def _module(self, *, steps: int) -> TrainingModule:
        targets = self.job.parts.train.targets
        balance = float((targets < 0.5).sum() / (targets > 0.5).sum())
        return self.kind_of_module(
            self.classifier,
            recipe=self.recipe,
            positive_weight=balance if self.recipe.balanced else 1.0,
            parts=tuple(self.measured),
            steps=steps,
            settle=self._settling(),
        )

    def _settling(self) -> OrderedBatches:
        rows = self.job.parts.train
        return self._ordered(rows.take(evenly_spread(len(rows), SETTLE_FRAMES)))

    def _shuffled(self, epoch: Callable[[], int]) -> ShuffledBatches:
        job = self.job
        return self.kind_of_batches(
            job.parts.train,
            load=job.load,
            augmentation=self.recipe.augmentation,
            batch=job.config.batch,
            seed=job.seed,
            epoch=epoch,
            device=self.device,
        )

    def _ordered(self, rows: Rows) -> OrderedBatches:
        return OrderedBatches(rows, load=self.job.load, batch=self.job.config.batch, device=self.device)

    def _measuring(self, rows: Rows) -> OrderedBatches | FeatureBatches:
        """What every epoch is measured on; under a base that is not trained, the features, which do not change."""
        return self._ordered(rows) if self.recipe.train_base else FeatureBatches(self._features(rows), rows.targets)

    def _features(self, rows: Rows) -> Float32Array:
        """The features of rows under the base as it was at the start, (N, D)."""
        if self.classifier.architecture.pretrained:
            return self.job.load_features(rows.image_ids)
        return extract_features(self.classifier, rows.image_ids, load=self.job.load, device=self.device)

    def _features_of_view(self, rows: Rows, view: int) -> Float32Array:
        """The features of rows that are changed as in an epoch of training, (N, D)."""

        def load(image_ids: Sequence[str]) -> UInt8Array:
            frames, augmentation = self.job.load(image_ids), self.recipe.augmentation
            changes = draw(image_ids, augmentation=augmentation, seed=self.job.seed, epoch=view, size=frames.shape[1])
            return augment(frames, changes)

        return extract_features(self.classifier, rows.image_ids, load=load, device=self.device)

    def _best_epoch(self, rows: list[dict[str, Any]]) -> int:
        """The epoch to keep: the best of the monitored metric, the earliest where equal; else the last."""
        if self.monitor is None:
            return int(rows[-1]["epoch"])
        # The checkpoint compares in single precision, and so does this.
        values = np.asarray([row[self.monitor] for row in rows], dtype=np.float32)
        sign = 1.0 if BETTER[self.job.config.monitor] == "min" else -1.0
        ranked = np.where(np.isnan(values), np.inf, sign * values)
        return int(rows[int(ranked.argmin())]["epoch"])

    def _kept_state(self) -> dict[str, torch.Tensor]:
        """The weights of the epoch to keep."""
        checkpoint = read_checkpoint(self.run.checkpoints / (BEST if self.monitor else LAST))
        return {name.removeprefix("classifier."): tensor for name, tensor in checkpoint["state_dict"].items()}

    def _forget_checkpoints(self) -> None:
        for name in (BEST, LAST):
            (self.run.checkpoints / name).unlink(missing_ok=True)


def _check_two_classes(job: TrainingJob) -> None:
    for target, name in enumerate(job.spec.classes.names):
        if not (job.parts.train.targets == target).any():
            raise CohortError(f"there is no training row of the class {name!r}; nothing can be learned")
