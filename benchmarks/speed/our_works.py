"""Our side of each work."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from benchmarks.speed.materials import SIZE, Materials
from benchmarks.speed.worker import Done, Prepare, Prepared, pin, serve

from sonoproof.config import FramesConfig, ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import open_store
from sonoproof.explanation.attribution import ClassLogit, integrated_gradients
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.engines import Engine, OpenVinoEngine, TorchEngine
from sonoproof.inference.files import predict_files
from sonoproof.malloc import keep_freed_memory
from sonoproof.reporting.figures.explanation import draw_explanations
from sonoproof.runfolder import RunFolder, sha256_of_file
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import Rows, ShuffledBatches, to_network
from sonoproof.training.bundle import load_bundle
from sonoproof.training.recipes import ZOOM_SHEAR_FLIP

BATCH = 32
MAX_IG_POINTS = 801


def works(materials: Materials) -> dict[str, Prepare]:
    """The works by name."""

    def engine(precision: str) -> Engine:
        if precision == "int8":
            return OpenVinoEngine(materials.int8)
        return open_engine(materials.model, engine="onnxruntime", say=_unheard)

    def agree() -> Prepared:
        """Logits of the frames that both sides are given."""
        canvases = np.load(materials.canvases)["canvases"]
        loaded = TorchEngine(load_bundle(materials.model), device="cpu")
        return lambda: {"units": len(canvases), "logits": loaded.logits(canvases).tolist()}

    def decode_augment(kind: str) -> Prepared:
        batches = _augmented(materials, kind)
        return lambda: {"units": sum(len(frames) for frames, _ in batches)}

    def train_step(batch: int) -> Prepared:
        classifier = load_backbone(ModelConfig(backbone="random", width=1.0), seed=0, image_size=SIZE).train()
        optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-4)
        frames = np.random.default_rng(0).integers(0, 256, (batch, SIZE, SIZE, 3), dtype=np.uint8)
        targets = torch.arange(batch).remainder(2).float()

        def step() -> Done:
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(classifier(to_network(frames)), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            return {"units": batch}

        return step

    def score_files(kind: str, precision: str, count: int) -> Prepared:
        opened = engine(precision)
        files = sorted(materials.frames(kind).glob("*.jpg"))[:count]
        return lambda: {"units": len(predict_files(opened, files=files, frames=FramesConfig()))}

    def score_memory(precision: str, count: int) -> Prepared:
        opened = engine(precision)
        frames = np.random.default_rng(0).integers(0, 256, (BATCH, SIZE, SIZE, 3), dtype=np.uint8)

        def score() -> Done:
            for _ in range(count // BATCH):
                opened.logits(frames)
            return {"units": count // BATCH * BATCH}

        return score

    def warm_frame(kind: str, count: int) -> Prepared:
        opened = engine("fp32")
        files = sorted(materials.frames(kind).glob("*.jpg"))

        def one_by_one() -> Done:
            seconds = []
            for number in range(count):
                started = time.perf_counter()
                predict_files(opened, files=[files[number % len(files)]], frames=FramesConfig())
                seconds.append(time.perf_counter() - started)
            return {"units": count, "median_s": statistics.median(seconds), "p99_s": float(np.quantile(seconds, 0.99))}

        return one_by_one

    def cold_frame(kind: str) -> Prepared:
        file = min(materials.frames(kind).glob("*.jpg"))
        open_engine(materials.model, say=_unheard)  # measured and remembered, as after any earlier prediction
        words = [sys.executable, "-m", "sonoproof", "predict", str(materials.model), str(file)]

        def from_the_shell() -> Done:
            subprocess.run(words, check=True, capture_output=True)
            return {"units": 1}

        return from_the_shell

    def attribute(count: int, tolerance: float) -> Prepared:
        logit = ClassLogit(load_bundle(materials.model).classifier, positive=True)
        frames = to_network(np.load(materials.canvases)["canvases"][:count])

        def explain() -> Done:
            found = [
                integrated_gradients(
                    logit, frame, baseline=torch.full_like(frame, -1.0), tolerance=tolerance, steps=MAX_IG_POINTS
                )
                for frame in frames
            ]
            return {"units": count, "gaps": [one.gap for one in found], "steps": [one.steps_used for one in found]}

        return explain

    def figure() -> Prepared:
        folders = [RunFolder(materials.explained).explanations(part) for part in ("val", "test")]

        def draw() -> Done:
            return {"units": len(draw_explanations(*folders, dpi=600)) // 4}

        return draw

    return {
        "agree": agree, "decode_augment": decode_augment, "train_step": train_step, "score_files": score_files,
        "score_memory": score_memory, "warm_frame": warm_frame, "cold_frame": cold_frame, "attribute": attribute,
        "figure": figure, "matmul": _matmul, "bandwidth": _bandwidth,
    }  # fmt: skip


def _augmented(materials: Materials, kind: str) -> ShuffledBatches:
    files = sorted(materials.frames(kind).glob("*.jpg"))
    records = pd.DataFrame({"path": [str(file) for file in files], "sha256": [sha256_of_file(file) for file in files]})
    folder = Path(tempfile.gettempdir()) / f"sonoproof-bench-{os.getpid()}"
    store = open_store(folder, preprocessing=Preprocessing(SIZE, aspect="stretch"), frames=FramesConfig())
    store.add(records)
    keys = tuple(records["sha256"])
    rows = Rows(keys, np.zeros(len(keys), np.float32), keys)
    return ShuffledBatches(rows, load=store.get, augmentation=ZOOM_SHEAR_FLIP, batch=BATCH, seed=0, epoch=lambda: 0)


def _matmul() -> Prepared:
    """The peak of matrix multiplication in single precision: units are operations."""
    side, times = 1536, 4
    left, right = torch.rand(side, side), torch.rand(side, side)

    def multiply() -> Done:
        for _ in range(times):
            torch.mm(left, right)
        return {"units": times * 2 * side**3}

    return multiply


def _bandwidth() -> Prepared:
    """Copying what no cache holds: units are bytes read and written."""
    source = torch.rand(64 * 2**20)
    target = torch.empty_like(source)

    def copy() -> Done:
        target.copy_(source)
        return {"units": 2 * source.numel() * 4}

    return copy


def _unheard(_line: str) -> None: ...


def main(threads: int, folder: Path) -> None:
    """Do what is asked for on stdin.

    Args:
        threads: Threads and processors that may be used.
        folder: The materials.
    """
    keep_freed_memory()  # as the command line does
    pin(threads)
    torch.set_num_threads(threads)
    serve(works(Materials(folder)))
