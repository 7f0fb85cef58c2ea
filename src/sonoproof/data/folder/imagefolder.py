"""What a folder of images holds, for a run and for a prediction alike. Needs no tables, so that it loads fast."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sonoproof.errors import CohortError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm"}
)


@dataclass(frozen=True)
class FolderContents:
    """The files of a folder and its subfolders, relative to it, POSIX, sorted; hidden files are left out.

    Attributes:
        images: Files whose names end like those of images, readable or not.
        others: All other files.
        linked_folders: Links to folders, which are not followed.
    """

    images: tuple[str, ...]
    others: tuple[str, ...]
    linked_folders: tuple[str, ...]


def search_folder(root: Path) -> FolderContents:
    """Search a folder and its subfolders for images.

    Hidden files and folders (``.name``) and what macOS leaves in archives (``__MACOSX``) are left out.

    Raises:
        CohortError: The folder or a subfolder may not be read.
    """
    images: list[str] = []
    others: list[str] = []
    linked: list[str] = []
    for relative, names, links in _walk(root):
        linked += [(relative / name).as_posix() for name in links]
        for name in names:
            path = relative / name
            (images if has_image_suffix(name) else others).append(path.as_posix())
    return FolderContents(tuple(sorted(images)), tuple(sorted(others)), tuple(sorted(linked)))


def has_image_suffix(name: str) -> bool:
    """Whether a name ends like that of an image file."""
    return PurePosixPath(name.casefold()).suffix in IMAGE_SUFFIXES


def is_valid_text(name: str) -> bool:
    """Whether a file name can be written to a table: names from other systems may hold bytes that are not UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable_name(name: str) -> str:
    r"""A file name that can be written to a table; bytes that are not UTF-8 are written as ``\xe9``."""
    return name.encode("utf-8", sys.getfilesystemencodeerrors()).decode("utf-8", "backslashreplace")


def _walk(root: Path) -> Iterator[tuple[PurePosixPath, list[str], list[str]]]:
    """Each folder, relative to the root, with the names of its files and of the links to folders in it."""

    def refuse(error: OSError) -> None:
        named = printable_name(str(error.filename))
        raise CohortError(f"{named}: cannot be read ({error.strerror}); ask for read permission") from error

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        if not os.access(folder, os.R_OK | os.X_OK):
            raise CohortError(f"{printable_name(folder)}: cannot be read; ask for read permission")
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        relative = PurePosixPath(Path(folder).relative_to(root).as_posix())
        yield relative, [name for name in names if not _is_hidden(name)], linked


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
