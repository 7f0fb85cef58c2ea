from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from tests.support.lookalikes import Planted
from tests.support.search import search_frames

from sonoproof.data.lookalike import LookalikeResult, ViewSpool, align, comparisons, find_lookalikes

Frame = NDArray[np.uint8]


@pytest.fixture(scope="module")
def found(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> LookalikeResult:
    return search_frames(planted.frames, tmp_path_factory.mktemp("work"))


def test_every_planted_view_joins_its_source(planted: Planted, found: LookalikeResult) -> None:
    lost = [name for name, own in planted.patient.items() if found.source[name] != found.source[own]]
    assert lost == []


def test_no_two_patients_of_one_machine_are_joined_or_suspected(planted: Planted, found: LookalikeResult) -> None:
    assert [link for link in found.links if planted.patient[link.first] != planted.patient[link.second]] == []
    assert [link for link in found.suspected if planted.patient[link.first] != planted.patient[link.second]] == []
    assert len(set(found.source.values())) == 14


def test_without_the_pixel_check_overlays_of_one_machine_melt_patients(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trap is real: features on the outline, logo and text alone would join different patients."""
    monkeypatch.setattr(comparisons, "is_link", lambda evidence: evidence.inliers >= 20)
    monkeypatch.setattr(comparisons, "is_suspect", lambda evidence: True)
    frames = {name: frame for name, frame in planted.frames.items() if "-" not in name}
    melted = search_frames(frames, tmp_path)
    assert len(set(melted.source.values())) < len(frames)


def test_transforms_lead_from_pixel_to_pixel(planted: Planted, found: LookalikeResult) -> None:
    corners = np.array([[70.0, 80.0, 1.0], [160.0, 80.0, 1.0], [70.0, 170.0, 1.0], [160.0, 170.0, 1.0]])
    checked = 0
    for link in found.links:
        if link.first in planted.maps or link.second not in planted.maps:
            continue
        error = corners @ (np.array(link.transform) - planted.maps[link.second]).T
        assert np.abs(error).max() < 1.5, link
        assert link.flipped == link.second.endswith("flip")
        checked += 1
    assert checked == len(planted.maps)


def test_identical_pixels_are_told_from_alike_ones(found: LookalikeResult) -> None:
    assert {(link.first, link.second) for link in found.links if link.identical} == {("p09", "p09-identical")}


def test_aligned_pictures_show_the_same(planted: Planted, found: LookalikeResult) -> None:
    link = next(link for link in found.links if link.second.endswith("-flip"))
    first, second = align(planted.frames[link.first], planted.frames[link.second], link)
    assert first.shape == second.shape
    inside = (slice(70, 180), slice(90, 150))
    difference = np.abs(first[inside].astype(float) - second[inside]).mean()
    assert difference < 0.35 * np.abs(first[inside].astype(float) - second[inside][:, ::-1]).mean()


@pytest.mark.slow
def test_result_depends_neither_on_order_nor_on_threads(
    planted: Planted, found: LookalikeResult, tmp_path: Path
) -> None:
    shuffled = [str(name) for name in np.random.default_rng(5).permutation(list(planted.frames))]
    again = search_frames({name: planted.frames[name] for name in shuffled}, tmp_path, workers=1)
    assert again == found


def test_frames_without_anything_to_see_stay_alone(tmp_path: Path) -> None:
    frames: dict[str, Frame] = {
        "black": np.zeros((60, 80, 3), np.uint8),
        "black again": np.zeros((60, 80, 3), np.uint8),
        "larger black": np.zeros((61, 80, 3), np.uint8),
        "white": np.full((60, 80, 3), 255, np.uint8),
        "one pixel": np.full((1, 1, 3), 9, np.uint8),
        "line": np.full((2, 500, 3), 40, np.uint8),
    }
    result = search_frames(frames, tmp_path)
    assert result.source["black"] == result.source["black again"]
    assert len(set(result.source.values())) == 5
    assert result.suspected == ()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(tmp_path: Path, count: int, make_frame: Callable[..., Frame]) -> None:
    result = search_frames(dict([("only", make_frame(1))][:count]), tmp_path)
    assert dict(result.source) == dict([("only", "only")][:count])


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    records = pd.DataFrame({"image_id": ["a", "b", "a"], "pixel_sha256": ["1", "2", "3"]})
    with ViewSpool(tmp_path / "views.bin") as spool, pytest.raises(ValueError, match="twice"):
        find_lookalikes(records, [], spool=spool, journal=tmp_path / "pairs.jsonl")


def test_a_chain_of_crops_is_one_source(tmp_path: Path, make_frame: Callable[..., Frame]) -> None:
    """Both ends show nothing in common; the crop between connects them."""
    whole = np.concatenate([make_frame(50, overlays=False), make_frame(51, overlays=False)], axis=1)
    frames = {f"crop at {x}": whole[:, x : x + 200].copy() for x in (0, 130, 270)}
    frames |= {"other": make_frame(52, overlays=False), "another": make_frame(53, overlays=False)}
    result = search_frames(frames, tmp_path)
    assert len({result.source[name] for name in frames if name.startswith("crop")}) == 1
    assert len(set(result.source.values())) == 3
