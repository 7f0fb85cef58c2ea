"""What turns tissue into an ultrasound picture: speckle, point spread, attenuation, gain and log compression.

Everything is computed on a polar grid: rows are ranges along the beam, columns are beams. Echo powers are relative to
the tissue around the ovary (0 dB).

References:
    Wagner, Smith, Sandrik & Lopez, Statistics of speckle in ultrasound B-scans, IEEE Trans. Sonics Ultrason. 30
    (1983) 156: the envelope of fully developed speckle is Rayleigh distributed, its mean over its standard deviation is
    √(π/(4−π)) = 1.91, and its logarithm has a standard deviation of 5.57 dB.
    Szabo, Diagnostic Ultrasound Imaging: Inside Out (2nd ed. 2014), ch. 4 (attenuation of 0.5 dB/cm/MHz in soft
    tissue) and ch. 6 (beam width ≈ wavelength × f-number).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sonoproof.types import Float32Array

TISSUE_ATTENUATION = 0.5
"""dB/cm/MHz, one way; what the time-gain compensation assumes everywhere."""
FLUID_ATTENUATION = 0.02
"""dB/cm/MHz, one way, of follicular fluid."""
SOUND_SPEED_MM_PER_US = 1.54

_FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class PolarGrid:
    """Sampling points of a curved array.

    Attributes:
        depths_mm: Distance from the face of the probe along each beam, shape (rows,), evenly spaced.
        angles_rad: Angle of each beam against the probe's axis, shape (beams,), evenly spaced.
        face_radius_mm: Radius of curvature of the face.
    """

    depths_mm: Float32Array
    angles_rad: Float32Array
    face_radius_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and beams."""
        return len(self.depths_mm), len(self.angles_rad)

    @property
    def ranges_mm(self) -> Float32Array:
        """Distance of the rows from the centre of curvature."""
        return self.depths_mm + np.float32(self.face_radius_mm)

    @property
    def step_mm(self) -> float:
        """Spacing of the rows."""
        return float(self.depths_mm[1] - self.depths_mm[0])

    @property
    def step_rad(self) -> float:
        """Spacing of the beams."""
        return float(self.angles_rad[1] - self.angles_rad[0])

    def cartesian_mm(self) -> tuple[Float32Array, Float32Array]:
        """Coordinates x and z of every sample, each of the grid's shape."""
        ranges = self.ranges_mm[:, None]
        x = ranges * np.sin(self.angles_rad)
        z = ranges * np.cos(self.angles_rad) - np.float32(self.face_radius_mm)
        return x, z


@dataclass(frozen=True)
class Probe:
    """What the probe sends, how well it focuses and how its echoes are amplified.

    Attributes:
        frequency_mhz: Centre frequency.
        cycles: Length of the pulse (full width at half maximum of its envelope) in cycles.
        f_number: Focal length over aperture.
        focus_mm: Depth of the transmit focus.
        sidelobes: Area of the wide skirt of the beam (8 times the main lobe) relative to that of the main lobe.
        noise_db: Power of the electronic noise before amplification; the amplifier raises it with depth.
        gain_slope: Attenuation in dB/cm/MHz that the time-gain compensation makes up for.
    """

    frequency_mhz: float
    cycles: float = 2.5
    f_number: float = 3.5
    focus_mm: float = 25.0
    sidelobes: float = 0.06
    noise_db: float = -70.0
    gain_slope: float = TISSUE_ATTENUATION

    @property
    def wavelength_mm(self) -> float:
        """Wavelength in soft tissue."""
        return SOUND_SPEED_MM_PER_US / self.frequency_mhz

    @property
    def axial_fwhm_mm(self) -> float:
        """Axial width of the point spread; half the pulse's length, because the sound travels there and back."""
        return self.cycles * self.wavelength_mm / 2

    def lateral_fwhm_mm(self, depths_mm: Float32Array) -> Float32Array:
        """Lateral width of the point spread at each depth: λ·F at the focus, wider away from it."""
        at_focus = self.wavelength_mm * self.f_number
        depth_of_field = 4 * self.wavelength_mm * self.f_number**2
        width = at_focus * np.sqrt(1 + ((depths_mm - self.focus_mm) / depth_of_field) ** 2)
        return np.asarray(width, dtype=np.float32)


@dataclass(frozen=True)
class TissueMaps:
    """Acoustic properties at every sample of a polar grid, each of shape (rows, beams), float32.

    Attributes:
        diffuse: Power scattered by structures finer than the resolution, relative.
        specular: Power reflected by smooth interfaces that face the beam, relative.
        attenuation: dB/cm/MHz, one way.
    """

    diffuse: Float32Array
    specular: Float32Array
    attenuation: Float32Array


