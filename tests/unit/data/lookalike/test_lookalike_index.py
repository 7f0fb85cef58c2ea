from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sonoproof.data.lookalike.candidates import nearest_pairs, pairs_between_groups
from sonoproof.data.lookalike.index import WordIndex, build_index
from sonoproof.data.lookalike.keypoints import describe, mirrored_descriptors
from sonoproof.data.lookalike.spool import Views, ViewSpool
from sonoproof.data.lookalike.visual_words import learn_vocabulary

Frame = NDArray[np.uint8]


@pytest.fixture(scope="module")
def index(make_frame: Callable[..., Frame], tmp_path_factory: pytest.TempPathFactory) -> WordIndex:
    """Frames 0 to 4 of five patients, and 5 the mirror image of 0."""
    frames = [make_frame(seed) for seed in range(5)]
    frames.append(np.ascontiguousarray(frames[0][:, ::-1]))
    with ViewSpool(tmp_path_factory.mktemp("spool") / "views.bin") as spool:
        entries = [spool.append(describe(frame)) for frame in frames]
        return build_index(Views(spool, entries), generator=np.random.default_rng(0))


def test_a_view_comes_back_from_the_spool_as_it_went(tmp_path: Path, make_frame: Callable[..., Frame]) -> None:
    views = [describe(make_frame(seed)) for seed in (1, 2)]
    with ViewSpool(tmp_path / "views.bin") as spool:
        kept = Views(spool, [spool.append(view) for view in views])
        for number, view in enumerate(views):
            back = kept[number]
            for name in ("grey", "to_view", "points", "descriptors"):
                np.testing.assert_array_equal(getattr(back, name), getattr(view, name))
            np.testing.assert_array_equal(kept.descriptors(number), view.descriptors)


def test_the_word_of_a_mirrored_feature_is_known_without_a_search(make_frame: Callable[..., Frame]) -> None:
    descriptors = describe(make_frame(7)).descriptors
    vocabulary = learn_vocabulary(descriptors, halves=4, branches=8, generator=np.random.default_rng(0))
    expected = vocabulary.mirror()[vocabulary.words(descriptors)]
    assert (vocabulary.words(mirrored_descriptors(descriptors)) == expected).mean() > 0.99


def test_words_are_the_nearest_centres(make_frame: Callable[..., Frame]) -> None:
    descriptors = describe(make_frame(8)).descriptors
    vocabulary = learn_vocabulary(descriptors, halves=2, branches=4, generator=np.random.default_rng(0))
    values = descriptors.astype(float)
    coarse = np.linalg.norm(values[:, None] - vocabulary.coarse[None], axis=2).argmin(axis=1)
    fine = np.linalg.norm(values[:, None] - vocabulary.fine[coarse], axis=2).argmin(axis=1)
    assert (vocabulary.words(descriptors) == coarse * 4 + fine).mean() > 0.99


def test_the_mirror_image_is_a_candidate_as_a_mirror_image(index: WordIndex) -> None:
    ((upright, mirrored),) = index.pick(np.array([0]), np.arange(6), lambda _block, *scores: scores)
    assert upright[0, 0] == pytest.approx(1, abs=1e-5)
    assert mirrored[0, 5] > 0.5
    assert mirrored[0, 5] > 2 * np.delete(mirrored[0], 5).max()
    assert (0, 5, True) in nearest_pairs(index)


def test_no_frame_is_compared_with_itself(index: WordIndex) -> None:
    assert all(first < second for first, second, _ in nearest_pairs(index))


def test_groups_are_compared_once_and_only_with_others(index: WordIndex) -> None:
    labels = np.array([0, 0, 0, 3, 4, 4])
    pairs = pairs_between_groups(index, labels, fresh={0, 3, 4}, tried=set())
    assert pairs
    assert all(labels[first] != labels[second] for first, second, _ in pairs)
    again = pairs_between_groups(index, labels, fresh={0, 3, 4}, tried=set(pairs))
    assert not set(pairs) & set(again)
    assert pairs_between_groups(index, labels, fresh=set(), tried=set()) == []
