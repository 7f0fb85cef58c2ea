"""Predicting files from the command line: model, paths and a file to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sonoproof.config import FramesConfig, load_config
from sonoproof.inference.choice import open_engine
from sonoproof.inference.files import FileAnswer, list_files, predict_files
from sonoproof.runfolder import RunFolder

__all__ = ["predict_paths"]


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
        SonoproofError: There is no usable model, or a path does not exist.
    """
    files = list_files(paths)
    settings = RunFolder(folder).config
    frames = load_config(settings).frames if settings.is_file() else FramesConfig()
    opened = open_engine(folder, engine=engine, device=device, say=reporter.say)
    reporter.stage("predicting")
    return predict_files(opened, files=files, frames=frames, progress=reporter.progress)
