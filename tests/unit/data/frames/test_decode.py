"""What a pixel is, for every format, bit depth and layout that is read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from sonoproof.data.frames.facts import decode, read_frame

MOST = 10_000_000
Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def rgb() -> Pixels:
    # Odd and unequal sides, so that a swap of axes or channels cannot go unseen.
    return np.random.default_rng(1).integers(0, 256, (7, 11, 3)).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded_by_opencv(array: npt.NDArray[Any], suffix: str) -> bytes:
    return cv2.imencode(suffix, array)[1].tobytes()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_lossless_file_gives_its_pixels_and_one_hash(rgb: Pixels, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "frame.any"
    path.write_bytes(encoded(Image.fromarray(rgb), kind))
    reference = tmp_path / "reference.png"
    reference.write_bytes(encoded_by_opencv(rgb[..., ::-1], ".png"))
    facts = read_frame(path, max_pixels=MOST).facts
    pixels = decode(path, max_pixels=MOST)
    assert np.array_equal(pixels, rgb)
    assert pixels.flags.writeable
    assert facts.pixel_sha256 == read_frame(reference, max_pixels=MOST).facts.pixel_sha256
    assert (facts.width, facts.height, facts.format, facts.mode) == (11, 7, kind, "RGB")
    assert facts.file_bytes == path.stat().st_size


def test_the_pixel_hash_knows_the_shape(rgb: Pixels, tmp_path: Path) -> None:
    hashes = set()
    for shape in ((7, 11, 3), (11, 7, 3), (77, 1, 3)):
        path = tmp_path / "frame.png"
        path.write_bytes(encoded(Image.fromarray(rgb.reshape(shape)), "PNG"))
        hashes.add(read_frame(path, max_pixels=MOST).facts.pixel_sha256)
    assert len(hashes) == 3


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_gives_what_opencv_gives(mode: str, progressive: bool) -> None:
    ramp = np.add.outer(np.arange(40), np.arange(48)).astype(np.uint8)
    image = Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2], axis=-1)).convert(mode)
    data = encoded(image, "JPEG", quality=90, progressive=progressive)
    independent = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert independent is not None
    assert np.array_equal(decode(data, max_pixels=MOST), independent[..., ::-1])


def test_a_jpeg_and_its_lossless_copy_have_one_pixel_hash(rgb: Pixels, tmp_path: Path) -> None:
    jpeg, copy = tmp_path / "a.jpg", tmp_path / "a.png"
    jpeg.write_bytes(encoded(Image.fromarray(rgb), "JPEG"))
    copy.write_bytes(encoded(Image.open(jpeg), "PNG"))
    one, other = read_frame(jpeg, max_pixels=MOST).facts, read_frame(copy, max_pixels=MOST).facts
    assert one.pixel_sha256 == other.pixel_sha256
    assert one.sha256 != other.sha256


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    red = Image.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK")
    pixels = decode(encoded(red, "JPEG", quality=95), max_pixels=MOST)
    assert np.abs(pixels.astype(int) - (250, 10, 10)).max() <= 6


def test_grey_palette_and_one_bit_are_expanded(rgb: Pixels) -> None:
    grey = rgb[..., 0]
    assert np.array_equal(decode(encoded(Image.fromarray(grey), "PNG"), max_pixels=MOST), np.dstack([grey] * 3))
    palette = Image.fromarray(rgb).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    for kind in ("PNG", "BMP", "TIFF"):
        assert np.array_equal(decode(encoded(palette, kind), max_pixels=MOST), expected), kind
    bits = Image.fromarray(grey > 127)
    expected = np.dstack([np.where(grey > 127, 255, 0)] * 3).astype(np.uint8)
    for kind in ("PNG", "BMP", "TIFF"):
        assert np.array_equal(decode(encoded(bits, kind), max_pixels=MOST), expected), kind


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_lies_on_black(rgb: Pixels, kind: str) -> None:
    alpha = np.random.default_rng(2).integers(0, 256, rgb.shape[:2]).astype(np.uint8)
    expected = rgb * (alpha[..., None] / 255.0)
    pixels = decode(encoded(Image.fromarray(np.dstack([rgb, alpha])), kind), max_pixels=MOST)
    assert np.abs(pixels - expected).max() <= 1.0
    grey = decode(encoded(Image.fromarray(np.dstack([rgb[..., 0], alpha])), kind), max_pixels=MOST)
    assert np.abs(grey - expected[..., :1]).max() <= 1.0


def test_a_transparent_palette_entry_is_black() -> None:
    indices = Image.new("P", (2, 2))
    indices.putpalette([200, 100, 50, 10, 20, 30])
    indices.putpixel((1, 0), 1)
    pixels = decode(encoded(indices, "PNG", transparency=0), max_pixels=MOST)
    assert pixels.tolist() == [[[0, 0, 0], [10, 20, 30]], [[0, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize(("bits", "white"), [(16, 65535), (12, 4095), (8, 255)])
def test_sixteen_bits_are_scaled_by_the_depth_in_use(bits: int, white: int, suffix: str) -> None:
    samples = np.linspace(0, white, 77).round().astype(np.uint16).reshape(7, 11)
    expected = np.rint(samples * (255.0 / white))
    pixels = decode(encoded_by_opencv(samples, suffix), max_pixels=MOST)
    assert np.array_equal(pixels, np.dstack([expected] * 3))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("white", [65535, 4095])
def test_sixteen_bit_colour_keeps_its_channels_and_depth(white: int, suffix: str) -> None:
    samples = np.random.default_rng(3).integers(0, white + 1, (7, 11, 3)).astype(np.uint16)
    samples[0, 0] = white
    pixels = decode(encoded_by_opencv(samples[..., ::-1], suffix), max_pixels=MOST)
    assert np.array_equal(pixels, np.rint(samples * (255.0 / white)))


def test_sixteen_bit_alpha_lies_on_black() -> None:
    samples = np.random.default_rng(4).integers(0, 65536, (7, 11, 4)).astype(np.uint16)
    samples[0, 0] = 65535
    pixels = decode(encoded_by_opencv(samples[..., [2, 1, 0, 3]], ".png"), max_pixels=MOST)
    expected = samples[..., :3] / 257.0 * (samples[..., 3:] / 65535.0)
    assert np.abs(pixels - expected).max() <= 1.0


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_whose_zero_is_white_is_not_a_negative(bits: int) -> None:
    white = 2**bits - 1
    samples = np.linspace(0, white, 12).round().astype(np.uint16 if bits == 16 else np.uint8).reshape(3, 4)
    plain = Image.fromarray(samples)
    data = bytearray(encoded(plain, "TIFF"))
    photometric = data.find(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00")  # tag 262, SHORT, 1 value: BlackIsZero
    data[photometric + 8] = 0
    pixels = decode(bytes(data), max_pixels=MOST)
    assert np.array_equal(pixels[..., 0], 255 - np.rint(samples * (255.0 / white)))


# Where the mark of the stored top left pixel must be seen, for each orientation (Exif 2.32, tag 274).
SEEN_CORNER = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


def sixteen_bit_colour_tiff(samples: npt.NDArray[np.uint16], orientation: int) -> bytes:
    """A baseline TIFF (TIFF 6.0, section 6) written by hand: Pillow writes none with 16-bit colour."""
    height, width = samples.shape[:2]
    content = samples.astype("<u2").tobytes()
    bits, end = 8 + len(content), 8 + len(content) + 6
    values = {256: width, 257: height, 258: bits, 259: 1, 262: 2, 273: 8, 274: orientation, 277: 3, 278: height}
    values[279] = len(content)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items() if tag != 258)
    first, rest = entries[:24], entries[24:]
    several = struct.pack("<HHII", 258, 3, 3, bits)
    directory = struct.pack("<H", len(values)) + first + several + rest + bytes(4)
    return b"II*\0" + struct.pack("<I", end) + content + struct.pack("<3H", 16, 16, 16) + directory


def with_exif(png: bytes, exif: Image.Exif) -> bytes:
    """The same PNG with an eXIf chunk after its header (PNG, third edition, 11.3.3.5)."""
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    check = struct.pack(">I", zlib.crc32(b"eXIf" + content))
    return png[:33] + struct.pack(">I", len(content)) + b"eXIf" + content + check + png[33:]


KINDS = ["JPEG", "PNG", "TIFF", "TIFF, 16-bit grey", "TIFF, 16-bit colour", "PNG, 16-bit colour"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(orientation: int, kind: str, tmp_path: Path) -> None:
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = 255
    deep = stored.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "frame"
    if kind == "TIFF, 16-bit colour":
        path.write_bytes(sixteen_bit_colour_tiff(deep, orientation))
    elif kind == "PNG, 16-bit colour":
        path.write_bytes(with_exif(encoded_by_opencv(deep, ".png"), exif))
    else:
        image = Image.fromarray(deep[..., 0] if kind == "TIFF, 16-bit grey" else stored)
        path.write_bytes(encoded(image, kind[:4], exif=exif))
    pixels = decode(path, max_pixels=MOST)
    assert pixels.shape == ((16, 32, 3) if orientation <= 4 else (32, 16, 3))
    bright = [corner for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)) if pixels[corner].min() > 200]
    assert bright == [SEEN_CORNER[orientation]]
    facts = read_frame(path, max_pixels=MOST).facts
    assert (facts.height, facts.width) == pixels.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_agrees_with_pillow(rgb: Pixels, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(Image.fromarray(rgb), "PNG", exif=exif)
    independent = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(decode(data, max_pixels=MOST), independent)