def from_db(level_db: Float32Array | float, *, decade: int = 10) -> Float32Array:
    """The ratio of powers at a level in dB, or of amplitudes if a `decade` is 20 dB."""
    return np.asarray(np.exp(np.float32(np.log(10) / decade) * np.asarray(level_db, dtype=np.float32)))


def draw_scatterers(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.complex64]:
    """A circular complex Gaussian field of unit mean power: many scatterers in every resolution cell."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return np.asarray(parts.view(np.complex64)[..., 0])


def evolve_scatterers(
    scatterers: NDArray[np.complex64], rng: np.random.Generator, *, correlation: float
) -> NDArray[np.complex64]:
    """The scatterers of the next section plane, which shares part of the slice with this one.

    Args:
        scatterers: Field of the current plane.
        rng: Source of randomness.
        correlation: Complex correlation of the two planes, 0 to 1.
    """
    fresh = draw_scatterers(rng, scatterers.shape)
    return np.float32(correlation) * scatterers + np.float32(np.sqrt(1 - correlation**2)) * fresh


def spread(field: NDArray[np.complex64], *, grid: PolarGrid, probe: Probe) -> NDArray[np.complex64]:
    """Filter a field with the point spread function: constant along the beam, depth-dependent across the beams.

    Each row has its own lateral Gaussian, computed exactly, not in zones. A row of white noise keeps its power. The
    rows and beams wrap around; leave a margin.
    """
    axial = _gaussian_transfer(grid.shape[0], probe.axial_fwhm_mm / _FWHM_PER_SIGMA / grid.step_mm)
    lateral_sigma = probe.lateral_fwhm_mm(grid.depths_mm) / _FWHM_PER_SIGMA / grid.ranges_mm / grid.step_rad
    lateral = _gaussian_transfer(grid.shape[1], lateral_sigma)
    lateral += np.float32(probe.sidelobes) * _gaussian_transfer(grid.shape[1], 8 * lateral_sigma)
    axial /= np.sqrt(np.mean(axial**2))
    lateral /= np.sqrt(np.mean(lateral**2, axis=-1, keepdims=True))
    along = fft.ifft(fft.fft(field, axis=0) * axial[:, None], axis=0)
    return np.asarray(fft.ifft(fft.fft(along, axis=1) * lateral, axis=1), dtype=np.complex64)


def two_way_loss_db(attenuation: Float32Array, *, frequency_mhz: float, step_mm: float) -> Float32Array:
    """Loss on the way to each sample and back.

    Args:
        attenuation: dB/cm/MHz, shape (rows, beams).
        frequency_mhz: Centre frequency.
        step_mm: Spacing of the rows.
    """
    way_cm = np.float32(step_mm / 10)
    before = np.cumsum(attenuation, axis=0, dtype=np.float32) - attenuation / 2
    return np.asarray(2 * np.float32(frequency_mhz) * way_cm * before, dtype=np.float32)


def echo_level_db(
    maps: TissueMaps, *, grid: PolarGrid, probe: Probe, scatterers: NDArray[np.complex64], rng: np.random.Generator
) -> Float32Array:
    """The received envelope after time-gain compensation, in dB, before compression.

    Args:
        maps: Acoustic properties.
        grid: Where they are sampled.
        probe: The probe.
        scatterers: Complex field of unit power, shape (rows, beams).
        rng: Source of the electronic noise.
    """
    loss_db = two_way_loss_db(maps.attenuation, frequency_mhz=probe.frequency_mhz, step_mm=grid.step_mm)
    gain_db = grid.depths_mm[:, None] * np.float32(2 * probe.frequency_mhz * probe.gain_slope / 10)
    echo = np.sqrt(maps.diffuse) * scatterers + np.sqrt(maps.specular)
    echo *= from_db(gain_db - loss_db, decade=20)
    received = spread(echo.astype(np.complex64), grid=grid, probe=probe)
    received += from_db(np.float32(probe.noise_db) + gain_db, decade=20) * draw_scatterers(rng, grid.shape)
    return np.asarray(20 * np.log10(np.maximum(np.abs(received), 1e-9)), dtype=np.float32)


def log_compress(level_db: Float32Array, *, dynamic_range_db: float, white_db: float) -> Float32Array:
    """Map [white − dynamic range, white] linearly to the grey levels 0 to 255; what lies outside is clipped."""
    grey = 255 * (1 + (level_db - np.float32(white_db)) / np.float32(dynamic_range_db))
    return np.asarray(np.clip(grey, 0, 255), dtype=np.float32)


def _gaussian_transfer(samples: int, sigma: float | Float32Array) -> Float32Array:
    """Fourier transform of Gaussians of unit area; one row per `sigma` (in samples)."""
    frequency = fft.fftfreq(samples).astype(np.float32)
    sigmas = np.asarray(sigma, dtype=np.float32)
    return np.asarray(np.exp(-2 * np.pi**2 * (sigmas[..., None] * frequency) ** 2), dtype=np.float32)
