"""JPEG damage that a decoder forgives, and intact JPEGs that look unusual."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from benchmarks.damaged_files import as_jpeg, as_png, damaged, share_wrong
from PIL import Image

from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.jpeg_seam import find_colour_seam
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

MOST = 10_000_000


@pytest.fixture(scope="module")
def sector() -> UInt8Array:
    """Speckle in a bright disc on black, (96, 120)."""
    rng = np.random.default_rng(5)
    speckle = cv2.GaussianBlur(rng.gamma(2.0, 40.0, (96, 120)).astype(np.float32), (0, 0), 1.5)
    y, x = np.mgrid[:96, :120]
    return np.where((y - 48) ** 2 + (x - 60) ** 2 < 44**2, np.clip(speckle + 30, 0, 255), 0).astype(np.uint8)


def jpeg(pixels: UInt8Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def scan(data: bytes) -> int:
    return data.find(b"\xff\xda") + 14


def test_what_the_decoder_warns_of_is_refused(sector: UInt8Array) -> None:
    data = jpeg(sector)
    middle = (scan(data) + len(data)) // 2
    changed = data[:middle] + bytes(60) + data[middle + 60 :]
    assert cv2.imdecode(np.frombuffer(changed, np.uint8), cv2.IMREAD_GRAYSCALE) is not None
    with pytest.raises(FrameError, match="is damaged"):
        decode(changed, max_pixels=MOST)


@pytest.mark.parametrize("filling", [b"\0", b"\x80"])
def test_a_tail_that_was_never_written_is_refused(sector: UInt8Array, filling: bytes) -> None:
    data = jpeg(sector)
    middle = (scan(data) + len(data)) // 2
    with pytest.raises(FrameError, match="is damaged"):
        decode(data[:middle] + filling * (len(data) - 2 - middle) + data[-2:], max_pixels=MOST)


def test_a_missing_restart_interval_is_refused(sector: UInt8Array) -> None:
    data = jpeg(sector, restart_marker_blocks=4)
    third, fourth = data.find(b"\xff\xd2"), data.find(b"\xff\xd3")
    with pytest.raises(FrameError, match="is damaged"):
        decode(data[:third] + data[fourth:], max_pixels=MOST)


def test_blocks_darker_than_black_are_refused_although_the_decoder_is_content(sector: UInt8Array) -> None:
    """A wrong difference of brightness is a valid code; where the frame was black, it is now darker than that."""
    rng, data, found = np.random.default_rng(0), jpeg(sector), 0
    for _ in range(400):
        at, bit = int(rng.integers(scan(data), len(data) - 2)), int(rng.integers(8))
        changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        try:
            decode(changed, max_pixels=MOST)
        except FrameError as error:
            found += "darker than black" in error.reason
    assert found > 10


def test_a_tint_from_one_block_on_is_refused() -> None:
    grey = np.random.default_rng(1).integers(60, 120, (96, 120, 1), dtype=np.uint8).repeat(3, axis=2)
    grey[0, 0, 0] += 1
    tinted = grey.copy()
    tinted[32:48, 64:, 2] += 30
    tinted[48:, :, 2] += 30
    straight = grey.copy()
    straight[32:, :, 2] += 30
    assert find_colour_seam(tinted, sampling=(2, 2)) != ""
    assert find_colour_seam(straight, sampling=(2, 2)) == find_colour_seam(grey, sampling=(2, 2)) == ""


def unusual(sector: UInt8Array) -> dict[str, bytes]:
    colour = np.dstack([sector, sector // 2, 255 - sector])
    plain = jpeg(colour)
    grey = bytearray(jpeg(sector))
    grey[grey.find(b"\xff\xc0") + 11] = 0x22  # one component, sampled 2 x 2: as 1 x 1, for there is no other
    exif = Image.Exif()
    exif[274] = 6
    second = io.BytesIO()
    Image.fromarray(colour).save(second, "MPO", save_all=True, append_images=[Image.fromarray(colour[::-1])])
    cmyk = io.BytesIO()
    Image.fromarray(colour).convert("CMYK").save(cmyk, "JPEG")
    sampled = {
        name: cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])[1].tobytes()
        for name, factor in (("411", 0x411111), ("440", 0x121111), ("422", 0x211111))
    }
    return {
        "progressive": jpeg(colour, progressive=True),
        "RGB without a colour transform": jpeg(colour, keep_rgb=True),
        "lowest quality": jpeg(colour, quality=1),
        "highest quality": jpeg(colour, quality=100, subsampling=0),
        "restart markers": jpeg(colour, restart_marker_blocks=1),
        "fill bytes before a marker": plain[:2] + b"\xff\xff" + plain[2:],
        "bytes after the end": plain + bytes(200) + b"a maker's notes",
        "one pixel": jpeg(colour[:1, :1]),
        "grey, sampled 2 x 2": bytes(grey),
        "orientation": jpeg(colour, exif=exif),
        "MPO": second.getvalue(),
        "CMYK": cmyk.getvalue(),
        **sampled,
    }


def test_intact_files_of_unusual_kinds_are_read(sector: UInt8Array) -> None:
    for kind, data in unusual(sector).items():
        pixels = decode(data, max_pixels=MOST)
        assert pixels.size, kind
        if kind != "CMYK":
            image = Image.open(io.BytesIO(data))
            expected = np.asarray(image.convert("RGB"))
            assert np.array_equal(np.rot90(expected, -1) if kind == "orientation" else expected, pixels), kind


def test_twelve_bits_are_refused_with_what_to_do(sector: UInt8Array) -> None:
    data = bytearray(jpeg(sector))
    data[data.find(b"\xff\xc0") + 4] = 12
    with pytest.raises(FrameError, match="12 bits per sample, which is not read; save it as a 16-bit PNG"):
        decode(bytes(data), max_pixels=MOST)


def test_a_slice_of_the_campaign(sector: UInt8Array) -> None:
    """The whole of it is `benchmarks/damaged_files.py`."""
    rng, frame = np.random.default_rng(3), Image.fromarray(sector).convert("RGB")
    outcomes = []
    for number in range(40):
        data, kind = (as_jpeg, as_png)[number % 2](frame, rng)
        assert share_wrong(data, decode(data, max_pixels=MOST)) == 0, kind
        outcomes.append(share_wrong(damaged(data, rng)[0], decode(data, max_pixels=MOST)))
    assert all(wrong is None for wrong in outcomes[1::2])
    assert sum(wrong is not None and wrong > 0.01 for wrong in outcomes) <= 1
