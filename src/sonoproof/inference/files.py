"""Image files to answers: decoding runs ahead in threads while the network works. Needs neither torch nor pandas."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sonoproof.concurrency import map_in_order
from sonoproof.config import FramesConfig
from sonoproof.data.folder.imagefolder import (
    IMAGE_SUFFIXES,
    FolderContents,
    describe_left_out,
    printable_name,
    search_folder,
)
from sonoproof.data.frames.images import GivenImage, pixels_of
from sonoproof.errors import CohortError, FrameError
from sonoproof.inference.engines import Engine, processors
from sonoproof.inference.scoring import check_finite, judge, score
from sonoproof.progress import SILENT, Progress, Say
from sonoproof.types import UInt8Array
from sonoproof.wording import counted


@dataclass(frozen=True, kw_only=True)
class FileAnswer:
    r"""The answer for one image file; the fields are the columns of the file of predictions, in their order.

    Attributes:
        path: The file, as it was asked for; bytes of its name that are not UTF-8 are written as ``\xe9``.
        predicted: Name of the predicted class; empty where the file cannot be read.
        answer: The same, or "not sure", or "unlike the training frames".
        probability: Of the positive class; NaN where the file cannot be read.
        logit: Of the positive class, before calibration; NaN where the file cannot be read.
        positive_class: Name of the positive class.
        threshold: Probability from which a frame is predicted positive.
        novelty: Above 1, the frame does not resemble the training frames; NaN where that is not known. Its column is
            ``unlike``.
        reason: Why the file cannot be read, or empty.
    """

    path: str
    predicted: str = ""
    answer: str = ""
    probability: float = math.nan
    logit: float = math.nan
    positive_class: str
    threshold: float
    novelty: float = field(default=math.nan, metadata={"column": "unlike"})
    reason: str = ""


def list_files(paths: Sequence[Path], *, say: Say) -> list[Path]:
    """The files that were asked for: files as named, folders searched for images, each file once.

    A file is listed if it is named, or if it lies in a folder and its name ends like an image's; it may still turn out
    not to be readable.

    Args:
        paths: Files and folders.
        say: Told what was skipped in a folder.

    Raises:
        CohortError: A path does not exist, a folder holds no image, or it or a subfolder may not be read.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a parent may not be searched
            found.update(dict.fromkeys(_images_of(path, say=say)))
        elif _is_there(path):
            found[path] = None
        else:
            raise CohortError(f"{printable_name(str(path))}: there is no such file or folder")
    return list(found)


def _images_of(folder: Path, *, say: Say) -> list[Path]:
    contents = search_folder(folder)
    for line in _passed_over(printable_name(str(folder)), contents):
        say(line)
    if not contents.images:
        raise CohortError(f"{printable_name(str(folder))}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return sorted(folder / name for name in contents.images)


def _passed_over(folder: str, contents: FolderContents) -> list[str]:
    links = (f"{folder}/{printable_name(link)}" for link in contents.linked_folders)
    lines = [f"{link}: is a link to a folder, which is not followed; name the folder itself" for link in links]
    lines += [f"left out in {folder}: {kind}, {named}" for kind, named in describe_left_out(contents.left_out).items()]
    if contents.others:
        others = counted(len(contents.others), "other file")
        lines.insert(0, f"{others} in {folder} {'was' if len(contents.others) == 1 else 'were'} not looked at")
    return lines


def _is_there(path: Path) -> bool:
    """Whether there may be something at a path; where that cannot be found out, reading it says why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def predict_files(
    engine: Engine, *, files: Sequence[Path], frames: FramesConfig, batch: int = 8, progress: Progress = SILENT.progress
) -> list[FileAnswer]:
    """Predict image files; a file that cannot be read gets an answer with its reason and no prediction.

    Args:
        engine: The model.
        files: The files.
        frames: Limit on the size of images, and the threads that decode.
        batch: Frames per batch; more do not fit into a processor's cache and take longer each.
        progress: Told the files done and the files in all.

    Returns:
        One answer per file, in their order.

    Raises:
        FrameError: The model gives no finite number for a file that can be read.
    """
    return predict_images(engine, images=files, frames=frames, batch=batch, progress=progress)


def predict_images(
    engine: Engine,
    *,
    images: Sequence[GivenImage],
    frames: FramesConfig,
    batch: int = 8,
    progress: Progress = SILENT.progress,
) -> list[FileAnswer]:
    """Predict images in files or in memory; what cannot be read gets an answer with its reason and no prediction.

    Args:
        engine: The model.
        images: The images; an answer has no path if its image was not given as one.
        frames: Limit on the size of images, and the threads that decode.
        batch: Frames per batch.
        progress: Told the images done and the images in all.

    Returns:
        One answer per image, in their order.

    Raises:
        FrameError: The model gives no finite number for an image that can be read.
    """

    def read(image: GivenImage) -> _Read:
        file = image if isinstance(image, Path) else None
        try:
            pixels = pixels_of(image, max_pixels=frames.max_pixels, bits=engine.spec.preprocessing.bits)
            return _Read(file, engine.spec.preprocessing(pixels))
        except FrameError as error:
            return _Read(file, None, reason=error.reason)

    answers: list[FileAnswer] = []
    decoded = map_in_order(read, images, workers=frames.workers or processors())
    while chunk := list(itertools.islice(decoded, batch)):
        answers += _answers(engine, chunk)
        progress(len(answers), len(images))
    return answers


@dataclass(frozen=True)
class _Read:
    """An image with its canvas, or with the reason why there is none."""

    file: Path | None
    canvas: UInt8Array | None
    reason: str = ""


def _answers(engine: Engine, chunk: Sequence[_Read]) -> list[FileAnswer]:
    """The answers for a batch of files; only those that could be read are predicted."""
    classes, point = engine.spec.classes, engine.spec.decision.operating_point
    answers = [
        FileAnswer(
            path="" if read.file is None else printable_name(str(read.file)),
            positive_class=classes.positive,
            threshold=point.threshold,
            reason=read.reason,
        )
        for read in chunk
    ]
    canvases = {place: read.canvas for place, read in enumerate(chunk) if read.canvas is not None}
    if canvases:
        scores = score(engine, np.stack(list(canvases.values())))
        check_finite(scores, names=[chunk[place].file or "an image in memory" for place in canvases])
        verdicts = judge(scores, engine.spec)
        for k, place in enumerate(canvases):
            answers[place] = dataclasses.replace(
                answers[place],
                predicted=str(verdicts.predicted[k]),
                answer=str(verdicts.answers[k]),
                probability=float(verdicts.probabilities[k]),
                logit=float(scores.logits[k]),
                novelty=float(scores.novelty[k]),
            )
    return answers
