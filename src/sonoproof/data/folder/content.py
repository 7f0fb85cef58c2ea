"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HEAD_BYTES: Final = 132
_IMAGE_MAGICS: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*")
_BMP_HEADERS: Final = frozenset({12, 40, 52, 56, 108, 124})


def is_image(path: Path) -> bool:
    """Whether a file holds an image (JPEG, PNG, BMP, TIFF or DICOM); False if it cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(_IMAGE_MAGICS) or head[128:] == b"DICM" or _is_bmp(head)


def _is_bmp(head: bytes) -> bool:
    """Two letters are little evidence: the size of the header that follows must be one that there is."""
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
