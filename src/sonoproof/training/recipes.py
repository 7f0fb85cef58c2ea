"""The two recipes: ``classic``, the mission as written, and ``default``, what does better on grouped validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sonoproof.config import FitConfig

__all__ = ["BETTER", "Recipe", "recipe_for"]

# For each metric that can be monitored, whether more or less of it is better.
BETTER: dict[str, Literal["min", "max"]] = {
    "loss": "min",
    "recall": "max",
    "accuracy": "max",
    "precision": "max",
    "auc": "max",
}


@dataclass(frozen=True)
class Recipe:
    """What training does, once all defaults are filled in.

    Attributes:
        name: ``classic`` or ``default``.
        head_first: Whether the last layer is first fitted on cached features.
        train_base: Whether the base is trained; else only the last layer is.
        epochs: Most epochs of gradient training.
        base_rate: Peak step size of the base.
        head_rate: Peak step size of the last layer.
        weight_decay: Decoupled weight decay.
        patience: Epochs without improvement before training stops.
        balanced: Whether both classes weigh the same in the loss.
        schedule: ``constant``, or ``cosine`` to zero after a short warm-up.
        chosen_on: Rows on which the checkpoint is chosen: ``val``, or ``stop`` rows set aside from the fit part.
        batch_norm: ``frozen`` keeps the learned statistics; ``learned`` trains them and estimates them anew on the
            training frames before every evaluation.
    """

    name: str
    head_first: bool
    train_base: bool
    epochs: int
    base_rate: float
    head_rate: float
    weight_decay: float
    patience: int
    balanced: bool
    schedule: Literal["constant", "cosine"]
    chosen_on: Literal["val", "stop"]
    batch_norm: Literal["frozen", "learned"]


_CLASSIC = Recipe(
    name="classic", head_first=False, train_base=False, epochs=20, base_rate=0.0, head_rate=1e-3, weight_decay=0.0,
    patience=5, balanced=False, schedule="constant", chosen_on="val", batch_norm="frozen",
)  # fmt: skip
_FINE_TUNE = Recipe(
    name="default", head_first=True, train_base=True, epochs=8, base_rate=1e-4, head_rate=1e-4, weight_decay=1e-4,
    patience=3, balanced=True, schedule="cosine", chosen_on="stop", batch_norm="frozen",
)  # fmt: skip
_FROM_SCRATCH = Recipe(
    name="default", head_first=False, train_base=True, epochs=30, base_rate=2e-3, head_rate=2e-3, weight_decay=0.05,
    patience=30, balanced=True, schedule="cosine", chosen_on="stop", batch_norm="learned",
)  # fmt: skip


def recipe_for(config: FitConfig, *, pretrained: bool) -> Recipe:
    """Fill in the recipe's own numbers where the configuration leaves them open.

    Args:
        config: The training configuration.
        pretrained: Whether the backbone was learned before.
    """
    if config.recipe == "classic":
        recipe = _CLASSIC
    else:
        recipe = _FINE_TUNE if pretrained else _FROM_SCRATCH
    rate = config.learning_rate
    return Recipe(
        **{
            **recipe.__dict__,
            "epochs": config.epochs or recipe.epochs,
            "base_rate": (rate or recipe.base_rate) if recipe.train_base else 0.0,
            "head_rate": rate or recipe.head_rate,
            "weight_decay": _weight_decay(config, recipe),
            "patience": config.patience or recipe.patience,
        }
    )


def _weight_decay(config: FitConfig, recipe: Recipe) -> float:
    if recipe.name == "classic":
        return 0.0
    return recipe.weight_decay if config.weight_decay is None else config.weight_decay
