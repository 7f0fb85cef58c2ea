from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sonoproof.phantom.acoustics import draw_scatterers, echo_level_db
from sonoproof.phantom.anatomy import Ovary, draw_ovary
from sonoproof.phantom.geometry import Ellipsoid
from sonoproof.phantom.scanner import Frame, ScannerSettings, draw_settings, place_in_view, sweep
from sonoproof.phantom.scene import Scene, draw_scene
from sonoproof.phantom.tissue import section_mask, tissue_maps

SETTINGS = ScannerSettings(
    frequency_mhz=6.0, depth_mm=42.0, sector_degrees=120.0, face_radius_mm=10.0, aspect=1.1, focus_mm=20.0,
    gain_db=0.0, dynamic_range_db=55.0, gain_slope=0.5, noise_db=-75.0,
)  # fmt: skip


def one_follicle_ovary(*, diameter_mm: float) -> Ovary:
    shape = Ellipsoid(np.array([14.0, 11.0, 10.0]), np.array([0.0, 0.0, 18.0]), np.eye(3))
    centres = np.array([[0.0, 0.0, 18.0]]) if diameter_mm else np.empty((0, 3))
    return Ovary(shape, centres, np.array([diameter_mm] if diameter_mm else []), peripheral=False)


def undisturbed(scene: Scene, ovary: Ovary) -> Scene:
    return Scene(**{**vars(scene), "ovary": ovary, "neighbours": (), "deformation_mm": 0.0})


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    rng = np.random.default_rng(4)
    ovary = place_in_view(rng, draw_ovary(rng, polycystic=True, size_quantile=0.6), SETTINGS)
    return sweep(rng, scene=draw_scene(rng, ovary=ovary), settings=SETTINGS, frames=8, size_px=224)


def level_db(scene: Scene, seed: int = 0) -> NDArray[np.float32]:
    grid = SETTINGS.grid()
    rng = np.random.default_rng(seed)
    maps = tissue_maps(scene, grid, y_mm=0.0, shift_mm=(0.0, 0.0))
    scatterers = draw_scatterers(rng, grid.shape)
    probe = replace(SETTINGS.probe, noise_db=-120.0)
    return echo_level_db(maps, grid=grid, probe=probe, scatterers=scatterers, rng=rng)


def test_tissue_behind_a_follicle_is_brighter_by_what_the_fluid_does_not_attenuate() -> None:
    """The whole chain, with and without the follicle, on the same scatterers."""
    plain = draw_scene(np.random.default_rng(0), ovary=one_follicle_ovary(diameter_mm=0))
    with_follicle = undisturbed(plain, one_follicle_ovary(diameter_mm=10.0))
    without = undisturbed(plain, one_follicle_ovary(diameter_mm=0))
    grid = SETTINGS.grid()
    behind = (grid.depths_mm > 25) & (grid.depths_mm < 40)
    straight = np.abs(grid.angles_rad) < 0.03
    difference = (level_db(with_follicle) - level_db(without))[np.ix_(behind, straight)]

    assert difference.mean() == pytest.approx(2 * (0.5 - 0.02) * 6.0 * 1.0, abs=1.0)  # 5.76 dB


def test_fluid_is_black_and_stroma_is_not() -> None:
    scene = undisturbed(
        draw_scene(np.random.default_rng(0), ovary=one_follicle_ovary(diameter_mm=0)),
        one_follicle_ovary(diameter_mm=10.0),
    )
    grid, level = SETTINGS.grid(), level_db(scene)
    x, z = grid.cartesian_mm()
    distance = np.hypot(x, z - 18)

    # Side lobes and reverberation leave something, but 20 dB less than the stroma has.
    assert level[distance < 3.5].mean() < level[(distance > 6.5) & (distance < 8)].mean() - 20


def test_a_grazed_follicle_is_filled_in() -> None:
    """At the rim the slice holds as much stroma as fluid: the partial-volume effect."""
    scene = undisturbed(
        draw_scene(np.random.default_rng(0), ovary=one_follicle_ovary(diameter_mm=0)),
        one_follicle_ovary(diameter_mm=8.0),
    )
    grid = SETTINGS.grid()
    x, z = grid.cartesian_mm()
    centre = np.unravel_index(int(np.hypot(x, z - 18).argmin()), x.shape)
    stroma = 10 ** (scene.stroma_db / 10)
    powers = [
        float(tissue_maps(scene, grid, y_mm=y, shift_mm=(0.0, 0.0)).diffuse[centre]) for y in (0.0, 3.0, 3.8, 4.6)
    ]

    assert powers[0] < 0.001 * stroma
    assert powers[0] < powers[1] < powers[2] < powers[3]


