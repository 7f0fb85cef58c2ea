from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from sonoproof.config import FitConfig
from sonoproof.training.augmentation import augment, augment_on_device, draw

IDS = [f"image{k}" for k in range(400)]


def test_the_same_image_is_changed_alike_whatever_stands_beside_it() -> None:
    config = FitConfig(seed=3)
    together = draw(IDS, config=config, epoch=2, size=64)
    alone = draw([IDS[17]], config=config, epoch=2, size=64)
    assert np.array_equal(together[17], alone[0])


@pytest.mark.parametrize("other", [{"epoch": 3}, {"seed": 4}])
def test_epoch_and_seed_change_the_draw(other: dict[str, int]) -> None:
    first = draw(IDS, config=FitConfig(seed=3), epoch=2, size=64)
    second = draw(IDS, config=FitConfig(seed=other.get("seed", 3)), epoch=other.get("epoch", 2), size=64)
    assert not np.any(np.all(first == second, axis=(1, 2)))


def test_zoom_shear_and_flip_stay_within_what_was_asked_for_and_fill_it() -> None:
    maps = draw(IDS, config=FitConfig(zoom=0.2, shear_degrees=10.0, flip=True, seed=0), epoch=0, size=64)
    zoom_x, mirror = np.abs(maps[:, 0, 0]), np.sign(maps[:, 0, 0])
    shear = np.rad2deg(np.arcsin(-maps[:, 0, 1] / maps[:, 0, 0]))
    zoom_y = maps[:, 1, 1] / np.cos(np.deg2rad(shear))
    for zoom in (zoom_x, zoom_y):
        assert 0.8 <= zoom.min() < 0.82
        assert 1.18 < zoom.max() <= 1.2
    assert 9.5 < np.abs(shear).max() <= 10.0
    assert 0.4 < np.mean(mirror < 0) < 0.6
    assert abs(np.corrcoef(zoom_x, zoom_y)[0, 1]) < 0.15


def test_shear_is_in_degrees_not_radians() -> None:
    maps = draw(IDS, config=FitConfig(zoom=0.0, shear_degrees=0.2, flip=False), epoch=0, size=224)
    assert np.abs(maps[:, 0, 1]).max() < 0.0036  # sin(0.2 degrees); 0.2 radians would be 0.199


def test_without_zoom_shear_and_flip_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 33, 33, 3), dtype=np.uint8)
    maps = draw(IDS[:5], config=FitConfig(zoom=0.0, shear_degrees=0.0, flip=False), epoch=0, size=33)
    assert np.array_equal(augment(frames, maps), frames)


def test_a_flip_alone_mirrors_left_and_right() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    maps = draw(IDS[:40], config=FitConfig(zoom=0.0, shear_degrees=0.0, flip=True), epoch=0, size=32)
    mirrored = maps[:, 0, 0] < 0
    changed = augment(frames, maps)
    assert np.array_equal(changed[mirrored], frames[mirrored][:, :, ::-1])
    assert np.array_equal(changed[~mirrored], frames[~mirrored])


def test_the_pixels_agree_with_an_independent_affine_transform() -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(1).random((64, 64)), 3)
    frame = np.round(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    frames = np.repeat(frame[None, :, :, None], 3, axis=3)
    maps = draw(["a"], config=FitConfig(zoom=0.2, shear_degrees=12.0, seed=5), epoch=1, size=64)
    changed = augment(frames, maps)[0, :, :, 0].astype(float)
    # scipy indexes (row, column), the maps (x, y).
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    matrix, offset = swap @ maps[0, :, :2] @ swap, swap @ maps[0, :, 2]
    expected = ndimage.affine_transform(frame.astype(float), matrix, offset=offset, order=1, mode="nearest")
    assert np.abs(changed - expected).max() < 3.0


def test_on_a_device_frames_are_changed_alike() -> None:
    noise = np.random.default_rng(3).random((20, 48, 48, 3))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2, 0))
    frames = np.round(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    maps = draw(IDS[:20], config=FitConfig(zoom=0.3, shear_degrees=15.0), epoch=2, size=48)
    assert (maps[:, 0, 0] < 0).any()  # some are mirrored
    given = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    changed = augment_on_device(given, maps).permute(0, 2, 3, 1).numpy()
    assert np.abs(changed - augment(frames, maps)).max() < 3.0
    assert np.abs(changed - frames).max() > 50.0
