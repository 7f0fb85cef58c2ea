"""Which engine answers: the one asked for, or the fastest on this machine, measured once and remembered."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sonoproof.errors import BundleError, ConfigError, MissingExtra, RunFolderError, SonoproofError
from sonoproof.inference.engine_cache import EngineCache
from sonoproof.inference.engines import Engine, OnnxRuntimeEngine, OpenVinoEngine, TorchEngine
from sonoproof.progress import SILENT, Say

EXPORTED: dict[str, Callable[[Path], Engine]] = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}
# A batch of `predict_files`.
MEASURED_FRAMES, MEASURED_ROUNDS = 8, 3
# PyTorch takes seconds to import, at each prediction: it is chosen where it is that many times faster.
TORCH_MARGIN = 2.0
ENGINES = ("auto", "torch", *EXPORTED)
DEVICES = ("auto", "cpu", "cuda")


def open_engine(folder: Path, *, engine: str = "auto", device: str = "auto", say: Say = SILENT.say) -> Engine:
    """Open a saved or an exported model.

    Args:
        folder: A run folder, the folder of a saved model, or a file of ``sonoproof export``.
        engine: ``auto``, ``torch``, ``onnxruntime`` or ``openvino``.
        device: ``auto``, ``cpu`` or ``cuda``.
        say: Told what was measured or could not be done.

    Raises:
        SonoproofError: There is no usable model, or it cannot run as asked.
    """
    try:
        _check_options(engine, device, folder=folder)
        if folder.is_file():
            return _open_file(folder, engine=engine)
        if _is_uncalibrated(folder):
            say(f"the model is not calibrated and answers every frame; to change that: sonoproof calibrate {folder}")
        if engine == "torch" or device == "cuda":
            return _torch(folder, device=device)
        cache = EngineCache(folder)
        if engine in EXPORTED:
            return EXPORTED[engine](cache.export())
        return _remembered(cache, device=device) or _fastest(cache, device=device, say=say)
    except PermissionError as error:
        raise BundleError(f"{error.filename}: cannot be read ({error.strerror}); ask its owner for access") from error


def exported_engines(file: Path) -> dict[str, Engine]:
    """An exported model in every engine that is installed.

    Raises:
        BundleError: The file is not a model that Sonoproof exported.
    """
    found: dict[str, Engine] = {}
    for name, opened in EXPORTED.items():
        with contextlib.suppress(MissingExtra):
            found[name] = opened(file)
    return found


def _check_options(engine: str, device: str, *, folder: Path) -> None:
    if engine not in ENGINES:
        raise ConfigError(f"--engine {engine}: there is no such engine; choose one of {', '.join(ENGINES)}")
    if device not in DEVICES:
        raise ConfigError(f"--device {device}: there is no such device; choose one of {', '.join(DEVICES)}")
    if device == "cuda" and engine in EXPORTED:
        raise ConfigError(f"--device cuda goes with --engine torch; {engine} runs on the processor here")
    if device == "cuda" and folder.is_file():
        raise ConfigError(f"{folder}: an exported model runs on the processor; --device cuda needs the run folder")


def _is_uncalibrated(folder: Path) -> bool:
    """Whether the stage that follows training has not been run, or what it wrote is lost."""
    model = folder / "model"
    return (model / "model.json").is_file() and not (model / "decision.json").is_file()


def _open_file(file: Path, *, engine: str) -> Engine:
    if engine == "torch":
        raise ConfigError(f"{file}: is an exported model; --engine torch needs the run folder")
    if engine != "auto":
        return EXPORTED[engine](file)
    try:
        return OnnxRuntimeEngine(file)
    except MissingExtra as missing:
        try:
            return OpenVinoEngine(file)
        except MissingExtra:
            raise missing from None


def _torch(folder: Path, *, device: str) -> Engine:
    from sonoproof.training.bundle import load_bundle

    return TorchEngine(load_bundle(folder), device=device)


def _remembered(cache: EngineCache, *, device: str) -> Engine | None:
    """The engine that was the fastest before, if it can still be opened."""
    name = cache.remembered_engine(device=device)
    if name == "torch":
        return _torch(cache.folder, device=device)
    if name in EXPORTED and cache.is_exported():
        with contextlib.suppress(MissingExtra):  # it is installed and cannot be imported
            return EXPORTED[name](cache.exported)
    return None


def _fastest(cache: EngineCache, *, device: str, say: Say) -> Engine:
    """Measure every engine there is, and remember the fastest."""
    model_sha256 = cache.model_sha256()
    candidates: dict[str, Engine] = {"torch": _torch(cache.folder, device=device)}
    try:
        candidates |= exported_engines(cache.export())
    except MissingExtra:
        pass
    except SonoproofError as error:
        say(f"engines other than torch left out: {error}")
    seconds = {name: _seconds_per_frame(engine) for name, engine in candidates.items()}
    fastest = min(seconds, key=lambda name: seconds[name] * (TORCH_MARGIN if name == "torch" else 1.0))
    try:
        cache.remember_engine(fastest, seconds_per_frame=seconds, device=device, model_sha256=model_sha256)
    except RunFolderError as error:
        say(f"the choice of the engine is not remembered: {error}")
    rates = ", ".join(f"{name} {1.0 / value:.0f}" for name, value in seconds.items())
    say(f"engine {fastest} (frames per second here: {rates})")
    return candidates[fastest]


def _seconds_per_frame(engine: Engine) -> float:
    size = engine.spec.preprocessing.size
    frames = np.random.default_rng(0).integers(0, 256, (MEASURED_FRAMES, size, size, 3), dtype=np.uint8)
    engine.logits(frames)  # the first call allocates
    rounds = []
    for _ in range(MEASURED_ROUNDS):
        started = time.perf_counter()
        engine.logits(frames)
        rounds.append(time.perf_counter() - started)
    return min(rounds) / MEASURED_FRAMES
