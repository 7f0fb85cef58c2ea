"""References that nearly name a file: another kind of file, a suffix twice, other separators, other zeros.

They are only offered, and only where one reference and one file are near each other and nothing else is.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable

from sonoproof.data.folder.imagefolder import IMAGE_SUFFIXES
from sonoproof.data.spreadsheets.visible import visible

# Suffixes that people lose or change when they convert files.
_SUFFIXES = IMAGE_SUFFIXES | {
    *(".dcm", ".dicom", ".ima", ".avi", ".mp4", ".mov", ".mkv", ".wmv", ".mpg", ".mpeg", ".m4v", ".webm"),
    *(".nii", ".gz", ".mha", ".mhd", ".nrrd", ".raw", ".npy", ".zip"),
}
_SEPARATORS = re.compile(r"[\s_.()\[\]-]+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def pair_near_names(references: Iterable[str], *, unmatched: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Pair references that match no file with files that they nearly name, one to one.

    Args:
        references: All references of the sheet.
        unmatched: Those that match no file.
        files: All files of the folder, relative to it.

    Returns:
        Reference -> file.
    """
    pairs: dict[str, str] = {}
    rest, references, files = set(unmatched), list(dict.fromkeys(references)), list(files)
    for key in (_without_suffixes, _without_separators, _without_zeros):
        if not rest:
            break
        by_key = _group(references, key)
        files_by_key = _group(files, key)
        for reference in sorted(rest):
            name = key(reference)
            near = files_by_key.get(name, ())
            if name and len(by_key[name]) == 1 and len(near) == 1 and not _contradict(reference, near[0]):
                pairs[reference] = near[0]
        rest -= pairs.keys()
    return pairs


def _contradict(reference: str, file: str) -> bool:
    """Whether both have a folder, and not the same."""
    folders = [posixpath.dirname(name.replace("\\", "/")) for name in (reference, file)]
    first, second = (posixpath.basename(visible(folder).casefold()) for folder in folders)
    return bool(first and second and first != second)


def _group(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return groups


def _without_suffixes(name: str) -> str:
    """The last part of a path without suffixes, and without dots and blanks where they were."""
    text = visible(posixpath.basename(name.replace("\\", "/"))).casefold().strip(" .")
    while True:
        stem, dot, suffix = text.rpartition(".")
        if not stem or dot + suffix not in _SUFFIXES:
            return text
        text = stem.rstrip(" .")


def _without_separators(name: str) -> str:
    return _SEPARATORS.sub("", _without_suffixes(name))


def _without_zeros(name: str) -> str:
    return _SEPARATORS.sub("", _ZEROS.sub("", _SEPARATORS.sub(" ", _without_suffixes(name))))