def test_mask_marks_the_dark_discs_of_the_picture(frames: list[Frame]) -> None:
    ratios = []
    for frame in frames:
        core = cv2.erode((frame.mask == 2).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        if core.sum() > 30:
            ratios.append(frame.image[core].mean() / frame.image[frame.mask == 1].mean())

    assert len(ratios) > 3
    assert np.median(ratios) < 0.5
    assert max(ratios) < 0.75  # a follicle cut near its rim is partly filled in


def test_mask_agrees_with_the_listed_sections(frames: list[Frame]) -> None:
    mm_per_px = SETTINGS.sector(size_px=224).mm_per_px
    for frame in frames:
        visible = [disc for disc in frame.follicles if disc.visible]
        listed_mm2 = sum(np.pi / 4 * disc.diameter_mm**2 for disc in visible)
        seen = (frame.mask == 2).astype(np.uint8)

        assert seen.sum() * mm_per_px**2 == pytest.approx(listed_mm2, rel=0.25)  # tissue is pressed out of shape
        assert cv2.connectedComponents(seen)[0] - 1 <= len(visible)


def test_undeformed_mask_is_the_exact_geometry() -> None:
    ovary = one_follicle_ovary(diameter_mm=8.0)
    scene = undisturbed(draw_scene(np.random.default_rng(0), ovary=ovary), ovary)
    sector = SETTINGS.sector(size_px=512)
    x, z = sector.pixel_centres_mm()
    mask = section_mask(scene, x, z, y_mm=2.0)
    area_mm2 = sector.mm_per_px**2

    # The plane y = 2 cuts the sphere of radius 4 in a disc of radius √12, the ellipsoid in one scaled by √(1−(2/11)²).
    assert (mask == 2).sum() * area_mm2 == pytest.approx(np.pi * 12, rel=0.01)
    assert (mask > 0).sum() * area_mm2 == pytest.approx(np.pi * 14 * 10 * (1 - (2 / 11) ** 2), rel=0.01)


def test_frames_of_a_clip_resemble_their_neighbours_more_than_farther_ones(frames: list[Frame]) -> None:
    def likeness(first: Frame, second: Frame) -> float:
        inside = (first.image > 0) & (second.image > 0)
        return float(np.corrcoef(first.image[inside], second.image[inside])[0, 1])

    near = np.mean([likeness(a, b) for a, b in itertools.pairwise(frames)])
    far = np.mean([likeness(a, b) for a, b in zip(frames, frames[5:], strict=False)])
    assert near > far + 0.02
    assert all(0 <= frame.correlation < 1 for frame in frames)


def test_sector_is_black_outside_and_not_inside(frames: list[Frame]) -> None:
    sector = SETTINGS.sector(size_px=224)
    x, z = sector.pixel_centres_mm()
    inside = sector.contains(x, z)
    well_outside = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0

    assert max(frames[0].image.shape) == 224
    assert not frames[0].image[well_outside].any()
    assert frames[0].image[inside].mean() > 60
    assert not frames[0].mask[~inside].any()


def test_a_point_target_lands_on_its_pixel() -> None:
    grid, sector = SETTINGS.grid(), SETTINGS.sector(size_px=224)
    x, z = grid.cartesian_mm()
    grey = (255 * np.exp(-((x - 8) ** 2 + (z - 25) ** 2) / 0.5)).astype(np.float32)
    picture = sector.scan_convert(grey, grid=grid).astype(np.float64)
    columns, rows = sector.pixel_centres_mm()

    assert (picture * columns).sum() / picture.sum() == pytest.approx(8.0, abs=0.05)
    assert (picture * rows).sum() / picture.sum() == pytest.approx(25.0, abs=0.05)


def test_settings_vary_between_patients_and_the_ovary_is_in_view() -> None:
    rng = np.random.default_rng(8)
    drawn = [draw_settings(rng) for _ in range(30)]
    for settings in drawn:
        ovary = place_in_view(rng, draw_ovary(rng, polycystic=False, size_quantile=0.5), settings)
        reach = ovary.shape.extent_mm()
        assert ovary.shape.centre_mm[2] - reach[2] > 3
        assert ovary.shape.centre_mm[2] + reach[2] < settings.depth_mm
    for name in ("frequency_mhz", "depth_mm", "gain_db", "sector_degrees", "dynamic_range_db"):
        assert len({getattr(settings, name) for settings in drawn}) == 30
