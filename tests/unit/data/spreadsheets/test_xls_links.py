"""Links of old workbooks, as the specification lays out their records."""

from __future__ import annotations

import struct

import pytest

from sonoproof.data.spreadsheets.xlschild import FILE_TARGET, HAS_NAME, HAS_TARGET, IS_TEXT, URL_TARGET, read_link


def text(words: str) -> bytes:
    return struct.pack("<I", len(words) + 1) + f"{words}\0".encode("utf-16-le")


def record(flags: int, *parts: bytes) -> bytes:
    return struct.pack("<HHHH16sII", 1, 1, 0, 0, b"", 2, flags) + b"".join(parts)


URL = "https://pacs.example/b.jpg"
AS_URL = URL_TARGET + struct.pack("<I", 2 * len(URL) + 2) + f"{URL}\0".encode("utf-16-le")
AS_FILE = FILE_TARGET + struct.pack("<HI", 0, 12) + b"img\\caf\xe9.jpg\0" + bytes(28)


@pytest.mark.parametrize(
    ("body", "target"),
    [
        (record(HAS_TARGET, AS_URL), URL),
        (record(HAS_TARGET | HAS_NAME, text("a.jpg"), AS_URL), URL),
        (record(HAS_TARGET, AS_FILE), "img\\caf\u00e9.jpg"),
        (record(HAS_TARGET | IS_TEXT, text("frames/b.jpg")), "frames/b.jpg"),
        (record(0), ""),
        (record(HAS_TARGET, bytes(16)), ""),
        (record(HAS_TARGET | HAS_NAME), ""),
        (b"", ""),
    ],
)
def test_the_target_of_a_link(body: bytes, target: str) -> None:
    assert read_link(body) == target
