import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sonoproof.data.frames.texture import (
    CELLS,
    DIRECTIONS,
    SPOT_BINS,
    SPOT_QUANTILES,
    SPOT_SCALES_PX,
    TEXTURE_FEATURES,
    texture_features,
)

EDGES = CELLS * CELLS * DIRECTIONS
PER_SCALE = len(SPOT_QUANTILES) + len(SPOT_BINS) - 1


def spots(radius_px: float, *, seed: int, level: int = 20) -> NDArray[np.uint8]:
    """Discs on grey noise, well apart in a frame of 128 px."""
    rng = np.random.default_rng(seed)
    frame = rng.normal(128, 8, (128, 128)).clip(0, 255).astype(np.uint8)
    for x, y in [(24, 24), (64, 24), (104, 24), (24, 64), (64, 64), (104, 64), (24, 104), (64, 104), (104, 104)]:
        cv2.circle(frame, (x, y), round(radius_px), level, thickness=-1)
    return np.repeat(frame[..., None], 3, axis=2)


def response_by_scale(frame: NDArray[np.uint8], quantile: float) -> NDArray[np.float32]:
    at = SPOT_QUANTILES.index(quantile)
    return np.array([texture_features(frame)[EDGES + k * PER_SCALE + at] for k in range(len(SPOT_SCALES_PX))])


@pytest.mark.parametrize(("radius_px", "scale_px"), [(4, 3.0), (6, 4.0), (11, 8.0)])
def test_a_dark_disc_answers_most_at_its_own_scale(radius_px: float, scale_px: float) -> None:
    """The Laplacian of Gaussian answers most to a disc of radius r at the scale r / sqrt 2 (Lindeberg 1998)."""
    strongest = int(response_by_scale(spots(radius_px, seed=0), 0.99).argmax())
    assert SPOT_SCALES_PX[strongest] == scale_px


def test_dark_and_bright_spots_answer_with_opposite_sign() -> None:
    dark, bright = (spots(6, seed=1, level=level) for level in (20, 236))
    assert response_by_scale(dark, 0.99)[3] > 0.2
    assert response_by_scale(bright, 0.01)[3] < -0.2


def test_edges_are_told_by_direction_and_place() -> None:
    frame = np.zeros((64, 64, 3), dtype=np.uint8)
    frame[:, 36:] = 200  # one upright edge, in the fifth column of cells
    edges = texture_features(frame)[:EDGES].reshape(CELLS, CELLS, DIRECTIONS)
    assert np.argwhere(edges.sum(axis=(0, 2)) > 0).ravel().tolist() == [4]
    assert np.argwhere(edges.sum(axis=(0, 1)) > 0).ravel().tolist() == [0]
    assert (edges**2).sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(7, 5), (300, 200), (64, 64)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_frame_of_any_size_has_finite_features(shape: tuple[int, int], level: int) -> None:
    features = texture_features(np.full((*shape, 3), level, dtype=np.uint8))
    assert features.shape == (TEXTURE_FEATURES,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert (features[:EDGES] == 0).all()
