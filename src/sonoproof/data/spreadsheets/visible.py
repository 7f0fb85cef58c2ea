"""What of a text can be seen: characters without width and the width of blanks count for nothing.

Sheets and file names pass through programs that add byte order marks, soft hyphens, no-break blanks, marks of
direction or full-width digits. `visible` is applied wherever two texts are compared (references and files, patients,
labels, names of columns), so that one patient stays one patient. It needs no tables, so that it loads fast.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator


def _expand(ranges: str) -> Iterator[str]:
    for item in ranges.split():
        first, _, last = item.partition("-")
        yield from map(chr, range(int(first, 16), int(last or first, 16) + 1))


# Characters without width: controls, soft hyphen, joiners, byte order mark, marks of direction, variation selectors,
# fillers and tags (Unicode 16, categories Cc and Cf and DerivedCoreProperties Default_Ignorable_Code_Point).
INVISIBLE = "".join(
    _expand(
        "0-8 e-1b 7f-84 86-9f ad 34f 61c 70f 115f-1160 17b4-17b5 180b-180f 200b-200f 202a-202e 2060-206f 3164 fe00-fe0f"
        " feff ffa0 fff0-fffb 1bca0-1bca3 1d173-1d17a e0001 e0020-e007f e0100-e01ef"
    )
)
# Blanks of any width, tabs and line ends.
BLANK = "".join(_expand("9-d 1c-20 85 a0 1680 2000-200a 2028-2029 202f 205f 3000 2800"))
# Full-width forms of ASCII; the full-width slashes stay, because a slash divides a path.
_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0) not in "/\\"}
_AS_SEEN = {**dict.fromkeys(map(ord, INVISIBLE)), **dict.fromkeys(map(ord, BLANK), " "), **_FULL_WIDTH}


def visible(text: str) -> str:
    """Text as a reader sees it: without invisible characters, with plain blanks, in one Unicode form (NFC)."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", text.translate(_AS_SEEN))


def clean_text(text: str) -> str:
    """Text without blanks, visible or not, at either end."""
    return text.strip(BLANK + INVISIBLE) if text else text
