"""Trains the variants on packed sets, several at a time, and writes one small file per training."""

from __future__ import annotations

import functools
import io
import json
import multiprocessing
import os
import queue
import re
import tarfile
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.protocol.pack import HELD_OUT, SIZE, STOP, TRAIN, WEIGHTS, Packed, read_packed
from benchmarks.protocol.variants import VARIANTS, Variant
from numpy.typing import NDArray

from sonoproof.classes import Classes
from sonoproof.config import FitConfig, ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.progress import SILENT
from sonoproof.runfolder import RunFolder, atomic_path
from sonoproof.training.augmentation import draw
from sonoproof.training.augmenting import augment
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import OrderedBatches, Rows
from sonoproof.training.features import extract_features
from sonoproof.training.fit import Training
from sonoproof.training.head import fit_head
from sonoproof.training.job import Parts, TrainingJob
from sonoproof.training.model import BinaryClassifier, resolve_device
from sonoproof.training.model_spec import ModelSpec
from sonoproof.training.recipes import VARIED, recipe_for

BUNDLE_EVERY_S = 45.0


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Attributes:
        pack: Folder of the packed sets and the backbone.
        out: Folder of the results.
        variants: Their names; none for all.
        sets: Names of the sets; none for all.
        seeds: Trainings of each variant on each fold.
        folds: Folds that are held out, one after the other.
        workers: Processes that train at the same time.
        device: ``auto``, ``cpu`` or ``cuda``.
        minutes: No training begins after this time.
        bundle: A tar file that all results are collected in, again and again; None for none.
    """

    pack: Path
    out: Path
    variants: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    seeds: int = 3
    folds: int = 5
    workers: int = 1
    device: str = "auto"
    minutes: float = 1e9
    bundle: Path | None = None


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        variant: Name of the variant.
        of_set: Name of the set.
        fold: The fold that is held out.
        seed: Seed of the training.
    """

    variant: str
    of_set: str
    fold: int
    seed: int

    @property
    def file(self) -> str:
        """Name of the file of its result."""
        return f"{re.sub('[^a-z0-9.-]+', '-', self.variant)}_{self.of_set}_s{self.seed}_f{self.fold}.npz"


def tasks(plan: Plan) -> list[Task]:
    """The trainings, what matters most first: of each rank, every variant with one seed, then with the next."""
    sets = plan.sets or tuple(sorted(file.stem for file in plan.pack.glob("*.npz")))
    wanted = [
        Task(variant, of_set, fold, seed)
        for seed in range(plan.seeds)
        for variant in plan.variants or VARIANTS
        for of_set in sets
        for fold in range(plan.folds)
    ]
    return sorted(wanted, key=lambda task: 2 * VARIANTS[task.variant].rank + task.seed)  # a stable order


def train_all(plan: Plan) -> None:
    """Train what has no result yet, until the time is over."""
    deadline = time.monotonic() + 60.0 * plan.minutes
    plan.out.mkdir(parents=True, exist_ok=True)
    wanted = [task for task in tasks(plan) if not (plan.out / task.file).is_file()]
    print(f"{len(wanted)} trainings, {plan.workers} at a time", flush=True)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        for of_set in sorted({task.of_set for task in wanted}):
            read_packed(plan.pack / f"{of_set}.npz", scratch=Path(scratch))
        context = multiprocessing.get_context("spawn")
        waiting: Any = context.Queue()
        for task in wanted:
            waiting.put(task)
        workers = [
            context.Process(target=_work, args=(plan, waiting, Path(scratch), deadline)) for _ in range(plan.workers)
        ]
        for worker in workers:
            worker.start()
        _wait(workers, plan, deadline=deadline)
    _collect(plan)


def _wait(workers: Sequence[Any], plan: Plan, *, deadline: float) -> None:
    """Wait for the workers, collecting results now and then; one that is not done a while after the end is stopped."""
    collected = time.monotonic()
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.5)
        if time.monotonic() - collected > BUNDLE_EVERY_S:
            collected = time.monotonic()
            print(f"{_collect(plan)} results", flush=True)
        if time.monotonic() > deadline + 25.0:
            for worker in workers:
                worker.terminate()
            break
    for worker in workers:
        worker.join()


def _collect(plan: Plan) -> int:
    """Write all results into the tar file, where one is wanted; returns how many there are."""
    results = sorted(plan.out.glob("[!.]*.npz")) + sorted(plan.out.glob("*.failed.txt"))
    if plan.bundle is not None:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            for file in results:
                tar.add(file, arcname=file.name)
        with atomic_path(plan.bundle) as temporary:
            temporary.write_bytes(content.getvalue())
    return len(results)


def _work(plan: Plan, waiting: Any, scratch: Path, deadline: float) -> None:
    """Train one after the other until there is nothing left or no time."""
    if plan.workers > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // plan.workers))
    bench = _Bench(plan, scratch)
    for task in _taken(waiting, deadline):
        try:
            result = bench.train(task)
        except (RuntimeError, ValueError, OSError):
            (plan.out / f"{task.file}.failed.txt").write_text(traceback.format_exc(), encoding="utf-8")
            print(f"{task}: {traceback.format_exc(limit=-3)}", flush=True)
            continue
        with atomic_path(plan.out / task.file, durable=False) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **result)


