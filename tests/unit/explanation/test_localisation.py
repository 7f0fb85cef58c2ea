from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonoproof.explanation.localisation import localise
from sonoproof.explanation.regions import attribution_shares, border_mask, overlay_mask, sector_mask

INSIDE = np.zeros((10, 10), dtype=bool)
INSIDE[2:4, 2:7] = True  # a tenth of the picture


def test_map_that_knows_the_mask() -> None:
    found = localise(-3.0 * INSIDE, INSIDE)  # the sign does not matter
    assert found is not None
    assert (found.area, found.pointing, found.mass, found.rank, found.lift) == (0.1, True, 1.0, 1.0, 10.0)


def test_map_that_knows_nothing_has_the_lift_of_its_area() -> None:
    found = localise(np.ones((10, 10)), INSIDE)
    assert found is not None
    assert found.mass == pytest.approx(0.1)
    assert found.lift == pytest.approx(1.0)


def test_measures_by_hand() -> None:
    values = np.zeros((10, 10))
    values[2, 2], values[2, 3], values[9, 9] = 1.0, -2.0, 5.0
    found = localise(values, INSIDE)
    assert found is not None
    assert not found.pointing
    assert found.mass == pytest.approx(3 / 8)
    # The 10 largest: the three above, then zeros in order of place, of which none of the first seven is inside.
    assert found.rank == pytest.approx(0.2)


def test_nothing_to_measure() -> None:
    assert localise(np.zeros((10, 10)), INSIDE) is None
    assert localise(np.ones((10, 10)), np.zeros((10, 10), dtype=bool)) is None
    assert localise(np.ones((10, 10)), np.ones((10, 10), dtype=bool)) is None


def test_a_map_of_another_frame_or_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        localise(np.ones((10, 11)), INSIDE)
    with pytest.raises(ValueError, match="finite"):
        localise(np.full((10, 10), np.nan), INSIDE)


def _scan() -> tuple[np.ndarray, np.ndarray]:
    """A sector with a dark follicle, a coloured mark and white text outside of it."""
    sector = np.zeros((224, 224), dtype=np.uint8)
    cv2.ellipse(sector, (112, 10), (190, 190), 0, 55, 125, color=1, thickness=cv2.FILLED)
    speckle = np.random.default_rng(0).integers(40, 160, sector.shape)
    frame = np.repeat((sector * speckle)[..., None], 3, axis=2).astype(np.uint8)
    cv2.circle(frame, (112, 120), 20, (0, 0, 0), thickness=cv2.FILLED)
    cv2.rectangle(frame, (10, 60), (14, 100), (255, 255, 255), thickness=cv2.FILLED)
    frame[5:10, 200:210] = (0, 255, 0)
    return frame, sector.astype(bool)


def test_sector_is_found_with_its_dark_inside() -> None:
    frame, truth = _scan()
    found = sector_mask(frame)
    assert (found & truth).sum() / (found | truth).sum() > 0.93
    assert found[120, 112]
    assert not found[80, 12]


def test_overlays_are_colour_and_what_is_bright_outside() -> None:
    frame, truth = _scan()
    found = overlay_mask(frame, sector_mask(frame))
    assert found[7, 205]
    assert found[80, 12]
    assert (found & truth).sum() < 0.02 * truth.sum()


def test_shares_beside_areas() -> None:
    frame, _ = _scan()
    values = np.zeros((224, 224))
    values[150, 112], values[0, 100], values[80, 12] = -2.0, 1.0, 1.0
    shares = attribution_shares(values, frame)
    assert shares["sector"]["attribution"] == pytest.approx(0.5)
    assert shares["border"]["attribution"] == pytest.approx(0.25)
    assert shares["overlay"]["attribution"] == pytest.approx(0.25)
    assert shares["border"]["area"] == pytest.approx(border_mask(frame).mean()) == pytest.approx(1 - (208 / 224) ** 2)


def test_black_frame_has_no_sector() -> None:
    black = np.zeros((64, 64, 3), dtype=np.uint8)
    assert not sector_mask(black).any()
    assert np.isnan(attribution_shares(np.zeros((64, 64)), black)["sector"]["attribution"])
