"""Predicting files from the command line: model, paths and a file to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sonoproof.config import FramesConfig, load_config
from sonoproof.inference.answers import check_format, write_answers
from sonoproof.inference.predict import list_files, predict_files
from sonoproof.runfolder import RunFolder
from sonoproof.training.bundle import load_bundle
from sonoproof.training.model import resolve_device

__all__ = ["predict_to_file"]


class _Reporter(Protocol):
    def stage(self, name: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


def predict_to_file(
    folder: Path, paths: Sequence[Path], *, out: Path, device: str | None, reporter: _Reporter
) -> tuple[int, int]:
    """Predict image files and write one row for each.

    Args:
        folder: A run folder, or the folder of a saved model.
        paths: Image files, and folders searched for images.
        out: The file to write: csv, xlsx or parquet.
        device: ``auto``, ``cpu`` or ``cuda``; None for ``auto``.
        reporter: Told how far it is.

    Returns:
        How many files were predicted, and how many could not be read.

    Raises:
        SonoproofError: There is no usable model, a path does not exist, or the format is not known.
    """
    check_format(out)
    where = resolve_device(device or "auto")
    bundle = load_bundle(folder)
    settings = RunFolder(folder).config
    frames = load_config(settings).frames if settings.is_file() else FramesConfig()
    reporter.stage("predicting")
    table = predict_files(bundle, files=list_files(paths), frames=frames, device=where, progress=reporter.progress)
    write_answers(table, out)
    refused = int((table["reason"] != "").sum())
    return len(table) - refused, refused
