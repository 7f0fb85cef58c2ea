"""The peer from a table of rows to predictions of the validation part, as the field's teams do it.

Run by `benchmarks.speed.sheet_to_table` in the peer's environment:
``python -m benchmarks.speed.peer_training RECIPE ROWS.csv IMAGES WEIGHTS.npz WIDTH OUT.csv``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from benchmarks.speed.peer import BATCH, SIZE, mobilenet, scaled
from keras.src.legacy.preprocessing.image import ImageDataGenerator

# Our own recipes' numbers: epochs at most, patience, step size.
RECIPES = {"classic": (20, 5, 1e-3), "fine-tune": (8, 3, 1e-4)}


def main(recipe: str, rows: Path, images: Path, weights: Path, width: float, out: Path) -> None:
    """Train on the rows of the part ``fit``, choose the epoch on ``val``, and write its logits."""
    epochs, patience, rate = RECIPES[recipe]
    table = pd.read_csv(rows, dtype=str)
    fit, val = (table[table["part"] == part] for part in ("fit", "val"))
    changing = ImageDataGenerator(preprocessing_function=scaled, zoom_range=0.2, shear_range=0.2, horizontal_flip=True)
    plain = ImageDataGenerator(preprocessing_function=scaled)
    model = mobilenet(weights, width=width)
    model.layers[0].trainable = recipe == "fine-tune"
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.AUC(from_logits=True)],
    )
    model.fit(
        _flow(changing, fit, images, shuffle=True),
        validation_data=_flow(plain, val, images, shuffle=False),
        epochs=epochs,
        callbacks=[keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)],
        verbose=2,
    )
    logits = model.predict(_flow(plain, val, images, shuffle=False), verbose=0)[:, 0]
    pd.DataFrame({"image_id": val["image_id"], "logit": logits}).to_csv(out, index=False)


def _flow(generator: Any, rows: pd.DataFrame, images: Path, *, shuffle: bool) -> Any:
    return generator.flow_from_dataframe(
        rows, directory=str(images), x_col="name", y_col="target", target_size=(SIZE, SIZE), class_mode="binary",
        classes=["0", "1"], batch_size=BATCH, shuffle=shuffle, seed=0, interpolation="bilinear",
    )  # fmt: skip


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    recipe, rows, images, weights, width, out = sys.argv[1:]
    main(recipe, Path(rows), Path(images), Path(weights), float(width), Path(out))
