"""Files that are not what they say: each is refused with its reason, none is replaced, nothing else is raised."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile

from sonoproof.config import FramesConfig
from sonoproof.data.frames.facts import decode, read_frame
from sonoproof.data.frames.one_pass import read_frames
from sonoproof.errors import FrameError
from sonoproof.runfolder import QUARANTINE_COLUMNS

MOST = 10_000_000


def encoded(kind: str, *, size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is huge, with a few bytes of data."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def with_size(data: bytes, kind: str, width: int, height: int) -> bytes:
    """The same file with another size in its header."""
    changed = bytearray(data)
    if kind == "BMP":
        changed[18:26] = struct.pack("<ii", width, height)
    elif kind == "JPEG":
        start = data.find(b"\xff\xc0") + 5
        changed[start : start + 4] = struct.pack(">HH", height, width)
    else:
        for tag, value in ((256, width), (257, height)):
            start = data.find(struct.pack("<H", tag) + b"\x03\x00\x01\x00\x00\x00")
            if start < 0:
                start = data.find(struct.pack("<H", tag) + b"\x04\x00\x01\x00\x00\x00")
            changed[start + 2 : start + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"These are my notes, not a frame.", "not a JPEG, PNG, BMP or TIFF"),
        (b"<html><body>Not found</body></html>", "not a JPEG, PNG, BMP or TIFF"),
        (b"\xff\xd8\xff", "cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
        (b"BM" + b"\0" * 60, "cannot be decoded"),
        (b"II*\0" + b"\xff" * 60, "cannot be decoded"),
        (b"\0" * 128 + b"DICM", "DICOM"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "frame.jpg"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=reason) as caught:
        decode(path, max_pixels=MOST)
    assert caught.value.path == path
    assert len(caught.value.reason) < 200


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "JPEG2000"])
def test_another_format_is_named(kind: str) -> None:
    with pytest.raises(FrameError, match=r"GIF|WebP|JPEG 2000"):
        decode(encoded(kind), max_pixels=MOST)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF"])
def test_a_truncated_file_is_refused(kind: str, kept: float) -> None:
    data = encoded(kind)
    with pytest.raises(FrameError):
        decode(data[: int(len(data) * kept)], max_pixels=MOST)


def test_a_truncated_jpeg_is_refused_whatever_others_told_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded("JPEG")
    with pytest.raises(FrameError, match="truncated"):
        decode(data[: len(data) // 2], max_pixels=MOST)


def test_a_jpeg_whose_end_was_never_downloaded_is_refused() -> None:
    data = encoded("JPEG")
    half = data[: len(data) // 2]
    with pytest.raises(FrameError, match="truncated"):
        decode(half + bytes(len(data) - len(half)), max_pixels=MOST)


def test_the_end_of_an_embedded_thumbnail_is_not_the_end_of_the_frame() -> None:
    data = encoded("JPEG")
    thumbnail = encoded("JPEG", size=(16, 16))
    block = b"Exif\0\0" + thumbnail
    whole = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    assert np.array_equal(decode(whole, max_pixels=MOST), decode(data, max_pixels=MOST))
    with pytest.raises(FrameError, match="truncated"):
        decode(whole[:-200], max_pixels=MOST)


def test_a_flipped_bit_in_a_png_is_found() -> None:
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(FrameError):
        decode(bytes(data), max_pixels=MOST)


def test_a_huge_header_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(60_000, 60_000))
    with pytest.raises(FrameError, match=r"60000 x 60000 pixels, more than frames\.max_pixels"):
        read_frame(path, max_pixels=MOST)


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "TIFF"])
def test_a_huge_header_of_any_format_is_refused(kind: str) -> None:
    data = with_size(encoded(kind), kind, 60_000, 60_000)
    with pytest.raises(FrameError, match="60000 x 60000"):
        decode(data, max_pixels=MOST)


def test_the_limit_is_ours_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow would warn or raise from here on
    for kind in ("JPEG", "PNG", "BMP"):
        assert decode(encoded(kind), max_pixels=64 * 48).shape == (48, 64, 3)
    with pytest.raises(FrameError, match="exceeds limit"):  # of tiles, which Pillow checks once more
        decode(encoded("TIFF"), max_pixels=64 * 48)
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(FrameError, match="more than"):
        decode(encoded("PNG", size=(2, 1)), max_pixels=1)


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_several_pages_are_refused(kind: str) -> None:
    pages = [Image.new("L", (8, 8), shade) for shade in (0, 100, 200)]
    buffer = io.BytesIO()
    pages[0].save(buffer, kind, save_all=True, append_images=pages[1:])
    with pytest.raises(FrameError, match="has 3 pages"):
        decode(buffer.getvalue(), max_pixels=MOST)


def test_float_pixels_are_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(buffer, "TIFF")
    with pytest.raises(FrameError, match="floating-point"):
        decode(buffer.getvalue(), max_pixels=MOST)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="does not exist"):
        decode(tmp_path / "missing.jpg", max_pixels=MOST)
    with pytest.raises(FrameError, match="not a file"):
        decode(tmp_path, max_pixels=MOST)
    with pytest.raises(FrameError):
        decode("a\0b.jpg", max_pixels=MOST)


def test_a_file_far_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(FrameError, match="8589934592 bytes"):
        decode(path, max_pixels=MOST)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(FrameError, match="not a file"):
        decode(tmp_path / "pipe.jpg", max_pixels=MOST)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "TIFF16", "PNG16"])
def test_damaged_bytes_raise_nothing_but_a_frame_error(kind: str) -> None:
    if kind.endswith("16"):
        samples = np.random.default_rng(5).integers(0, 65536, (12, 16, 3)).astype(np.uint16)
        data = cv2.imencode(".tiff" if kind == "TIFF16" else ".png", samples)[1].tobytes()
    else:
        exif = Image.Exif()
        exif[274] = 6
        options: dict[str, Any] = {} if kind == "BMP" else {"exif": exif}
        data = encoded(kind, size=(16, 12), **options)
    rng = np.random.default_rng(6)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        reach = len(data) if rng.random() < 0.3 else min(len(data), 300)
        for place in rng.integers(0, reach, rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        try:
            pixels = decode(bytes(damaged), max_pixels=100_000)
        except FrameError:
            refused += 1
        else:
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] == 3
    assert refused > 20


def test_every_row_is_used_or_quarantined_with_its_cell(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(encoded("PNG"))
    (tmp_path / "b.jpg").write_text("not an image")
    records = pd.DataFrame(
        {
            "image_id": ["c.png", "b.jpg", "a.png", "lost.png"],
            "path": [str(tmp_path / name) for name in ("c.png", "b.jpg", "a.png", "lost.png")],
            "origin": "sheet",
            "label": ["x", "y", "x", "y"],
            "sheet_row": [2, 3, 4, 5],
            "reference": ["c", "B.JPG", "a", "lost"],
            "sheet": "Sheet1",
            "cell": ["A2", "A3", "A4", "A5"],
        },
        index=[10, 10, 3, 4],  # an index that names no row uniquely
    )
    calls: list[tuple[int, int]] = []
    read = read_frames(
        records,
        config=FramesConfig(workers=2),
        looks={"shape": lambda frame: f"{frame.facts.sha256}{frame.pixels.shape}"},
        progress=lambda done, total: calls.append((done, total)),
    )
    usable, quarantine = read.records, read.quarantine
    assert usable["image_id"].tolist() == ["c.png", "a.png"]
    assert usable[["width", "height"]].to_numpy().tolist() == [[64, 48], [64, 48]]
    assert tuple(quarantine.columns) == QUARANTINE_COLUMNS
    assert quarantine["sheet_row"].tolist() == [3, 5]
    assert quarantine["cell"].tolist() == ["A3", "A5"]
    assert quarantine["reference"].tolist() == ["B.JPG", "lost"]
    assert "not a JPEG" in quarantine["reason"][0]
    assert quarantine["reason"][1] == "does not exist"
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert read.seen["shape"] == [f"{key}(48, 64, 3)" for key in usable["sha256"]]


def test_no_frame_at_all_is_no_crash() -> None:
    nothing = pd.DataFrame({"image_id": [], "path": [], "origin": []}, dtype="str")
    read = read_frames(nothing, config=FramesConfig())
    assert len(read.records) == len(read.quarantine) == 0
    assert {"sha256", "pixel_sha256", "width", "height"} <= set(read.records.columns)
