"""The truth masks of a folder, by image id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from sonoproof.data.cohort.image_id import relative_file
from sonoproof.data.folder.companions import is_mask
from sonoproof.data.folder.filerules import COMPANION_RULES, Kind, frame_of
from sonoproof.data.folder.imagefolder import search_folder
from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import ConfigError, FrameError
from sonoproof.sampling import evenly_spread
from sonoproof.types import BoolArray, UInt8Array

_INSIDE: Final = 128
"""Grey value from which a pixel of a mask, brought to the network's size, is inside."""

_TRIED: Final = 5


class Masks:
    """The truth masks of a folder, as the network sees their frames.

    The mask of ``p1/a.jpg`` is ``p1/a_mask.png`` (``a_seg``, ``a_mask_1``, …; several are joined) or ``p1/a.png``.

    Args:
        folder: Whatever is not black is inside.
        preprocessing: How the frames are brought to the network's size.
        max_pixels: Larger files are refused.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(self, folder: Path, *, preprocessing: Preprocessing, max_pixels: int) -> None:
        if not folder.is_dir():
            raise ConfigError(f"--masks {folder}: there is no such folder")
        self._folder, self._preprocessing, self._max_pixels = folder, preprocessing, max_pixels
        contents = search_folder(folder)
        self._files = sorted([*contents.images, *(item.path for item in contents.left_out if item.kind is Kind.MASK)])
        self._of_frame = _by_frame(self._files)
        self._are_named = any(_frames_named(file) for file in self._files)

    def __call__(self, image_id: str) -> BoolArray | None:
        """The mask of a frame, (size, size), or None where it has none.

        Raises:
            ConfigError: The file is a picture and no mask.
            FrameError: The file cannot be read, or the masks of a frame differ in size.
        """
        pictures = [self._picture(file) for file in self._named(image_id)]
        if not pictures:
            return None
        if len({picture.shape for picture in pictures}) > 1:
            raise FrameError("the masks of this frame differ in size", path=image_id)
        inside = np.max(pictures, axis=(0, 3))[..., None] > 0
        canvas = self._preprocessing(np.repeat(np.where(inside, 255, 0).astype(np.uint8), 3, axis=2))
        return np.asarray(canvas[..., 0] >= _INSIDE)

    def check_fit(self, image_ids: Sequence[str]) -> int:
        """Check that the folder holds masks of frames.

        Returns:
            How many of the frames have a mask.

        Raises:
            ConfigError: No frame has one, or what has the name of a mask is none.
        """
        masked = [image_id for image_id in image_ids if self._named(image_id)]
        if not masked:
            example = f", but for example {self._files[0]}" if self._files else ""
            raise ConfigError(
                f"--masks {self._folder}: holds no mask of a frame{example}. The mask of "
                f"{relative_file(image_ids[0])} would be {_stem(relative_file(image_ids[0]))}_mask.png or "
                f"{_stem(relative_file(image_ids[0]))}.png"
            )
        for place in evenly_spread(len(masked), _TRIED):
            self(masked[place])
        return len(masked)

    def _named(self, image_id: str) -> list[str]:
        """The files that have the name of a mask of a frame."""
        stem = _stem(relative_file(image_id)).casefold()
        beside = [file for file in self._of_frame.get(stem, ()) if _stem(file).casefold() != stem]
        return beside or ([] if self._are_named else self._of_frame.get(stem, [])[:1])

    def _picture(self, file: str) -> UInt8Array:
        picture = decode(self._folder / file, max_pixels=self._max_pixels)
        if not is_mask(picture.max(axis=2)):
            raise ConfigError(
                f"--masks {self._folder}: {file} is a picture with many grey levels, not a mask; name a folder of "
                "masks that are black outside"
            )
        return picture


def _by_frame(files: Sequence[str]) -> dict[str, list[str]]:
    """The files by what may be their frame, without suffix, folded; those that end in .png come first."""
    found: dict[str, list[str]] = {}
    for file in sorted(files, key=lambda file: (not file.casefold().endswith(".png"), file)):
        path = PurePosixPath(file)
        for stem in {path.stem.casefold(), *_frames_named(file)}:
            found.setdefault(path.with_name(stem).as_posix().casefold(), []).append(file)
    return found


def _frames_named(file: str) -> set[str]:
    """The frames that the name of a mask contains: a for a_mask.png."""
    rules = (rule for rule in COMPANION_RULES if rule.kind is Kind.MASK)
    return {frame_of(rule, PurePosixPath(file).stem) for rule in rules} - {""}


def _stem(file: str) -> str:
    return PurePosixPath(file).with_suffix("").as_posix()
