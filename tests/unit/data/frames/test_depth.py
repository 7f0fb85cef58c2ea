"""One depth for all frames of a cohort, whatever a frame's brightest sample is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sonoproof.config import FramesConfig
from sonoproof.data.frames.depth import agree_on_depth, needed_bits
from sonoproof.data.frames.facts import decode, read_frame
from sonoproof.data.frames.one_pass import find_depth
from sonoproof.errors import FrameError

MOST = 10_000
Samples = npt.NDArray[np.uint16]


def tissue(bits: int, *, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).integers(0, 2**bits, (40, 50)).astype(np.uint16)


def with_overlay(samples: Samples, *, white: int = 65535) -> Samples:
    changed = samples.copy()
    changed[:1, :40] = white
    return changed


def encoded(samples: Samples, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, samples)[1].tobytes()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_what_a_frame_needs_does_not_depend_on_an_overlay(bits: int) -> None:
    assert needed_bits(tissue(bits)) == bits
    assert needed_bits(with_overlay(tissue(bits))) == bits
    one = tissue(bits)
    one[0, 0] = 50_000
    assert needed_bits(one) == bits


def test_most_frames_decide_and_a_mixture_is_a_question() -> None:
    assert agree_on_depth([]).bits == 8
    assert agree_on_depth([12] * 97 + [16] * 3).bits == 12
    assert agree_on_depth([12] * 60 + [10] * 40).agreed
    mixed = agree_on_depth([12] * 50 + [16] * 50)
    assert (mixed.bits, mixed.agreed, mixed.needs) == (16, False, {12: 50, 16: 50})


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_tissue_keeps_its_brightness_beside_an_overlay(suffix: str, tmp_path: Path) -> None:
    paths = []
    for number in range(6):
        samples = tissue(12, seed=number)
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(encoded(with_overlay(samples) if number == 3 else samples, suffix))
        paths.append(str(path))
    (tmp_path / "plain.png").write_bytes(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    (tmp_path / "broken.png").write_bytes(b"")
    others = [str(tmp_path / name) for name in ("plain.png", "broken.png", "missing.png")]
    depth = find_depth([*paths, *others], config=FramesConfig(workers=1))
    assert (depth.bits, depth.needs) == (12, {12: 6})

    plain = np.rint(tissue(12, seed=3) * (255 / 4095))
    pixels = decode(Path(paths[3]), max_pixels=MOST, bits=depth.bits)[..., 0]
    assert np.array_equal(pixels[1:], plain[1:])
    assert (pixels[0, :40] == 255).all()
    facts = read_frame(paths[3], max_pixels=MOST, bits=depth.bits).facts
    assert facts.bits == 12
    assert facts.overlay == pytest.approx(40 / 2000)


def test_a_frame_that_needs_more_bits_than_the_cohort_is_refused() -> None:
    with pytest.raises(
        FrameError, match=r"needs 16 bits per sample, and the frames of the cohort have 12; convert it \(frames.bits"
    ):
        decode(encoded(tissue(16)), max_pixels=MOST, bits=12)
    with pytest.raises(FrameError, match="have 8"):
        decode(encoded(tissue(12)), max_pixels=MOST, bits=8)
    assert decode(encoded(tissue(8)), max_pixels=MOST, bits=8).max() == 255


def test_colour_is_scaled_like_grey() -> None:
    samples = np.random.default_rng(1).integers(0, 4096, (20, 30, 3)).astype(np.uint16)
    expected = np.rint(np.minimum(samples, 16383) * (255 / 16383))
    assert np.array_equal(decode(encoded(samples[..., ::-1]), max_pixels=MOST, bits=14), expected)