def _taken(waiting: Any, deadline: float) -> Iterator[Task]:
    while time.monotonic() < deadline:
        try:
            yield waiting.get(timeout=5.0)
        except queue.Empty:
            return


class _Bench:
    """What the trainings of one process share."""

    def __init__(self, plan: Plan, scratch: Path) -> None:
        self._scratch = scratch
        self._pack = plan.pack
        self._device = resolve_device(plan.device)
        self._model = ModelConfig(backbone=str(plan.pack / WEIGHTS), device=plan.device)  # type: ignore[arg-type]

    def train(self, task: Task) -> dict[str, Any]:
        """The logits of the fold held out and of the rows set aside, and how long it took."""
        started, spent = time.perf_counter(), time.process_time()
        packed, variant = self._packed(task.of_set), VARIANTS[task.variant]
        use = packed.use[task.fold]
        trained = self._features(packed, use, task) if variant.views else self._network(packed, use, task)
        logits, facts = trained
        facts |= {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - spent}
        return {
            "held_out": np.flatnonzero(use == HELD_OUT),
            "logits": logits[use == HELD_OUT],
            "stop": np.flatnonzero(use == STOP),
            "stop_logits": logits[use == STOP],
            "facts": json.dumps({**facts, "device": _device_name(self._device)}),
        }

    def _network(self, packed: Packed, use: NDArray[np.int8], task: Task) -> tuple[NDArray[np.float32], dict[str, Any]]:
        variant: Variant = VARIANTS[task.variant]
        config = FitConfig(seed=task.seed, threads=torch.get_num_threads())
        load = _Load(packed)
        job = TrainingJob(
            parts=Parts(*(packed.rows.take(np.flatnonzero(use == what)) for what in (TRAIN, STOP, -1))),
            load=load,
            load_features=lambda ids: self._frozen(packed.name, view=-1)[[load.place[name] for name in ids]],
            spec=ModelSpec(Classes("negative", "positive"), Preprocessing(SIZE)),
            model=self._model,
            config=config,
        )
        classifier = load_backbone(self._model, seed=task.seed, image_size=SIZE).to(self._device)
        recipe = variant.changed(recipe_for(config, pretrained=True))
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder, torch.random.fork_rng():
            training: Training = variant.training(job, RunFolder(Path(folder)), recipe, classifier, self._device)
            chosen = training.train(resume=False, progress=SILENT.progress)
        wanted = np.flatnonzero(use != TRAIN)
        logits = np.full(len(use), np.nan, np.float32)
        logits[wanted] = _logits(classifier, packed.rows.take(wanted), load=load, device=self._device)
        return logits, {"epoch_chosen": chosen}

    def _features(
        self, packed: Packed, use: NDArray[np.int8], task: Task
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A regression on frozen features: of the frame itself, and of augmented views of the training frames."""
        train = np.flatnonzero(use == TRAIN)
        plain, *views = (
            self._frozen(packed.name, view=view)[train] for view in range(-1, VARIANTS[task.variant].views - 1)
        )
        weight, bias = fit_head(plain, packed.rows.take(train), balanced=True, seed=task.seed, views=views)
        return (self._frozen(packed.name, view=-1) @ weight + bias).astype(np.float32), {"epoch_chosen": 0}

    @functools.cache  # noqa: B019 (one bench lives as long as its process)
    def _packed(self, name: str) -> Packed:
        return read_packed(self._pack / f"{name}.npz", scratch=self._scratch)

    def _frozen(self, name: str, *, view: int) -> NDArray[np.float32]:
        """Features of a set under the backbone: of the frames, or of a view of them; shared by all processes."""
        file = self._scratch / f"{name}-view{view}-features.npy"
        if not file.is_file():
            features = self._extracted(self._packed(name), view=view)
            with atomic_path(file, durable=False) as temporary, temporary.open("wb") as opened:
                np.save(opened, features)
        found: NDArray[np.float32] = np.load(file)
        return found

    def _extracted(self, packed: Packed, *, view: int) -> NDArray[np.float32]:
        classifier = load_backbone(self._model, seed=0, image_size=SIZE)
        load = _Load(packed, view=view)
        return extract_features(classifier, packed.rows.image_ids, load=load, device=self._device)


class _Load:
    """Gives canvases by image id; of a view from 0 on, changed as in the epoch of this number.

    Args:
        packed: The set.
        view: Number of the view; -1 for the frames as they are.
    """

    def __init__(self, packed: Packed, *, view: int = -1) -> None:
        self.place = {image_id: k for k, image_id in enumerate(packed.rows.image_ids)}
        self._canvases = packed.canvases
        self._view = view

    def __call__(self, image_ids: Sequence[str]) -> NDArray[np.uint8]:
        """The canvases in the order asked for, (N, S, S, 3)."""
        frames = self._canvases[[self.place[image_id] for image_id in image_ids]]
        if self._view < 0:
            return frames
        return augment(frames, draw(image_ids, augmentation=VARIED, seed=0, epoch=self._view, size=SIZE))


@torch.inference_mode()
def _logits(classifier: BinaryClassifier, rows: Rows, *, load: _Load, device: torch.device) -> NDArray[np.float32]:
    classifier = classifier.to(device).eval()
    batches = OrderedBatches(rows, load=load, batch=64, device=device)
    return np.concatenate([classifier(frames).float().cpu().numpy() for frames, _ in batches])


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
