"""Cells that name several files: ``a.jpg; b.jpg``, one below the other, or ``a.jpg - d.jpg``."""

from __future__ import annotations

import re
from collections.abc import Callable

from sonoproof.data.folder.imagefolder import IMAGE_SUFFIXES, has_image_suffix
from sonoproof.data.spreadsheets.visible import clean_text

USE_ROWS = "write one file in each row, or use --several-images rows"
_SEPARATORS = (r"[;|\r\n\t]+", r",", r"\s+[&+]\s+|[&+]", r"\s+(?:and|und|et|y|e)\s+", r"[/\\]")
_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True))
_NAME = re.compile(rf"\S.*?(?:{_SUFFIX})(?=[^\w./\\]|$)", re.IGNORECASE | re.DOTALL)


def split_names(text: str, is_file: Callable[[str], bool]) -> tuple[str, ...]:
    """The names of a cell that lists several files; empty if it names one, or a range of files.

    Args:
        text: The cell.
        is_file: Whether a name is that of a file in the folder.
    """
    if is_file(clean_text(text)):
        return ()
    inner = clean_text(text).strip("[](){}")
    for separator in _SEPARATORS:
        parts = tuple(
            part for piece in re.split(separator, inner) if (part := clean_text(clean_text(piece).strip("\"'")))
        )
        is_path = separator == _SEPARATORS[-1]
        if len(parts) > 1 and (all(map(is_file, parts)) or (not is_path and all(map(has_image_suffix, parts)))):
            return parts
    names = tuple(clean_text(name.strip("\"'")) for name in _NAME.findall(inner))
    gaps = _NAME.sub("\0", inner).split("\0")
    is_list = len(names) > 1 and not any(map(str.strip, gaps)) and all(name[0].isalnum() for name in names)
    return names if is_list else ()


def find_several(text: str, is_file: Callable[[str], bool]) -> str:
    """What to say of a cell that names several files, "" if it does not: ``'a.jpg', 'b.jpg'``."""
    names = split_names(text, is_file)
    if names:
        return ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    if is_file(clean_text(text)):
        return ""
    found = _NAME.findall(text)
    return repr(text) if len(found) > 1 else ""
