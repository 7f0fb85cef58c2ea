from __future__ import annotations

import dataclasses
import hashlib
from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from sonoproof.config import FitConfig
from sonoproof.training.augmentation import Augmentation, Changes, draw
from sonoproof.training.augmenting import augment, augment_on_device
from sonoproof.training.recipes import VARIED, recipe_for
from sonoproof.types import UInt8Array

IDS = [f"image{k}" for k in range(400)]
STILL = Augmentation(zoom=0.0, shear_degrees=0.0, flip=False, changed_share=1.0)
BORDERS: tuple[tuple[Literal["nearest", "mirror"], Literal["nearest", "reflect"]], ...] = (
    ("nearest", "nearest"),
    ("mirror", "reflect"),
)
AMOUNTS = (
    "rotation_degrees", "translation", "crop", "brightness", "contrast", "gamma", "time_gain", "speckle", "blur_px",
)  # fmt: skip


def drawn(
    augmentation: Augmentation, *, ids: list[str] = IDS, seed: int = 0, epoch: int = 0, size: int = 64
) -> Changes:
    return draw(ids, augmentation=augmentation, seed=seed, epoch=epoch, size=size)


def only(**amounts: float) -> Augmentation:
    return dataclasses.replace(STILL, **amounts)  # type: ignore[arg-type]


def smooth_frames(count: int, size: int) -> UInt8Array:
    noise = ndimage.gaussian_filter(np.random.default_rng(3).random((count, size, size, 3)), (0, 2, 2, 0))
    return np.asarray(np.round(255 * (noise - noise.min()) / np.ptp(noise)), np.uint8)


def test_the_same_image_is_changed_alike_whatever_stands_beside_it() -> None:
    together, alone = drawn(VARIED, seed=3, epoch=2), drawn(VARIED, ids=[IDS[17]], seed=3, epoch=2)
    for name in ("maps", "tones", "time_gain", "speckle", "grain", "blur_px"):
        assert np.array_equal(getattr(together, name)[17], getattr(alone, name)[0])


@pytest.mark.parametrize(("seed", "epoch"), [(3, 3), (4, 2)])
def test_epoch_and_seed_change_the_draw(seed: int, epoch: int) -> None:
    first, second = drawn(VARIED, seed=3, epoch=2), drawn(VARIED, seed=seed, epoch=epoch)
    assert not np.any(np.all(first.maps == second.maps, axis=(1, 2)))
    assert not np.any(np.all(first.grain == second.grain, axis=1))


