"""Files that belong to a frame (masks, overlays, thumbnails), recognised by their names and the frame beside them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from sonoproof.data.folder.filerules import COMPANION_RULES, MASK_FOLDER_RULE, FileRule, Kind, find_rule, frame_of
from sonoproof.sampling import evenly_spread

_SAMPLE: Final = 3
_FEW: Final = 4
_MOST_OF: Final = 0.8
_EXTREME: Final = 16
_NEARLY_ALL: Final = 0.95
_MAX_PIXELS: Final = 10**8


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is no sample.

    Attributes:
        path: Relative to the searched folder, POSIX.
        kind: What it is.
        frame: The frame that it belongs to, relative to the searched folder; "" if it belongs to none.
    """

    path: str
    kind: Kind
    frame: str = ""


def find_companions(root: Path, files: Sequence[str]) -> list[LeftOut]:
    """The files that belong to another one of the same folder, or of a folder beside theirs.

    Args:
        root: The searched folder.
        files: Its images, relative to it, POSIX.
    """
    beside = {_key(PurePosixPath(file)): file for file in reversed(files)}
    frames = _by_tail(file for file in files if not _mask_folder(file))
    found: list[LeftOut] = []
    masks: dict[str, list[LeftOut]] = defaultdict(list)
    for file in files:
        rule, frame = _in_mask_folder(file, frames) or _beside_frame(file, beside) or (None, "")
        if rule is None or not frame or frame == file:
            continue
        left_out = LeftOut(file, rule.kind, frame)
        (masks[_series(file, frame)] if rule.kind is Kind.MASK else found).append(left_out)
    for series in masks.values():
        if _are_masks(root / left_out.path for left_out in _some(series)):
            found += series
    return sorted(found, key=lambda left_out: left_out.path)


def is_mask(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture is of few grey levels, as a mask is.

    All but its background are at most four levels for the most part, or nearly all of it is black or white.

    Args:
        pixels: Grey levels, (H, W).
    """
    counts = np.bincount(pixels.ravel(), minlength=256)
    others = np.sort(counts)[:-1]
    few = others[-_FEW:].sum() >= _MOST_OF * others.sum()
    extremes = counts[:_EXTREME].sum() + counts[-_EXTREME:].sum()
    return bool(few or (extremes >= _NEARLY_ALL * pixels.size and counts[-_EXTREME:].any()))


def _key(path: PurePosixPath) -> tuple[str, str]:
    return path.parent.as_posix(), path.stem.casefold()


def _beside_frame(file: str, beside: dict[tuple[str, str], str]) -> tuple[FileRule, str] | None:
    path = PurePosixPath(file)
    rule = find_rule(COMPANION_RULES, path.stem)
    if rule is None:
        return None
    return rule, beside.get((path.parent.as_posix(), frame_of(rule, path.stem)), "")


def _in_mask_folder(file: str, frames: dict[str, str]) -> tuple[FileRule, str] | None:
    """The frame of a file below a folder of masks: it has the same path there."""
    below = _mask_folder(file)
    if not below:
        return None
    path = PurePosixPath(below)
    stems = (path.stem, *(frame_of(rule, path.stem) for rule in COMPANION_RULES))
    tails = (path.with_name(stem).as_posix().casefold() for stem in stems if stem)
    return MASK_FOLDER_RULE, next((frames[tail] for tail in tails if tail in frames), "")


def _mask_folder(file: str) -> str:
    """The path below the first folder that is named for masks; "" if there is none."""
    parts = PurePosixPath(file).parts
    for place, name in enumerate(parts[:-1]):
        if find_rule([MASK_FOLDER_RULE], name):
            return "/".join(parts[place + 1 :])
    return ""


def _by_tail(files: Iterable[str]) -> dict[str, str]:
    """The files by each trailing part of their path, without suffix, folded; the first file wins."""
    found: dict[str, str] = {}
    for file in files:
        parts = PurePosixPath(file).with_suffix("").parts
        for begin in range(len(parts)):
            found.setdefault("/".join(parts[begin:]).casefold(), file)
    return found


def _series(file: str, frame: str) -> str:
    """What masks that were made in one way have in common: the folder, and the name without the frame's and numbers."""
    path, stem = PurePosixPath(file), PurePosixPath(frame).stem.casefold()
    return f"{path.parent.as_posix()}/{re.sub(r'[0-9]+', '', path.stem.casefold().replace(stem, '', 1))}"


def _some(series: Sequence[LeftOut]) -> list[LeftOut]:
    return [series[place] for place in evenly_spread(len(series), min(_SAMPLE, len(series)))]


def _are_masks(paths: Iterable[Path]) -> bool:
    """Whether the pictures that can be read are masks, and one can be."""
    seen = [_looks_like_mask(path) for path in paths]
    readable = [verdict for verdict in seen if verdict is not None]
    return bool(readable) and all(readable)


def _looks_like_mask(path: Path) -> bool | None:
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                return None
            levels = np.asarray(image if image.mode.startswith("I") else image.convert("L"))
            return is_mask((levels // 256 if levels.max(initial=0) > 255 else levels).astype(np.uint8))
    except (OSError, ValueError, SyntaxError):
        return None
