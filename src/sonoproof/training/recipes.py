"""The recipes: ``default`` and ``varied`` train the whole network, ``classic`` its last layer, ``features`` nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Literal

from sonoproof.config import FitConfig
from sonoproof.training.augmentation import Augmentation

# For each metric that can be monitored, whether more or less is better.
BETTER: dict[str, Literal["min", "max"]] = {
    "loss": "min",
    "recall": "max",
    "accuracy": "max",
    "precision": "max",
    "auc": "max",
}


# What another patient, hand or machine changes. Rotation, translation, crop and brightness are what helped most on
# small ultrasound sets (Tupper and Gagné, TMLR 2025). It needs more epochs: with as many as without it, the AUC falls
# (benchmarks/RESULTS.md).
VARIED = Augmentation(
    rotation_degrees=20.0,
    translation=0.06,
    crop=0.2,
    brightness=0.2,
    contrast=0.2,
    gamma=0.2,
    time_gain=0.2,
    speckle=0.08,
    blur_px=0.8,
    border="mirror",
)
ZOOM_SHEAR_FLIP = Augmentation()


@dataclass(frozen=True)
class Recipe:
    """What training does, once all defaults are filled in.

    The defaults are those that fine-tune a pretrained network.

    Attributes:
        name: ``default``, ``varied``, ``classic`` or ``features``.
        head_first: Whether the last layer is first fitted on cached features.
        train_base: Whether the base is trained; else only the last layer is.
        epochs: Most epochs of gradient training; 0 leaves the network with the last layer that was fitted.
        base_rate: Peak step size of the base.
        head_rate: Peak step size of the last layer.
        weight_decay: Decoupled weight decay.
        patience: Epochs without improvement before training stops.
        balanced: Whether both classes weigh the same in the loss.
        schedule: ``constant``, or ``cosine`` to zero after a short warm-up.
        chosen_on: Rows on which the checkpoint is chosen: ``val``, or ``stop`` rows set aside from the fit part.
        batch_norm: ``frozen`` keeps the learned statistics; ``learned`` trains them and estimates them again on the
            training frames before every evaluation.
        augmentation: How training frames are changed.
        views: Views of each training frame that the last layer is fitted on: the frame itself, and changed ones.
    """

    name: str = "default"
    head_first: bool = True
    train_base: bool = True
    epochs: int = 8
    base_rate: float = 1e-4
    head_rate: float = 1e-4
    weight_decay: float = 1e-4
    patience: int = 3
    balanced: bool = True
    schedule: Literal["constant", "cosine"] = "cosine"
    chosen_on: Literal["val", "stop"] = "stop"
    batch_norm: Literal["frozen", "learned"] = "frozen"
    augmentation: Augmentation = ZOOM_SHEAR_FLIP
    views: int = 1


_FINE_TUNE = Recipe()
_FROM_SCRATCH = Recipe(
    head_first=False, epochs=30, base_rate=2e-3, head_rate=2e-3, weight_decay=0.05, patience=30, batch_norm="learned"
)
_CLASSIC = Recipe(
    name="classic",
    head_first=False,
    train_base=False,
    epochs=20,
    base_rate=0.0,
    head_rate=1e-3,
    weight_decay=0.0,
    patience=5,
    balanced=False,
    schedule="constant",
    chosen_on="val",
)


_FEATURES = Recipe(
    name="features",
    train_base=False,
    epochs=0,
    base_rate=0.0,
    head_rate=0.0,
    weight_decay=0.0,
    patience=0,
    augmentation=VARIED,
)


def recipe_for(config: FitConfig, *, pretrained: bool) -> Recipe:
    """Fill in the recipe's own numbers where the configuration leaves them open.

    Args:
        config: The training configuration.
        pretrained: Whether the backbone was learned before.
    """
    recipe = _recipe_of(config.recipe, pretrained=pretrained)
    filled = replace(recipe, augmentation=_augmentation(config, recipe.augmentation))
    if not recipe.epochs:
        return replace(filled, views=config.views)
    rate, decay = config.learning_rate, None if recipe is _CLASSIC else config.weight_decay
    return replace(
        filled,
        epochs=config.epochs or recipe.epochs,
        base_rate=(rate or recipe.base_rate) if recipe.train_base else 0.0,
        head_rate=rate or recipe.head_rate,
        weight_decay=recipe.weight_decay if decay is None else decay,
        patience=config.patience or recipe.patience,
    )


def _recipe_of(name: str, *, pretrained: bool) -> Recipe:
    if name == "varied":
        longer = replace(_FINE_TUNE, epochs=16, patience=6)
        return replace(longer if pretrained else _FROM_SCRATCH, name=name, augmentation=VARIED)
    own = {"default": _FINE_TUNE if pretrained else _FROM_SCRATCH, "classic": _CLASSIC, "features": _FEATURES}
    return own[name]


def _augmentation(config: FitConfig, own: Augmentation) -> Augmentation:
    """The recipe's own augmentation, with what the configuration sets in its place."""
    names = {field.name for field in dataclasses.fields(FitConfig)} & {field.name for field in dataclasses.fields(own)}
    asked = {name: getattr(config, name) for name in names}
    return replace(own, **{name: value for name, value in asked.items() if value is not None})
