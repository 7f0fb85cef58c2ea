"""The peer's side of each work, as the field's teams do it: Keras MobileNet on TensorFlow, `ImageDataGenerator`.

Run by the driver in the peer's environment: ``python -m benchmarks.speed.peer THREADS FOLDER``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from benchmarks.speed.worker import Done, Prepare, Prepared, pin, serve
from keras.src.legacy.preprocessing.image import ImageDataGenerator

SIZE, BATCH = 224, 32
IG_POINTS_TIMED = 3 * BATCH


def works(folder: Path, *, threads: int) -> dict[str, Prepare]:
    """The works by name."""

    def loaded() -> Any:
        return mobilenet(folder / "weights.npz")

    def agree() -> Prepared:
        model, frames = loaded(), scaled(np.load(folder / "canvases.npz")["canvases"])
        return lambda: {"units": len(frames), "logits": model.predict(frames, verbose=0)[:, 0].tolist()}

    def decode_augment(kind: str) -> Prepared:
        changing = ImageDataGenerator(
            preprocessing_function=scaled, zoom_range=0.2, shear_range=0.2, horizontal_flip=True
        )
        batches = _flow(changing, folder / kind, shuffle=True)
        return lambda: {"units": sum(len(batches[number][0]) for number in range(len(batches)))}

    def train_step(batch: int) -> Prepared:
        model = mobilenet(None)
        model.compile(keras.optimizers.Adam(1e-4), keras.losses.BinaryCrossentropy(from_logits=True))
        frames = np.random.default_rng(0).uniform(-1.0, 1.0, (batch, SIZE, SIZE, 3)).astype(np.float32)
        targets = (np.arange(batch) % 2).astype(np.float32)[:, None]

        def step() -> Done:
            model.train_on_batch(frames, targets)
            return {"units": batch}

        return step

    def score_files(kind: str, precision: str, count: int) -> Prepared:
        assert precision == "fp32"
        model = loaded()
        plain = ImageDataGenerator(preprocessing_function=scaled)
        batches = _flow(plain, folder / kind, shuffle=False, count=count, workers=threads)
        return lambda: {"units": len(model.predict(batches, verbose=0))}

    def warm_frame(kind: str, count: int) -> Prepared:
        model, files = loaded(), sorted((folder / kind).glob("*.jpg"))

        def one_by_one() -> Done:
            seconds = []
            for number in range(count):
                started = time.perf_counter()
                _answer(model, files[number % len(files)])
                seconds.append(time.perf_counter() - started)
            return {"units": count, "median_s": statistics.median(seconds), "p99_s": float(np.quantile(seconds, 0.99))}

        return one_by_one

    def cold_frame(kind: str) -> Prepared:
        saved = folder / "peer.keras"
        loaded().save(saved)
        words = [
            sys.executable,
            "-m",
            "benchmarks.speed.peer_cold",
            str(saved),
            str(min((folder / kind).glob("*.jpg"))),
        ]

        def from_the_shell() -> Done:
            subprocess.run(words, check=True, capture_output=True)
            return {"units": 1}

        return from_the_shell

    def attribute(count: int, tolerance: float) -> Prepared:
        """On an even path of as many points for every frame; each costs the same, so that three batches are timed."""
        model, frame = loaded(), scaled(np.load(folder / "canvases.npz")["canvases"][0])
        path = json.loads((folder / "even_path.json").read_text(encoding="utf-8"))
        points = path["parts"] + 1
        alphas = np.linspace(0.0, 1.0, points, dtype=np.float32)[:IG_POINTS_TIMED]

        def explain() -> Done:
            _attribution(model, frame, alphas)
            done = {"gaps": path["gaps"][:count], "steps": [points] * count, "tolerance": tolerance}
            return {"units": len(alphas) / points, **done}

        return explain

    return {
        "agree": agree, "decode_augment": decode_augment, "train_step": train_step, "score_files": score_files,
        "warm_frame": warm_frame, "cold_frame": cold_frame, "attribute": attribute,
    }  # fmt: skip


def mobilenet(weights: Path | None, *, width: float = 1.0) -> Any:
    """MobileNet V1 with one unit, with the weights that our side wrote or with random ones."""
    base = keras.applications.MobileNet(
        weights=None, alpha=width, input_shape=(SIZE, SIZE, 3), include_top=False, pooling="avg"
    )
    model = keras.Sequential([base, keras.layers.Dense(1)])
    model.build((None, SIZE, SIZE, 3))
    if weights is not None:
        arrays = np.load(weights)
        convolutions = [layer for layer in base.layers if layer.name.startswith("conv") and "_bn" not in layer.name]
        with_kernels = [layer for layer in convolutions if layer.weights]
        for number, layer in enumerate(with_kernels):
            layer.set_weights([arrays[f"{number:02d}_kernel"]])
            parts = ("weight", "bias", "running_mean", "running_var")
            base.get_layer(f"{layer.name}_bn").set_weights([arrays[f"{number:02d}_{part}"] for part in parts])
        model.layers[-1].set_weights([arrays["head_kernel"], arrays["head_bias"]])
    return model


def _flow(generator: Any, folder: Path, *, shuffle: bool, count: int | None = None, workers: int = 1) -> Any:
    names = [path.name for path in sorted(folder.glob("*.jpg"))][:count]
    batches = generator.flow_from_dataframe(
        pd.DataFrame({"name": names, "label": [str(k % 2) for k in range(len(names))]}),
        directory=str(folder),
        x_col="name",
        y_col="label",
        target_size=(SIZE, SIZE),
        class_mode="binary",
        batch_size=BATCH,
        shuffle=shuffle,
        interpolation="bilinear",
    )
    batches.workers = workers
    return batches


def scaled(frames: Any) -> Any:
    """Bytes to [-1, 1], as MobileNet takes them."""
    return np.asarray(frames, np.float32) / 127.5 - 1.0


def _answer(model: Any, file: Path) -> float:
    image = keras.utils.load_img(file, target_size=(SIZE, SIZE), interpolation="bilinear")
    frame = scaled(keras.utils.img_to_array(image))[None]
    return float(model.predict(frame, verbose=0)[0, 0])


@tf.function  # type: ignore[untyped-decorator]
def _gradients(model: Any, frames: Any) -> tuple[Any, Any]:
    with tf.GradientTape() as tape:
        tape.watch(frames)
        logits = model(frames, training=False)[:, 0]
    return logits, tape.gradient(logits, frames)


def _attribution(model: Any, frame: Any, alphas: Any) -> Any:
    """Integrated gradients from black over points of an even path, in batches, as the tutorial does it."""
    path = -1.0 + alphas[:, None, None, None] * (frame[None] + 1.0)
    parts = [_gradients(model, tf.constant(path[k : k + BATCH])) for k in range(0, len(path), BATCH)]
    gradients = np.concatenate([part.numpy() for _, part in parts])
    return (frame + 1.0) * ((gradients[:-1] + gradients[1:]) / 2.0).mean(axis=0)


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[1]))
    serve(works(Path(sys.argv[2]), threads=int(sys.argv[1])))
