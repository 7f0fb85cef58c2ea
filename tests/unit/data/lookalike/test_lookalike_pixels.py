from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.keypoints import describe, mirrored_descriptors, mirrored_points
from sonoproof.data.lookalike.pixels import pixel_agreement, tissue_mask

Frame = NDArray[np.uint8]
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def grey(frame: Frame) -> Frame:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def test_same_tissue_agrees_here_and_nowhere_beside(make_frame: Callable[..., Frame]) -> None:
    first = grey(make_frame(1))
    result = pixel_agreement(first, np.clip(first * 0.8 + 10, 0, 255).astype(np.uint8), STILL)
    assert result is not None
    assert (result.agreement, result.overlap) > (0.97, 0.99)
    assert result.margin > 0.9


def test_same_overlays_over_other_tissue_do_not_agree(make_frame: Callable[..., Frame]) -> None:
    result = pixel_agreement(grey(make_frame(1)), grey(make_frame(2)), STILL)
    assert result is not None
    assert result.margin < 0.03
    assert abs(result.agreement) < 0.1


def test_layers_agree_but_are_no_evidence() -> None:
    """Horizontal layers slide along themselves: they agree as well when moved aside."""
    depth = np.arange(240)[:, None]
    layers = 128 + 60 * np.sin(depth / 3.1 + 2 * np.sin(depth / 17.0))
    noise = np.random.default_rng(0).normal(0, 8, (2, 240, 240))
    first, second = (np.clip(layers + part, 0, 255).astype(np.uint8) for part in noise)
    result = pixel_agreement(first, second, STILL)
    assert result is not None
    assert result.agreement > 0.8
    assert result.margin < 0.05


def test_too_little_in_common_is_no_evidence(make_frame: Callable[..., Frame]) -> None:
    far = np.array([[1.0, 0.0, 225.0], [0.0, 1.0, 0.0]])
    assert pixel_agreement(grey(make_frame(1)), grey(make_frame(1)), far) is None


def test_tissue_leaves_out_the_outline_and_text_beside_it(make_frame: Callable[..., Frame]) -> None:
    mask = tissue_mask(grey(make_frame(1)))
    assert mask[110:140, 100:140].all()
    assert not mask[:18, :100].any()
    assert not mask[225:, 150:].any()
    assert not mask[:40, 200:].any()


def test_mirrored_features_are_those_of_the_mirrored_frame(make_frame: Callable[..., Frame]) -> None:
    frame = make_frame(3, overlays=False)
    view, mirrored = describe(frame), describe(np.ascontiguousarray(frame[:, ::-1]))
    points = mirrored_points(view.points, view.grey.shape[1])
    distance = np.linalg.norm(points[:, None] - mirrored.points[None], axis=2)
    partner = distance.argmin(axis=1)
    found = distance.min(axis=1) < 0.5
    assert found.sum() > 60
    expected = mirrored.descriptors[partner[found]].astype(int)
    error = np.abs(mirrored_descriptors(view.descriptors)[found].astype(int) - expected).mean(axis=1)
    unmirrored = np.abs(view.descriptors[found].astype(int) - expected).mean(axis=1)
    assert np.median(error) < 2
    assert np.median(unmirrored) > 10
