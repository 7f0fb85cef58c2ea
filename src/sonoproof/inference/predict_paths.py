"""Predicting files from the command line: model, paths and a file to write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sonoproof.config import FramesConfig, load_config
from sonoproof.data.folder.imagefolder import printable_name
from sonoproof.errors import BundleError
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.files import FileAnswer, list_files, predict_files
from sonoproof.runfolder import RunFolder

__all__ = ["predict_paths"]

ORDER = "the model is named first, the images after it"


class _Reporter(Protocol):
    def stage(self, name: str) -> None: ...

    def say(self, line: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


def predict_paths(
    folder: Path, paths: Sequence[Path], *, engine: str = "auto", device: str | None = None, reporter: _Reporter
) -> list[FileAnswer]:
    """Predict image files: one answer for each.

    Args:
        folder: A run folder, the folder of a saved model, or an exported model.
        paths: Image files, and folders searched for images.
        engine: ``auto``, ``torch``, ``onnxruntime`` or ``openvino``.
        device: ``auto``, ``cpu`` or ``cuda``; None for ``auto``.
        reporter: Told how far it is.

    Raises:
        SonoproofError: There is no usable model, a path does not exist, or a folder may not be read.
    """
    _check_model(folder)
    files = list_files(paths, say=reporter.say)
    settings = RunFolder(folder).config
    frames = load_config(settings).frames if settings.is_file() else FramesConfig()
    opened = open_engine(folder, engine=engine, device=device, say=reporter.say)
    reporter.stage("predicting")
    return predict_files(opened, files=files, frames=frames, progress=reporter.progress)


def _check_model(model: Path) -> None:
    """Tell a path that was mistaken for the model's from a model that is damaged, which opening it finds.

    Raises:
        BundleError: There is nothing, or something else than a model.
    """
    named = printable_name(str(model))
    try:
        model.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"{named}: there is no such run folder or exported model") from error
    except OSError as error:
        raise BundleError(f"{named}: cannot be read ({error.strerror})") from error
    if not model.is_dir():
        if model.suffix.lower() != ".onnx":
            raise BundleError(f"{named}: is not a run folder, nor an exported .onnx model; {ORDER}")
        return
    if not os.access(model, os.R_OK | os.X_OK):
        raise BundleError(f"{named}: cannot be read; ask for read permission")
    if (model / "model" / "model.json").is_file() or (model / "model.json").is_file():
        return
    if RunFolder(model).config.is_file():
        raise BundleError(f"{named}: holds no usable model; the run has not come so far: finish it with --resume")
    raise BundleError(f"{named}: holds no usable model: it is not a run folder, nor an exported .onnx model; {ORDER}")
