"""Which engine answers: the one asked for, or the fastest on this machine, measured once and remembered.

What is remembered lies in ``engines/`` of the folder, beside the model and not in it: the exported model and
``choice.json``. It holds for one saved model and one machine; for another it is measured again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sonoproof.errors import BundleError, ConfigError, MissingExtra, RunFolderError, SonoproofError
from sonoproof.inference.engines import Engine, OnnxRuntimeEngine, OpenVinoEngine, TorchEngine, check_engine, processors
from sonoproof.inference.model_spec import CARD_VERSION
from sonoproof.runfolder import atomic_path, read_json, sha256_of_file, write_json

__all__ = ["exported_engines", "open_engine"]

Say = Callable[[str], None]
EXPORTED: dict[str, Callable[[Path], Engine]] = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}
SCHEMA = "engine"
# A batch of `predict_files`.
MEASURED_FRAMES, MEASURED_ROUNDS = 8, 3
# PyTorch takes seconds to be imported, at each prediction: it is chosen where it is that many times faster.
TORCH_MARGIN = 2.0
DEVICES = ("auto", "cpu", "cuda")
# What engines and the export need; a new one is a reason to measure again.
LIBRARIES = ("onnx", "onnxruntime", "onnxscript", "openvino")


def open_engine(folder: Path, *, engine: str = "auto", device: str | None = None, say: Say) -> Engine:
    """Open a saved or an exported model.

    Args:
        folder: A run folder, the folder of a saved model, or a file of ``sonoproof export``.
        engine: ``auto``, ``torch``, ``onnxruntime`` or ``openvino``.
        device: ``cpu`` or ``cuda``; None or ``auto`` leaves it to the engine.
        say: Told what was measured or could not be done.

    Raises:
        SonoproofError: There is no usable model, or it cannot run as asked.
    """
    check_engine(engine)
    try:
        return _opened(folder, engine=engine, device=device, say=say)
    except PermissionError as error:
        raise BundleError(f"{error.filename}: cannot be read ({error.strerror}); ask its owner") from error


def _opened(folder: Path, *, engine: str, device: str | None, say: Say) -> Engine:
    _check_device(device, engine=engine, folder=folder)
    if folder.is_file():
        return _open_file(folder, engine=engine)
    if _is_uncalibrated(folder):
        say(f"the model was not calibrated and answers every frame; run `sonoproof calibrate {folder}` to mend that")
    if engine == "torch" or device == "cuda":
        return _torch(folder, device=device)
    place = _Place(folder)
    if engine in EXPORTED:
        return EXPORTED[engine](place.exported_model())
    return place.remembered(device=device) or _fastest(place, device=device, say=say)


def _check_device(device: str | None, *, engine: str, folder: Path) -> None:
    if device not in (None, *DEVICES):
        raise ConfigError(f"--device {device}: there is no such device; take one of {', '.join(DEVICES)}")
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


def exported_engines(file: Path) -> dict[str, Engine]:
    """An exported model in every engine that is installed.

    Raises:
        BundleError: The file is no model that was exported here.
    """
    found: dict[str, Engine] = {}
    for name, opened in EXPORTED.items():
        with contextlib.suppress(MissingExtra):
            found[name] = opened(file)
    return found


def _torch(folder: Path, *, device: str | None) -> Engine:
    from sonoproof.training.bundle import load_bundle
    from sonoproof.training.model import resolve_device

    return TorchEngine(load_bundle(folder), device=resolve_device(device or "auto"))


class _Place:
    """The engines of one saved model.

    Args:
        folder: The run folder, or the folder of the saved model.
    """

    def __init__(self, folder: Path) -> None:
        inside = folder / "model" / "model.json"
        self.folder = folder
        self._description = inside if inside.is_file() else folder / "model.json"
        self._file = folder / "engines" / "model.onnx"
        self._seal = folder / "engines" / "model.json"
        self._choice = folder / "engines" / "choice.json"

    def remembered(self, *, device: str | None) -> Engine | None:
        """The engine that was chosen on this machine for the model as it is now, from what is installed now."""
        try:
            known = read_json(self._choice, schema=SCHEMA)
        except RunFolderError:
            return None
        if known != {**known, **_circumstances(device), "model_sha256": self.model_sha256()}:
            return None
        if known.get("engine") == "torch":
            return _torch(self.folder, device=device)
        if known.get("engine") not in EXPORTED or not self._is_whole():
            return None
        try:
            return EXPORTED[known["engine"]](self._file)
        except MissingExtra:
            return None  # it is there and cannot be imported

    def remember(
        self, name: str, *, seconds_per_frame: dict[str, float], device: str | None, model_sha256: str
    ) -> None:
        """Write the choice down.

        Args:
            name: The engine.
            seconds_per_frame: Of each that was measured.
            device: The device that was asked for.
            model_sha256: Hash of the model that was measured.
        """
        content = {
            "engine": name,
            "seconds_per_frame": seconds_per_frame,
            **_circumstances(device),
            "model_sha256": model_sha256,
        }
        write_json(self._choice, content, schema=SCHEMA)

    def exported_model(self) -> Path:
        """The exported model, written if it is missing or of another model.

        Raises:
            MissingExtra: The libraries of the extra ``export`` are not installed.
            BundleError: It differs from the saved model.
            RunFolderError: The folder cannot be written to.
        """
        if not self._is_whole():
            from sonoproof.inference.export import require_parity, serialised
            from sonoproof.training.bundle import load_bundle

            # Before the model is read: if it changes meanwhile, the seal is that of the earlier one and does not hold.
            model_sha256 = self.model_sha256()
            bundle = load_bundle(self.folder)
            content = serialised(bundle)
            require_parity(bundle, content)
            with atomic_path(self._file) as temporary:
                temporary.write_bytes(content)
            seal = _seal(hashlib.sha256(content).hexdigest(), model_sha256=model_sha256)
            write_json(self._seal, seal, schema=SCHEMA)
        return self._file

    def model_sha256(self) -> str:
        """Hash of the saved model: its description, its weights, and what was chosen afterwards."""
        model = self._description.parent
        required, chosen = (self._description, model / "weights.safetensors"), ("decision.json", "likeness.safetensors")
        try:
            there = [*required, *(model / name for name in chosen if (model / name).is_file())]
            return hashlib.sha256("".join(map(sha256_of_file, there)).encode()).hexdigest()
        except OSError as error:
            raise BundleError(
                f"{self.folder}: holds no usable model ({error.filename}: {error.strerror or error})"
            ) from error

    def _is_whole(self) -> bool:
        """Whether the exported model is there, of this model, and still what was checked against it."""
        try:
            seal = read_json(self._seal, schema=SCHEMA)
            return seal == {**seal, **_seal(sha256_of_file(self._file), model_sha256=self.model_sha256())}
        except (OSError, RunFolderError):
            return False


def _seal(sha256: str, *, model_sha256: str) -> dict[str, object]:
    return {"sha256": sha256, "model_sha256": model_sha256, "card_version": CARD_VERSION}


def _circumstances(device: str | None) -> dict[str, object]:
    """What a choice holds for."""
    installed = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    return {"machine": _machine(), "device": device or "auto", "installed": installed}


def _fastest(place: _Place, *, device: str | None, say: Say) -> Engine:
    """Measure every engine that can be had, and remember the fastest."""
    model_sha256 = place.model_sha256()
    candidates: dict[str, Engine] = {"torch": _torch(place.folder, device=device)}
    try:
        candidates |= exported_engines(place.exported_model())
    except MissingExtra:
        pass
    except SonoproofError as error:
        say(f"engines other than torch left out: {error}")
    seconds = {name: _seconds_per_frame(engine) for name, engine in candidates.items()}
    fastest = min(seconds, key=lambda name: seconds[name] * (TORCH_MARGIN if name == "torch" else 1.0))
    try:
        place.remember(fastest, seconds_per_frame=seconds, device=device, model_sha256=model_sha256)
    except RunFolderError as error:
        say(f"the choice of the engine is not remembered: {error}")
    rates = ", ".join(f"{name} {1.0 / value:.0f}" for name, value in seconds.items())
    say(f"engine {fastest} (frames a second here: {rates})")
    return candidates[fastest]


def _seconds_per_frame(engine: Engine) -> float:
    size = engine.card.preprocessing.size
    frames = np.random.default_rng(0).integers(0, 256, (MEASURED_FRAMES, size, size, 3), dtype=np.uint8)
    engine.logits(frames)  # the first call allocates
    rounds = []
    for _ in range(MEASURED_ROUNDS):
        started = time.perf_counter()
        engine.logits(frames)
        rounds.append(time.perf_counter() - started)
    return min(rounds) / MEASURED_FRAMES


def _machine() -> str:
    """Tells machines apart without naming them."""
    facts = json.dumps([platform.node(), platform.machine(), processors()])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
