from __future__ import annotations

import numpy as np
import pytest

from sonoproof.phantom.anatomy import Ovary, draw_follicle_count, draw_ovary, draw_volume_ml, sections
from sonoproof.phantom.packing import pack_spheres

QUANTILES = (np.arange(2000) + 0.5) / 2000


@pytest.fixture(scope="module")
def healthy() -> list[Ovary]:
    return drawn(polycystic=False, number=80)


@pytest.fixture(scope="module")
def polycystic() -> list[Ovary]:
    return drawn(polycystic=True, number=40)


def drawn(*, polycystic: bool, number: int) -> list[Ovary]:
    rng = np.random.default_rng(11)
    return [draw_ovary(rng, polycystic=polycystic, size_quantile=(i + 0.5) / number) for i in range(number)]


def counts(ovaries: list[Ovary]) -> list[int]:
    return [len(ovary.follicle_diameters_mm) for ovary in ovaries]


def test_follicle_counts_are_to_specification() -> None:
    rng = np.random.default_rng(0)
    few = [draw_follicle_count(rng, polycystic=False) for _ in range(10_000)]
    many = [draw_follicle_count(rng, polycystic=True) for _ in range(10_000)]

    assert np.mean(few) == pytest.approx(8.0, abs=0.15)
    assert (min(few), max(few)) == (1, 19)
    assert np.mean(many) == pytest.approx(34, abs=0.4)
    assert (min(many), max(many)) == (20, 50)


def test_every_follicle_drawn_is_placed(healthy: list[Ovary], polycystic: list[Ovary]) -> None:
    assert np.mean(counts(healthy)) == pytest.approx(8.0, abs=1.2)  # standard error of 80 draws: 0.4
    assert min(counts(polycystic)) >= 20
    assert max(counts(polycystic)) <= 50


def test_follicle_sizes_are_to_specification(healthy: list[Ovary], polycystic: list[Ovary]) -> None:
    small = np.concatenate([ovary.follicle_diameters_mm for ovary in polycystic])
    assert small.min() >= 2
    assert small.max() <= 9
    assert max(ovary.follicle_diameters_mm.max() for ovary in healthy) > 10  # a dominant follicle
    assert max(ovary.follicle_diameters_mm.max() for ovary in healthy) <= 20


def test_volumes_are_to_specification_and_overlap() -> None:
    normal = np.array([draw_volume_ml(q, polycystic=False) for q in QUANTILES])
    enlarged = np.array([draw_volume_ml(q, polycystic=True) for q in QUANTILES])
    auc = np.searchsorted(np.sort(normal), enlarged).mean() / len(normal)

    assert normal.mean() == pytest.approx(6.1, abs=0.05)
    assert enlarged.mean() == pytest.approx(9.5, abs=0.1)
    assert auc == pytest.approx(0.62, abs=0.01)


def test_the_ellipsoid_has_the_volume_that_was_drawn() -> None:
    ovary = draw_ovary(np.random.default_rng(0), polycystic=False, size_quantile=0.3)
    length, width, height = 2 * ovary.shape.semi_axes_mm / 10

    assert np.pi / 6 * length * width * height == pytest.approx(draw_volume_ml(0.3, polycystic=False))
    assert ovary.shape.volume_ml == pytest.approx(draw_volume_ml(0.3, polycystic=False))


def test_follicles_do_not_overlap(healthy: list[Ovary], polycystic: list[Ovary]) -> None:
    for ovary in [*healthy, *polycystic]:
        centres, radii = ovary.follicle_centres_mm, ovary.follicle_diameters_mm / 2
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) - radii[:, None] - radii
        assert (gaps[np.triu_indices(len(radii), 1)] > 0).all()


def test_follicles_lie_inside_the_ovary(healthy: list[Ovary], polycystic: list[Ovary]) -> None:
    directions = np.random.default_rng(3).standard_normal((500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for ovary in [*healthy, *polycystic]:
        surface = ovary.follicle_centres_mm[:, None] + ovary.follicle_diameters_mm[:, None, None] / 2 * directions
        level = np.linalg.norm((surface @ ovary.shape.rotation) / ovary.shape.semi_axes_mm, axis=2)
        assert level.max() < 1


def test_the_smallest_polycystic_ovary_still_holds_twenty_follicles() -> None:
    ovary = draw_ovary(np.random.default_rng(5), polycystic=True, size_quantile=1e-4)

    assert ovary.shape.volume_ml == pytest.approx(2.5, abs=0.01)
    assert len(ovary.follicle_diameters_mm) >= 20


def test_what_cannot_fit_is_an_error_and_not_an_endless_search() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        pack_spheres(
            np.random.default_rng(0),
            np.full(40, 4.0),
            semi_axes_mm=np.array([4.0, 3.0, 3.0]),
            smallest_mm=2.0,
            peripheral=False,
        )


def test_peripheral_follicles_lie_farther_out(polycystic: list[Ovary]) -> None:
    def mean_level(ovary: Ovary) -> float:
        local = ovary.follicle_centres_mm @ ovary.shape.rotation / ovary.shape.semi_axes_mm
        return float(np.linalg.norm(local, axis=1).mean())

    inner = [mean_level(ovary) for ovary in polycystic if not ovary.peripheral]
    outer = [mean_level(ovary) for ovary in polycystic if ovary.peripheral]
    assert np.mean(outer) > np.mean(inner) + 0.05


def test_a_section_is_the_disc_that_pythagoras_gives() -> None:
    ovary = draw_ovary(np.random.default_rng(2), polycystic=False, size_quantile=0.5)
    centre, radius = ovary.follicle_centres_mm[0], ovary.follicle_diameters_mm[0] / 2
    discs = {disc.follicle: disc for disc in sections(ovary, y_mm=float(centre[1] + 0.6 * radius))}

    assert discs[0].diameter_mm == pytest.approx(2 * 0.8 * radius)
    assert (discs[0].x_mm, discs[0].z_mm) == (centre[0], centre[2])
    assert 0 not in {disc.follicle for disc in sections(ovary, y_mm=float(centre[1] + 1.01 * radius))}


def test_most_sections_tell_the_morphologies_apart_and_some_do_not(
    healthy: list[Ovary], polycystic: list[Ovary]
) -> None:
    def visible(ovaries: list[Ovary]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        planes = [(o, y * o.shape.extent_mm()[1]) for o in ovaries for y in np.linspace(-0.6, 0.6, 5)]
        return np.array([sum(disc.visible for disc in sections(o, y_mm=y)) for o, y in planes])

    few, many = visible(healthy), visible(polycystic)
    auc = (many[:, None] > few).mean() + 0.5 * (many[:, None] == few).mean()
    assert 0.93 < auc < 0.99
