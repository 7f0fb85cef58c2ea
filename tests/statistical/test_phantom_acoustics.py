"""The phantom's pictures against the theory of speckle and attenuation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoproof.phantom.acoustics import (
    FLUID_ATTENUATION,
    TISSUE_ATTENUATION,
    PolarGrid,
    Probe,
    TissueMaps,
    draw_scatterers,
    echo_level_db,
    evolve_scatterers,
    log_compress,
    spread,
    two_way_loss_db,
)

GRID = PolarGrid(
    depths_mm=(0.05 + 0.1 * np.arange(480)).astype(np.float32),
    angles_rad=np.linspace(-1.0, 1.0, 256, dtype=np.float32),
    face_radius_mm=10.0,
)
PROBE = Probe(frequency_mhz=6.5, noise_db=-200.0)


def homogeneous() -> TissueMaps:
    return TissueMaps(
        diffuse=np.ones(GRID.shape, dtype=np.float32),
        specular=np.zeros(GRID.shape, dtype=np.float32),
        attenuation=np.full(GRID.shape, TISSUE_ATTENUATION, dtype=np.float32),
    )


def scanned(maps: TissueMaps, probe: Probe = PROBE) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    scatterers = draw_scatterers(rng, GRID.shape)
    return echo_level_db(maps, grid=GRID, probe=probe, scatterers=scatterers, rng=rng)


def mean_power_db(level_db: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(10 ** (level_db.astype(np.float64) / 10))))


@pytest.mark.parametrize("rows", [slice(20, 160), slice(160, 300), slice(300, 460)], ids=["near", "focus", "far"])
def test_homogeneous_tissue_shows_fully_developed_speckle(rows: slice) -> None:
    level_db = scanned(homogeneous())[rows]
    envelope = 10 ** (level_db.astype(np.float64) / 20)

    assert envelope.mean() / envelope.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), abs=0.1)
    assert level_db.std() == pytest.approx(10 * np.pi / np.sqrt(6) / np.log(10), abs=0.3)  # 5.57 dB
    assert mean_power_db(level_db) == pytest.approx(0.0, abs=0.3)


@pytest.mark.parametrize("gain_slope", [0.4, 0.5, 0.6])
@pytest.mark.parametrize("frequency_mhz", [5.0, 8.5])
def test_depth_gradient_is_what_the_gain_does_not_make_up_for(gain_slope: float, frequency_mhz: float) -> None:
    level_db = scanned(homogeneous(), replace(PROBE, frequency_mhz=frequency_mhz, gain_slope=gain_slope))
    slope_db_per_mm = np.polyfit(GRID.depths_mm[20:460], level_db[20:460].mean(axis=1), 1)[0]
    expected = 2 * (gain_slope - TISSUE_ATTENUATION) * frequency_mhz / 10

    assert slope_db_per_mm == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("thickness_mm", [5.0, 10.0, 15.0])
@pytest.mark.parametrize("frequency_mhz", [5.0, 8.5])
def test_enhancement_behind_fluid_is_the_attenuation_it_does_not_cause(
    thickness_mm: float, frequency_mhz: float
) -> None:
    maps = homogeneous()
    in_fluid = slice(100, 100 + round(thickness_mm * 10)), slice(90, 166)
    maps.diffuse[in_fluid] = 1e-5
    maps.attenuation[in_fluid] = FLUID_ATTENUATION
    level_db = scanned(maps, replace(PROBE, frequency_mhz=frequency_mhz))
    behind = slice(in_fluid[0].stop + 20, 460)
    enhancement_db = mean_power_db(level_db[behind, 105:151]) - mean_power_db(level_db[behind, 5:75])
    expected_db = 2 * (TISSUE_ATTENUATION - FLUID_ATTENUATION) * frequency_mhz * thickness_mm / 10

    assert enhancement_db == pytest.approx(expected_db, abs=1.0)


def test_loss_in_homogeneous_tissue_is_the_textbook_line() -> None:
    loss_db = two_way_loss_db(homogeneous().attenuation, frequency_mhz=6.5, step_mm=GRID.step_mm)

    # 6.5 MHz, 40 mm deep: 0.5 dB/cm/MHz · 6.5 MHz · 8 cm there and back = 26 dB.
    np.testing.assert_allclose(np.interp(40.0, GRID.depths_mm, loss_db[:, 0]), 26.0, atol=0.01)


def test_noise_rises_with_depth_as_the_gain_does() -> None:
    maps = homogeneous()
    maps.diffuse[...] = 0
    level_db = scanned(maps, replace(PROBE, noise_db=-60))

    assert mean_power_db(level_db[98:103]) == pytest.approx(-60 + 2 * 0.5 * 6.5 * 1.005, abs=0.6)
    assert mean_power_db(level_db[398:403]) == pytest.approx(-60 + 2 * 0.5 * 6.5 * 4.005, abs=0.6)


@pytest.mark.parametrize("depth_mm", [10.0, 25.0, 45.0])
def test_a_point_is_as_wide_as_the_pulse_says(depth_mm: float) -> None:
    row, beam = round(depth_mm * 10), 128
    field = np.zeros(GRID.shape, dtype=np.complex64)
    field[row, beam] = 1
    probe = Probe(frequency_mhz=6.5, sidelobes=0.0)
    seen = np.abs(spread(field, grid=GRID, probe=probe))

    assert seen.argmax() == row * GRID.shape[1] + beam
    along_mm = GRID.step_mm * equivalent_fwhm(seen[:, beam])
    across_mm = (GRID.depths_mm[row] + GRID.face_radius_mm) * GRID.step_rad * equivalent_fwhm(seen[row])
    assert along_mm == pytest.approx(probe.axial_fwhm_mm, rel=0.03)
    assert across_mm == pytest.approx(float(probe.lateral_fwhm_mm(GRID.depths_mm[row : row + 1])[0]), rel=0.03)


def equivalent_fwhm(profile: NDArray[np.float32]) -> float:
    """Full width at half maximum, in samples, of the Gaussian of the profile's area and height."""
    return float(profile.sum() / profile.max() * 2 * np.sqrt(2 * np.log(2)) / np.sqrt(2 * np.pi))


def test_neighbouring_planes_share_the_stated_part_of_their_speckle() -> None:
    rng = np.random.default_rng(1)
    first = draw_scatterers(rng, GRID.shape)
    second = evolve_scatterers(first, rng, correlation=0.7)

    correlation = np.vdot(first, second) / np.linalg.norm(first) / np.linalg.norm(second)
    assert correlation.real == pytest.approx(0.7, abs=0.01)
    assert abs(correlation.imag) < 0.01
    assert np.mean(np.abs(second) ** 2) == pytest.approx(1.0, abs=0.02)


def test_compression_is_linear_in_db_and_clips_at_black_and_white() -> None:
    level_db = np.array([[-100.0, -30.0, 0.0, 15.0, 30.0, 90.0]], dtype=np.float32)

    grey = log_compress(level_db, dynamic_range_db=60, white_db=30)
    np.testing.assert_allclose(grey, [[0, 0, 127.5, 191.25, 255, 255]], atol=1e-3)
