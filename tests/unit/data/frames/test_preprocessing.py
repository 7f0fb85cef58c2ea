"""The one preprocessing: geometry, scaling, and the key that names its store."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoproof.data.frames.preprocessing import Aspect, Box, Preprocessing, grey_plane
from sonoproof.errors import BundleError, ConfigError

Pixels = npt.NDArray[np.uint8]


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_shrinking_averages_over_areas() -> None:
    image = noise(64, 96)
    blocks = image.reshape(16, 4, 16, 6, 3).mean(axis=(1, 3))
    assert np.abs(Preprocessing(16, "stretch")(image) - blocks).max() <= 0.5 + 1e-6


def overlaps(n_from: int, n_to: int) -> npt.NDArray[np.float64]:
    """The share of each input pixel in each output pixel when an axis is shrunk, (n_to, n_from)."""
    edges = np.arange(n_to + 1) * (n_from / n_to)
    starts = np.arange(n_from)
    shared = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.clip(shared, 0, None) * (n_to / n_from))


def test_shrinking_by_no_whole_factor_is_the_exact_area_average() -> None:
    image = noise(300, 260)
    exact = np.einsum("yh,hwc,xw->yxc", overlaps(300, 224), image, overlaps(260, 224), optimize=True)
    assert np.abs(Preprocessing(224, "stretch")(image) - exact).max() <= 0.51


def test_an_axis_that_grows_does_not_alias_the_one_that_shrinks() -> None:
    stripes = np.zeros((8, 640, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(Preprocessing(64, "stretch")(stripes).astype(int) - 100).max() <= 1


def test_an_equal_size_changes_nothing() -> None:
    image = noise(32, 32)
    for aspect in get_args(Aspect):
        canvas = Preprocessing(32, aspect)(image)
        assert np.array_equal(canvas, image)
        assert not np.shares_memory(canvas, image)


def test_padding_centres_the_frame_on_black() -> None:
    preprocessing = Preprocessing(40, "pad")
    canvas = preprocessing(np.full((30, 60, 3), 200, np.uint8))
    assert preprocessing.content_box(60, 30) == Box(0, 10, 40, 20)
    assert (canvas[10:30] == 200).all()
    assert (canvas[:10] == 0).all()
    assert (canvas[30:] == 0).all()
    assert preprocessing.content_box(30, 60) == Box(10, 0, 20, 40)


def test_cropping_keeps_the_middle() -> None:
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, 20:40] = 200
    preprocessing = Preprocessing(10, "crop")
    assert preprocessing.seen_box(60, 20) == Box(20, 0, 20, 20)
    assert (preprocessing(image) == 200).all()


def test_the_canvas_is_upright_and_its_channels_stay() -> None:
    image = np.zeros((50, 80, 3), np.uint8)
    image[:25, :40] = (250, 120, 10)  # top left
    for aspect in get_args(Aspect):
        preprocessing = Preprocessing(20, aspect)
        box = preprocessing.content_box(80, 50)
        canvas = preprocessing(image)
        assert canvas[box.top + 2, box.left + 2].tolist() == [250, 120, 10], aspect
        assert canvas[box.top + box.height - 3, box.left + box.width - 3].tolist() == [0, 0, 0], aspect


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    size=st.integers(1, 96),
    aspect=st.sampled_from(get_args(Aspect)),
)
def test_any_frame_fills_a_square(height: int, width: int, size: int, aspect: Aspect) -> None:
    preprocessing = Preprocessing(size, aspect)
    image = np.full((height, width, 3), 77, np.uint8)
    canvas = preprocessing(image)
    box = preprocessing.content_box(width, height)
    covered = np.zeros((size, size), bool)
    covered[box.top : box.top + box.height, box.left : box.left + box.width] = True
    assert canvas.shape == (size, size, 3)
    assert (canvas[covered] == 77).all()
    assert (canvas[~covered] == 0).all()
    assert covered.any()


@pytest.mark.parametrize("aspect", ["pad", "stretch", "crop"])
@pytest.mark.parametrize(("height", "width"), [(600, 800), (300, 300), (224, 224), (448, 448), (90, 500), (1, 7)])
def test_a_grey_frame_becomes_what_the_same_plane_of_a_frame_in_colour_becomes(
    height: int, width: int, aspect: Aspect
) -> None:
    rng = np.random.default_rng(height)
    colour = rng.integers(0, 256, (height, width, 3), np.uint8)
    preprocessing = Preprocessing(224, aspect=aspect)
    for channel in range(3):
        grey = np.repeat(colour[..., channel : channel + 1], 3, axis=2)
        canvas = preprocessing(grey)
        assert canvas.flags.c_contiguous
        assert canvas.flags.writeable
        np.testing.assert_array_equal(canvas, np.repeat(preprocessing(colour)[..., channel : channel + 1], 3, axis=2))


@pytest.mark.parametrize("row", [0, 1, 599])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_pixel_in_colour_stays_so(row: int, channel: int) -> None:
    frame = np.full((600, 800, 3), 100, np.uint8)
    frame[row, 300, channel] = 255
    assert grey_plane(frame) is None
    canvas = Preprocessing(224)(frame)
    others = [k for k in range(3) if k != channel]
    assert canvas[..., channel].max() > canvas[..., others].max() == 100


def test_a_needle_of_a_frame_needs_no_huge_buffer() -> None:
    for aspect in get_args(Aspect):
        assert Preprocessing(224, aspect)(np.full((1, 60_000, 3), 9, np.uint8)).max() == 9


def test_the_settings_survive_json() -> None:
    for preprocessing in (Preprocessing(160, "crop"), Preprocessing(160, bits=12)):
        assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing
    assert "bits" not in Preprocessing(160).to_dict()  # as models of earlier versions have it


def test_the_key_changes_with_whatever_changes_a_canvas() -> None:
    keys = {Preprocessing(size, aspect).key() for size in (128, 224) for aspect in get_args(Aspect)}
    assert len(keys) == 6
    assert Preprocessing(224, bits=12).key() not in keys
    assert Preprocessing(224, bits=8).key() == Preprocessing(224).key()  # of frames without deeper samples
    assert Preprocessing(224, "pad").key() == replace(Preprocessing(224, "crop"), aspect="pad").key()


@pytest.mark.parametrize(
    "settings_",
    [
        {"size": 0},
        {"size": 2.5},
        {"size": True},
        {"size": 8, "aspect": "squash"},
        {"size": 8, "scaling": "x/255"},
        {"size": 8, "bits": 9},
    ],
)
def test_invalid_settings_are_errors(settings_: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Preprocessing(**settings_)  # type: ignore[arg-type]
    with pytest.raises(BundleError):
        Preprocessing.from_dict({"aspect": "pad", "scaling": "x/127.5-1", **settings_})


def test_unknown_or_missing_settings_of_a_bundle_are_errors() -> None:
    complete = Preprocessing(8).to_dict()
    with pytest.raises(BundleError, match="mean"):
        Preprocessing.from_dict({**complete, "mean": 0.5})
    with pytest.raises(BundleError, match="aspect"):
        Preprocessing.from_dict({key: value for key, value in complete.items() if key != "aspect"})


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 0, 3), np.uint8)]
)
def test_what_is_no_frame_is_refused(image: Pixels) -> None:
    with pytest.raises(ValueError, match="frame is"):
        Preprocessing(8)(image)