def test_classic_is_zoomed_sheared_and_mirrored_and_nothing_else() -> None:
    classic = recipe_for(FitConfig(recipe="classic"), pretrained=True).augmentation
    frames = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    frames[10:] = frames[10:, :, :, :1]  # grey ones too
    changes = drawn(classic, ids=IDS[:20], seed=5, epoch=1)
    for image_id, frame, affine, changed in zip(IDS, frames, changes.maps, augment(frames, changes), strict=False):
        digest = hashlib.blake2b("\0".join(["5", "1", image_id]).encode(), digest_size=32).digest()
        zoom_x, zoom_y, shear, side = np.frombuffer(digest, "<u8") / 2.0**64
        across = (1.0 + 0.2 * (2.0 * zoom_x - 1.0)) * (-1.0 if side < 0.5 else 1.0)
        angle = np.deg2rad(0.2) * (2.0 * shear - 1.0)
        linear = [[across, -across * np.sin(angle)], [0.0, (1.0 + 0.2 * (2.0 * zoom_y - 1.0)) * np.cos(angle)]]
        assert np.allclose(affine[:, :2], linear, rtol=0, atol=1e-15)
        assert np.allclose(affine @ [31.5, 31.5, 1.0], 31.5)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        expected = cv2.warpAffine(frame, affine, (64, 64), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        assert np.array_equal(changed, expected)


def test_zoom_shear_and_flip_stay_within_what_was_asked_for_and_fill_it() -> None:
    maps = drawn(Augmentation(zoom=0.2, shear_degrees=10.0, flip=True)).maps
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
    maps = drawn(Augmentation(zoom=0.0, shear_degrees=0.2, flip=False), size=224).maps
    assert np.abs(maps[:, 0, 1]).max() < 0.0036  # sin(0.2 degrees); 0.2 radians would be 0.199


def test_rotation_shift_and_crop_stay_within_what_was_asked_for_and_fill_it() -> None:
    angle = np.rad2deg(np.arctan2(*(drawn(only(rotation_degrees=20.0)).maps[:, k, 0] for k in (1, 0))))
    assert -20.0 <= angle.min() < -18.0
    assert 18.0 < angle.max() <= 20.0
    shift = drawn(only(translation=0.06), size=100).maps[:, :, 2]
    assert 5.7 < np.abs(shift).max() <= 6.0
    cut = drawn(only(crop=0.3), size=100).maps
    corners = np.array([[-0.5, -0.5], [99.5, 99.5]])
    seen = np.einsum("nij,kj->nki", cut[:, :, :2], corners) + cut[:, None, :, 2]
    assert seen.min() >= -0.5 - 1e-9  # a crop shows nothing from beyond the edge
    assert seen.max() <= 99.5 + 1e-9
    assert 0.70 <= cut[:, 0, 0].min() < 0.72
    assert cut[:, 0, 0].max() <= 1.0


def test_each_change_is_made_to_its_share_of_the_frames() -> None:
    changes = drawn(dataclasses.replace(VARIED, zoom=0.0, shear_degrees=0.0, flip=False))
    for made in (changes.time_gain != 0, changes.speckle != 0, changes.blur_px != 0, changes.maps[:, 1, 0] != 0):
        assert 0.4 < made.mean() < 0.6
    assert abs(np.corrcoef(changes.speckle != 0, changes.blur_px != 0)[0, 1]) < 0.15


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_change_of_nothing_leaves_the_bytes(name: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 33, 33, 3), dtype=np.uint8)
    assert np.array_equal(augment(frames, drawn(STILL, ids=IDS[:5], size=33)), frames)
    amount = getattr(VARIED, name)
    assert amount > 0
    assert not np.array_equal(augment(frames, drawn(only(**{name: amount}), ids=IDS[:5], size=33)), frames)


def test_a_flip_alone_mirrors_left_and_right() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    changes = drawn(dataclasses.replace(STILL, flip=True), ids=IDS[:40], size=32)
    mirrored = changes.maps[:, 0, 0] < 0
    changed = augment(frames, changes)
    assert np.array_equal(changed[mirrored], frames[mirrored][:, :, ::-1])
    assert np.array_equal(changed[~mirrored], frames[~mirrored])


def test_the_pixels_agree_with_an_independent_affine_transform() -> None:
    frame = smooth_frames(1, 64)
    moves = Augmentation(
        zoom=0.2, shear_degrees=12.0, rotation_degrees=30.0, translation=0.1, crop=0.2, changed_share=1.0
    )
    for border, mode in BORDERS:
        changes = drawn(dataclasses.replace(moves, border=border), ids=["a"], seed=5, epoch=1)
        changed = augment(frame, changes)[0, :, :, 0].astype(float)
        # scipy indexes (row, column), the maps (x, y).
        swap = np.array([[0.0, 1.0], [1.0, 0.0]])
        matrix, offset = swap @ changes.maps[0, :, :2] @ swap, swap @ changes.maps[0, :, 2]
        expected = ndimage.affine_transform(frame[0, :, :, 0].astype(float), matrix, offset=offset, order=1, mode=mode)
        assert np.abs(changed - expected).max() < 3.0


