"""The names of the files of an explained frame: after the frame itself, so that a person finds them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from sonoproof.data.cohort.image_id import relative_file

# What this package and the drawing of its figures name their files, in this and in earlier versions.
FILE_PATTERN = re.compile(r"(top|error)-\d{2,}-[^./]+\.(npz|png|pdf|txt|preview\.jpg)")
_MAX_BYTES = 80


def file_stem(image_id: str, *, kind: str, rank: int) -> str:
    """The name of an explained frame's files, without suffix: ``top-01-p045_c2_f01``.

    Kind and rank make it unique within a part. The frame's own name follows without folder and suffix; what is
    neither a letter nor a digit in some script becomes an underscore, and an endless name is cut.

    Args:
        image_id: Key of the frame, a path of any length and script.
        kind: ``top`` or ``error``.
        rank: Place within its kind, from 1.
    """
    name = PurePosixPath(relative_file(image_id).replace("\\", "/")).stem
    safe = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", name)).strip("_")
    short = safe.encode("utf-8", "ignore")[:_MAX_BYTES].decode("utf-8", "ignore")
    return f"{kind}-{rank:02d}-{short or 'frame'}"
