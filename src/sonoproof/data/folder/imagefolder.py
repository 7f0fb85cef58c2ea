"""What a folder of images holds, for a run and for a prediction alike. Needs no tables, so that it loads fast."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sonoproof.data.folder.companions import LeftOut, find_companions
from sonoproof.data.folder.content import is_image
from sonoproof.data.folder.filerules import FOLDER_RULES, LITTER_RULES, Kind, find_rule
from sonoproof.errors import CohortError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm"}
)

_NAMED = 3


@dataclass(frozen=True)
class FolderContents:
    """The files of a folder and its subfolders, relative to it, POSIX, sorted.

    Attributes:
        images: Files whose names end like those of images, readable or not, and others that hold an image.
        others: All other files.
        linked_folders: Links to folders, which are not followed.
        left_out: Images, and folders with images, that are not samples (`sonoproof.data.folder.filerules`).
    """

    images: tuple[str, ...]
    others: tuple[str, ...]
    linked_folders: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


def search_folder(root: Path) -> FolderContents:
    """Search a folder and its subfolders for images.

    Raises:
        CohortError: The folder or a subfolder may not be read.
    """
    images: list[str] = []
    others: list[str] = []
    linked: list[str] = []
    left_out: list[LeftOut] = []
    for relative, names, links in _walk(root, left_out):
        linked += [(relative / name).as_posix() for name in links]
        for name in names:
            path = (relative / name).as_posix()
            if rule := find_rule(LITTER_RULES, name):
                left_out += [LeftOut(path, rule.kind)] if has_image_suffix(name) else []
            else:
                (images if has_image_suffix(name) or is_image(root / path) else others).append(path)
    companions = find_companions(root, sorted(images))
    samples = set(images) - {companion.path for companion in companions}
    left_out += companions
    return FolderContents(tuple(sorted(samples)), tuple(sorted(others)), tuple(sorted(linked)), tuple(left_out))


def describe_left_out(left_out: Sequence[LeftOut]) -> dict[str, str]:
    """How many files and folders of each kind are left out, with the first of them: "12: a_mask.png, b_mask.png, …"."""
    by_kind: dict[str, list[str]] = {}
    for item in left_out:
        by_kind.setdefault(item.kind.value, []).append(printable_name(item.path))
    return {
        kind: f"{len(paths):,}: {', '.join(paths[:_NAMED])}{', …' if len(paths) > _NAMED else ''}"
        for kind, paths in sorted(by_kind.items())
    }


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


def _walk(root: Path, left_out: list[LeftOut]) -> Iterator[tuple[PurePosixPath, list[str], list[str]]]:
    """Each folder, relative to the root, with the names of its files and of the links to folders in it.

    Folders that are not searched, but hold an image, are added to `left_out`.
    """

    def refuse(error: OSError) -> None:
        named = printable_name(str(error.filename))
        raise CohortError(f"{named}: cannot be read ({error.strerror}); ask for read permission") from error

    for folder, folders, names in os.walk(root, onerror=refuse):
        kinds = {name: kind for name in folders if (kind := _folder_kind(Path(folder, name)))}
        relative = PurePosixPath(Path(folder).relative_to(root).as_posix())
        left_out += [
            LeftOut(f"{(relative / name).as_posix()}/", kind)
            for name, kind in sorted(kinds.items())
            if _holds_image(Path(folder, name))
        ]
        folders[:] = sorted(name for name in folders if name not in kinds)
        if not os.access(folder, os.R_OK | os.X_OK):
            raise CohortError(f"{printable_name(folder)}: cannot be read; ask for read permission")
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield relative, names, linked


def _folder_kind(folder: Path) -> Kind | None:
    """What a folder is, if it is not searched."""
    if rule := find_rule(FOLDER_RULES, folder.name):
        return rule.kind
    return Kind.OWN_OUTPUT if _is_run(folder) else None


def _is_run(folder: Path) -> bool:
    try:
        content = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "sonoproof" in content


def _holds_image(folder: Path) -> bool:
    return any(has_image_suffix(name) for _, _, names in os.walk(folder) for name in names)
