"""Image files to answers: decoding runs ahead in threads while the network works. Needs neither torch nor pandas."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sonoproof.config import FramesConfig
from sonoproof.data.folder.imagefolder import IMAGE_SUFFIXES, FolderContents, printable_name, search_folder
from sonoproof.data.frames.facts import decode
from sonoproof.errors import CohortError, FrameError
from sonoproof.inference.engines import Engine, processors
from sonoproof.inference.model_spec import ModelSpec
from sonoproof.training.verdict import answers_of

__all__ = ["FileAnswer", "list_files", "predict_files"]

Say = Callable[[str], None]
Progress = Callable[[int, int], None]
UInt8 = npt.NDArray[np.uint8]
Canvas = UInt8 | str


@dataclass(frozen=True)
class FileAnswer:
    r"""The answer for one image file; the fields are the columns of the file of predictions.

    Attributes:
        path: The file, as it was asked for; bytes of its name that are no UTF-8 are written as ``\xe9``.
        predicted: Name of the class; empty where the file cannot be read.
        answer: The same, or "not sure", or "unlike the training frames".
        probability: Of the positive class; NaN where the file cannot be read.
        logit: Of the positive class, before calibration; NaN where the file cannot be read.
        positive_class: Name of the positive class.
        threshold: Probability from which a frame is called positive.
        unlike: How unlike the training frames, more than 1 is unlike; NaN where that is not known.
        reason: Why the file cannot be read, or empty.
    """

    path: str
    predicted: str
    answer: str
    probability: float
    logit: float
    positive_class: str
    threshold: float
    unlike: float
    reason: str


def list_files(paths: Sequence[Path], *, say: Say) -> list[Path]:
    """The files that were asked for: files as named, folders searched for images, each file once.

    A file that is named, or in a folder ends like an image, is listed though it may turn out not to be readable.

    Args:
        paths: Files and folders.
        say: Told what was passed over in a folder.

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
    lines = []
    if contents.others:
        count = len(contents.others)
        lines.append(
            f"{count:,} other {'file' if count == 1 else 'files'} in {folder} {'was' if count == 1 else 'were'} not"
            " looked at"
        )
    lines += [
        f"{folder}/{printable_name(link)}: is a link to a folder, which is not followed; name the folder itself"
        for link in contents.linked_folders
    ]
    return lines


def _is_there(path: Path) -> bool:
    """Whether there may be something at a path; where that cannot be seen, reading it says why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def predict_files(
    engine: Engine,
    *,
    files: Sequence[Path],
    frames: FramesConfig,
    batch: int = 8,
    progress: Progress | None = None,
) -> list[FileAnswer]:
    """Predict image files; a file that cannot be read gets an answer with its reason and no prediction.

    Args:
        engine: The model.
        files: The files.
        frames: Limit on the size of images, and the threads that decode.
        batch: Frames a batch; more do not fit into a processor's cache and take longer each.
        progress: Told the files done and the files in all.

    Returns:
        One answer a file, in their order.

    Raises:
        FrameError: The model gives no finite number for a file that can be read.
    """
    answers: list[FileAnswer] = []
    for chunk, canvases in _decoded_ahead(engine.card, files=files, frames=frames, batch=batch):
        answers += _answered(engine, chunk, canvases)
        if progress is not None:
            progress(len(answers), len(files))
    return answers


def _decoded_ahead(
    card: ModelSpec, *, files: Sequence[Path], frames: FramesConfig, batch: int
) -> Iterator[tuple[Sequence[Path], list[Canvas]]]:
    """Chunks of files with their canvases; the next chunk is decoded while the caller works on this one."""

    def canvas(file: Path) -> Canvas:
        try:
            return card.preprocessing(decode(file, max_pixels=frames.max_pixels))
        except FrameError as error:
            return error.reason

    if len(files) == 1:  # a thread would only be waited for
        yield files, [canvas(files[0])]
        return
    chunks = [files[start : start + batch] for start in range(0, len(files), batch)]
    with ThreadPoolExecutor(frames.workers or processors(), thread_name_prefix="decode") as pool:
        waiting: list[Future[Canvas]] = [pool.submit(canvas, file) for file in chunks[0]] if chunks else []
        for chunk, following in zip(chunks, [*chunks[1:], ()], strict=True):
            ready = [future.result() for future in waiting]
            waiting = [pool.submit(canvas, file) for file in following]
            yield chunk, ready


def _answered(engine: Engine, files: Sequence[Path], canvases: Sequence[Canvas]) -> list[FileAnswer]:
    readable = [position for position, canvas in enumerate(canvases) if not isinstance(canvas, str)]
    logits, unlike = np.full(len(files), np.nan), np.full(len(files), np.nan)
    if readable:
        frames = np.stack([canvases[position] for position in readable])
        logits[readable] = engine.logits(frames)
        if engine.card.likeness is not None:
            unlike[readable] = engine.card.likeness.score(frames)
        for position in readable:
            if not math.isfinite(logits[position]):
                raise FrameError("the model gave no finite number", path=files[position])
    decision = engine.card.decision
    called = np.where(decision.called(logits), engine.card.positive, engine.card.negative)
    said = answers_of(called, sure=decision.sure(logits), unlike=unlike)
    probabilities = decision.probability(logits)
    return [
        FileAnswer(
            path=printable_name(str(file)),
            predicted="" if isinstance(canvas, str) else str(called[k]),
            answer="" if isinstance(canvas, str) else str(said[k]),
            probability=float(probabilities[k]),
            logit=float(logits[k]),
            positive_class=engine.card.positive,
            threshold=decision.operating_point.threshold,
            unlike=float(unlike[k]),
            reason=canvas if isinstance(canvas, str) else "",
        )
        for k, (file, canvas) in enumerate(zip(files, canvases, strict=True))
    ]
