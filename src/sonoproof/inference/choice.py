"""Which engine answers: the one asked for, or the fastest on this machine, measured once and remembered.

What is remembered lies in ``engines/`` of the folder, beside the model and not in it: the exported model and
``choice.json``. It holds for one saved model and one machine; for another it is measured again.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sonoproof.errors import BundleError, ConfigError, MissingExtra, RunFolderError, SonoproofError
from sonoproof.inference.card import CARD_VERSION
from sonoproof.inference.engines import Engine, OnnxRuntimeEngine, OpenVinoEngine, TorchEngine, check_engine, processors
from sonoproof.runfolder import read_json, sha256_of_file, write_json

__all__ = ["open_engine"]

Say = Callable[[str], None]
EXPORTED: dict[str, Callable[[Path], Engine]] = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}
SCHEMA = "engine"
MEASURED_FRAMES, MEASURED_ROUNDS = 16, 3


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
    if device == "cuda" and engine in EXPORTED:
        raise ConfigError(f"--device cuda goes with --engine torch; {engine} runs on the processor here")
    if folder.is_file():
        return _open_file(folder, engine=engine)
    if engine == "torch" or device == "cuda":
        return _torch(folder, device=device)
    place = _Place(folder)
    if engine in EXPORTED:
        return EXPORTED[engine](place.exported_model())
    return place.remembered() or _fastest(place, device=device, say=say)


def _open_file(file: Path, *, engine: str) -> Engine:
    if engine == "torch":
        raise ConfigError(f"{file}: is an exported model; --engine torch needs the run folder")
    return EXPORTED["onnxruntime" if engine == "auto" else engine](file)


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

    def remembered(self) -> Engine | None:
        """The engine that was chosen on this machine for the model as it is now."""
        try:
            known = read_json(self._choice, schema=SCHEMA)
        except RunFolderError:
            return None
        if known.get("machine") != _machine() or known.get("model_sha256") != self.model_sha256():
            return None
        if known.get("engine") == "torch":
            return _torch(self.folder, device="cpu")
        if known.get("engine") not in EXPORTED or not self._is_whole():
            return None
        try:
            return EXPORTED[known["engine"]](self._file)
        except MissingExtra:
            return None  # it was installed when it was chosen, and is not any more

    def remember(self, name: str, seconds_a_frame: dict[str, float]) -> None:
        """Write the choice down."""
        content = {
            "engine": name,
            "seconds_a_frame": seconds_a_frame,
            "machine": _machine(),
            "model_sha256": self.model_sha256(),
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
            from sonoproof.inference.export import export_onnx
            from sonoproof.training.bundle import load_bundle

            export_onnx(load_bundle(self.folder), out=self._file)
            write_json(self._seal, self._sealed(), schema=SCHEMA)
        return self._file

    def model_sha256(self) -> str:
        """Hash of the saved model: of its description, which holds that of the weights, and of what was chosen."""
        decision = self._description.with_name("decision.json")
        try:
            hashes = [
                sha256_of_file(path) for path in (self._description, decision) if path.is_file() or path != decision
            ]
            return hashlib.sha256("".join(hashes).encode()).hexdigest()
        except OSError as error:
            raise BundleError(f"{self.folder}: holds no usable model ({self._description.name} is missing)") from error

    def _is_whole(self) -> bool:
        """Whether the exported model is there, of this model, and still what was checked against it."""
        try:
            seal = read_json(self._seal, schema=SCHEMA)
            return seal == {**seal, **self._sealed()}
        except (OSError, RunFolderError):
            return False

    def _sealed(self) -> dict[str, object]:
        return {
            "sha256": sha256_of_file(self._file),
            "model_sha256": self.model_sha256(),
            "card_version": CARD_VERSION,
        }


def _fastest(place: _Place, *, device: str | None, say: Say) -> Engine:
    """Measure every engine that can be had, and remember the fastest."""
    candidates: dict[str, Engine] = {"torch": _torch(place.folder, device=device)}
    for name, opened in EXPORTED.items():
        try:
            candidates[name] = opened(place.exported_model())
        except MissingExtra:
            continue
        except SonoproofError as error:
            say(f"engine {name} left out: {error}")
    seconds = {name: _seconds_a_frame(engine) for name, engine in candidates.items()}
    fastest = min(seconds, key=seconds.__getitem__)
    try:
        place.remember(fastest, seconds)
    except RunFolderError as error:
        say(f"the choice of the engine is not remembered: {error}")
    rates = ", ".join(f"{name} {1.0 / value:.0f}" for name, value in seconds.items())
    say(f"engine {fastest} (frames a second here: {rates})")
    return candidates[fastest]


def _seconds_a_frame(engine: Engine) -> float:
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
