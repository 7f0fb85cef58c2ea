"""What a training is given: the rows of its parts, their frames, and how to train."""

from __future__ import annotations

from dataclasses import dataclass

from sonoproof.config import FitConfig, ModelConfig
from sonoproof.training.batches import Rows
from sonoproof.training.features import LoadFeatures
from sonoproof.training.model_spec import ModelSpec
from sonoproof.types import LoadFrames


@dataclass(frozen=True)
class Parts:
    """The rows of a training.

    Attributes:
        train: Rows whose gradients move the weights.
        stop: Rows set aside from the fit part, on which the checkpoint is chosen; may be empty.
        val: Rows that are reported on; may be empty where this training is not to see them.
    """

    train: Rows
    stop: Rows
    val: Rows


@dataclass(frozen=True)
class TrainingJob:
    """What a training is given.

    Attributes:
        parts: The rows.
        load: Gives the frames of image ids, as the network takes them.
        load_features: Gives their features under the backbone; called where the recipe fits the last layer first or
            does not train the base.
        spec: What is saved with the network: the classes, how the frames were made, and of which records.
        model: Where the weights come from and where the network runs.
        config: How it is trained.
    """

    parts: Parts
    load: LoadFrames
    load_features: LoadFeatures
    spec: ModelSpec
    model: ModelConfig
    config: FitConfig

    @property
    def seed(self) -> int:
        """Seed of whatever is random in the training."""
        return self.config.effective_seed
