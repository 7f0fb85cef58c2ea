"""Predicting files from the command line: model, paths and a file to write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sonoproof.config import FramesConfig, load_config
from sonoproof.data.folder.imagefolder import printable_name
from sonoproof.errors import BundleError
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.files import FileAnswer, list_files, predict_files
from sonoproof.progress import SILENT, Reporter
from sonoproof.runfolder import RunFolder

ORDER = "name the model first, then the images"


def predict_paths(
    folder: Path, paths: Sequence[Path], *, engine: str = "auto", device: str = "auto", reporter: Reporter = SILENT
) -> list[FileAnswer]:
    """Predict image files: one answer for each.

    Args:
        folder: A run folder, the folder of a saved model, or an exported model.
        paths: Image files, and folders searched for images.
        engine: ``auto``, ``torch``, ``onnxruntime`` or ``openvino``.
        device: ``auto``, ``cpu`` or ``cuda``.
        reporter: Told how far it is.

    Raises:
        SonoproofError: There is no usable model, a path does not exist, or a folder may not be read.
    """
    check_model(folder)
    files = list_files(paths, say=reporter.say)
    frames = frames_config(folder)
    opened = open_engine(folder, engine=engine, device=device, say=reporter.say)
    reporter.stage("predicting")
    return predict_files(opened, files=files, frames=frames, progress=reporter.progress)


def frames_config(model: Path) -> FramesConfig:
    """The limits of the run that a model is of; the defaults for a model that lies outside of a run.

    ``RUN``, ``RUN/model`` and ``RUN/seeds/1/model`` name models of the same run.
    """
    if model.is_dir():
        if RunFolder(model).config.is_file():
            return load_config(RunFolder(model).config).frames
        for run in map(RunFolder, model.resolve().parents[:3]):
            if run.config.is_file() and run.manifest.is_file():
                return load_config(run.config).frames
    return FramesConfig()


def check_model(model: Path) -> None:
    """Refuse what was never a model; whether a model is damaged, opening it finds out.

    Raises:
        BundleError: There is nothing at the path, or something that is not a model.
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
            raise BundleError(f"{named}: is neither a run folder nor an exported .onnx model; {ORDER}")
        return
    if not os.access(model, os.R_OK | os.X_OK):
        raise BundleError(f"{named}: cannot be read: permission denied")
    if (model / "model" / "model.json").is_file() or (model / "model.json").is_file():
        return
    if RunFolder(model).config.is_file():
        raise BundleError(f"{named}: holds no model yet; finish the run with --resume")
    raise BundleError(
        f"{named}: holds no usable model: it is neither a run folder nor an exported .onnx model; {ORDER}"
    )