def test_the_grey_curve_keeps_black_and_order_and_has_the_slope_asked_for() -> None:
    tones = drawn(only(brightness=0.2, contrast=0.3, gamma=0.3)).tones.astype(int)
    assert (tones[:, 0] == 0).all()
    assert (np.diff(tones, axis=1) >= 0).all()
    brighter = drawn(only(brightness=0.2)).tones
    assert 102 <= brighter[:, 127].min() < 104
    assert 150 < brighter[:, 127].max() <= 152
    curve = drawn(only(contrast=0.3)).tones.astype(int)
    slope = (curve[:, 138] - curve[:, 117]) / 21
    assert 0.65 < slope.min() < 0.76
    assert 1.24 < slope.max() < 1.35
    assert (curve[:, 255] == 255).all()


def test_time_gain_follows_the_depth_of_the_frame_as_it_was() -> None:
    """Upside down, the far end, which the gain raises, is at the top."""
    grey = np.full((1, 64, 64, 3), 100, np.uint8)
    changes = drawn(only(time_gain=0.2), ids=["a"])
    straight = dataclasses.replace(changes, time_gain=np.array([0.2]))
    turned = dataclasses.replace(straight, maps=np.array([[[-1.0, 0.0, 63.0], [0.0, -1.0, 63.0]]]))
    down = augment(grey, straight)[0, :, 10, 0].astype(int)
    assert (down[0], down[-1]) == (80, 120)
    assert np.array_equal(augment(grey, turned)[0, :, 10, 0], down[::-1])


def test_speckle_and_blur_are_as_strong_as_drawn_and_black_stays_black() -> None:
    grey = np.full((1, 128, 128, 3), 120, np.uint8)
    changes = drawn(only(speckle=0.1), ids=["a"], size=128)
    strong = dataclasses.replace(changes, speckle=np.array([0.1]))
    assert augment(grey, strong).std() == pytest.approx(12.0, rel=0.1)
    assert not augment(np.zeros_like(grey), strong).any()
    frame = smooth_frames(1, 64)
    blurred = augment(frame, dataclasses.replace(drawn(STILL, ids=["a"]), blur_px=np.array([1.2])))
    expected = ndimage.gaussian_filter(frame.astype(float), (0, 1.2, 1.2, 0), mode="mirror", truncate=3.4)
    assert np.abs(blurred - expected).max() < 2.0


def test_a_frame_in_colour_and_a_grey_one_are_changed_alike() -> None:
    grey = np.repeat(smooth_frames(8, 48)[..., :1], 3, axis=3)
    coloured = grey.copy()
    coloured[..., 2] = 255 - grey[..., 2]
    changes = drawn(VARIED, ids=IDS[:8], size=48)
    assert np.array_equal(augment(coloured, changes)[..., 0], augment(grey, changes)[..., 0])


def test_on_a_device_frames_are_changed_alike() -> None:
    frames = smooth_frames(20, 48)
    changes = drawn(dataclasses.replace(VARIED, shear_degrees=15.0), ids=IDS[:20], epoch=2, size=48)
    assert (np.linalg.det(changes.maps[:, :, :2]) < 0).any()  # some are mirrored
    given = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    changed = augment_on_device(given, changes).permute(0, 2, 3, 1).numpy()
    difference = np.abs(changed - augment(frames, changes))
    assert difference.max() < 6.0
    assert difference.mean() < 0.6
    assert np.abs(changed - frames).max() > 50.0


def test_what_is_set_takes_the_place_of_the_recipes_own() -> None:
    wider = FitConfig(recipe="varied", rotation_degrees=5.0, speckle=0.0, zoom=0.1)
    assert recipe_for(wider, pretrained=True).augmentation == dataclasses.replace(
        VARIED, rotation_degrees=5.0, speckle=0.0, zoom=0.1
    )
    asked = recipe_for(FitConfig(recipe="classic", brightness=0.1, changed_share=1.0), pretrained=True).augmentation
    assert asked == Augmentation(brightness=0.1, changed_share=1.0)
