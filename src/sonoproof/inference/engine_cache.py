"""What is known of a saved model's engines: the model as it was exported, and the engine that is fastest here.

It is kept in ``engines/`` beside the model: ``model.onnx``, ``model.json``, which says what the file was exported from,
and ``choice.json``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
from pathlib import Path

from sonoproof.errors import BundleError, RunFolderError
from sonoproof.inference.engines import processors
from sonoproof.runfolder import atomic_path, read_json, sha256_of_file, write_json
from sonoproof.training.model_spec import SPEC_VERSION
from sonoproof.types import Json

SCHEMA = "engine"
# What engines and the export need; a new one is a reason to measure again.
LIBRARIES = ("onnx", "onnxruntime", "onnxscript", "openvino")


class EngineCache:
    """The exported form and the fastest engine of one saved model.

    Args:
        folder: The run folder, or the folder of the saved model.
    """

    def __init__(self, folder: Path) -> None:
        inside = folder / "model"
        self.folder = folder
        self._model = inside if (inside / "model.json").is_file() else folder
        self.exported = folder / "engines" / "model.onnx"
        self._origin = folder / "engines" / "model.json"
        self._choice = folder / "engines" / "choice.json"

    def remembered_engine(self, *, device: str) -> str | None:
        """Name of the engine that was fastest on this machine, for this model and what is installed now."""
        try:
            known = read_json(self._choice, schema=SCHEMA)
        except RunFolderError:
            return None
        wanted = {**_circumstances(device), "model_sha256": self.model_sha256()}
        return str(known["engine"]) if "engine" in known and wanted.items() <= known.items() else None

    def remember_engine(
        self, name: str, *, seconds_per_frame: dict[str, float], device: str, model_sha256: str
    ) -> None:
        """Write down which engine is the fastest.

        Args:
            name: The engine.
            seconds_per_frame: Of each engine that was measured.
            device: The device that was asked for.
            model_sha256: Hash of the model that was measured.

        Raises:
            RunFolderError: The folder cannot be written to.
        """
        measured = {"engine": name, "seconds_per_frame": seconds_per_frame}
        content = {**measured, **_circumstances(device), "model_sha256": model_sha256}
        write_json(self._choice, content, schema=SCHEMA)

    def export(self) -> Path:
        """The exported model, written unless it is there already.

        Raises:
            MissingExtra: The libraries of the extra ``export`` are not installed.
            BundleError: It differs from the saved model.
            RunFolderError: The folder cannot be written to.
        """
        if not self.is_exported():
            from sonoproof.inference.export import require_parity, to_onnx
            from sonoproof.training.bundle import load_bundle

            # Before the model is read: if it changes meanwhile, the file is known to be of the earlier one.
            model_sha256 = self.model_sha256()
            bundle = load_bundle(self.folder)
            content = to_onnx(bundle)
            require_parity(bundle, content)
            with atomic_path(self.exported) as temporary:
                temporary.write_bytes(content)
            write_json(self._origin, _origin(hashlib.sha256(content).hexdigest(), model_sha256), schema=SCHEMA)
        return self.exported

    def is_exported(self) -> bool:
        """Whether the exported model is there, of this model, and as it was when it was checked against it."""
        try:
            wanted = _origin(sha256_of_file(self.exported), self.model_sha256())
            return wanted.items() <= read_json(self._origin, schema=SCHEMA).items()
        except (OSError, RunFolderError):
            return False

    def model_sha256(self) -> str:
        """Hash of the saved model: its description, its weights, and what was chosen afterwards.

        Raises:
            BundleError: A file of the model is missing or cannot be read.
        """
        required = [self._model / name for name in ("model.json", "weights.safetensors")]
        chosen = [self._model / name for name in ("decision.json", "likeness.safetensors")]
        try:
            files = [*required, *(file for file in chosen if file.is_file())]
            return hashlib.sha256("".join(map(sha256_of_file, files)).encode()).hexdigest()
        except OSError as error:
            raise BundleError(
                f"{self.folder}: holds no usable model ({error.filename}: {error.strerror or error})"
            ) from error


def _origin(sha256: str, model_sha256: str) -> Json:
    return {"sha256": sha256, "model_sha256": model_sha256, "card_version": SPEC_VERSION}


def _circumstances(device: str) -> Json:
    """What a measurement holds for."""
    installed = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    return {"machine": _machine(), "device": device, "installed": installed}


def _machine() -> str:
    """Tells machines apart without naming them."""
    facts = json.dumps([platform.node(), platform.machine(), processors()])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
