"""Phantom frames are told from photographs, noise and blank screens; new phantoms are not called unlike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score
from tests.support.phantoms import MakePhantom

from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.training.novelty import NoveltyScorer, fit_novelty

pytestmark = pytest.mark.slow

SIZE = 96
FRAMES = 4
Stack = np.ndarray


@pytest.fixture(scope="module")
def phantoms(make_phantom: MakePhantom) -> Stack:
    """Frames of 90 patients, four each, in the order of the patients."""
    cohort = make_phantom(patients=90, frames_per_patient=FRAMES, size_px=SIZE, seed=5)
    canvas = Preprocessing(SIZE)
    return np.stack([canvas(np.array(Image.open(path).convert("RGB"))) for path in sorted(cohort.images.iterdir())])


@pytest.fixture(scope="module")
def likeness(phantoms: Stack) -> NoveltyScorer:
    train, held_out = phantoms[: 40 * FRAMES], phantoms[40 * FRAMES : 60 * FRAMES]
    return fit_novelty(train, held_out=held_out, groups=np.arange(len(held_out)) // FRAMES)


def cut_outs(count: int, *, grey: bool) -> Stack:
    """Squares of two photographs, of many sizes and places."""
    rng, canvas, found = np.random.default_rng(0), Preprocessing(SIZE), []
    for k in range(count):
        picture = load_sample_images().images[k % 2]
        side = int(rng.integers(60, min(picture.shape[:2])))
        top, left = (int(rng.integers(0, limit - side)) for limit in picture.shape[:2])
        square = np.asarray(picture[top : top + side, left : left + side])
        square = np.repeat(square.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2) if grey else square
        found.append(canvas(square))
    return np.stack(found)


def noise(count: int) -> Stack:
    rng = np.random.default_rng(1)
    strength = rng.uniform(20, 120, (count, 1, 1, 1))
    grey = 128 + strength * rng.normal(size=(count, SIZE, SIZE, 1))
    return np.repeat(grey.clip(0, 255).astype(np.uint8), 3, axis=3)


def blank(count: int) -> Stack:
    rng = np.random.default_rng(2)
    level = np.linspace(0, 255, count)[:, None, None, None]
    return (level + rng.normal(0, 1, (count, SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "others",
    [lambda: cut_outs(60, grey=False), lambda: cut_outs(60, grey=True), lambda: noise(30), lambda: blank(30)],
    ids=["photographs", "grey photographs", "noise", "blank"],
)
def test_what_is_no_ultrasound_is_told_apart(
    phantoms: Stack, likeness: NoveltyScorer, others: Callable[[], Stack]
) -> None:
    alike, unlike = likeness.score(phantoms[60 * FRAMES :]), likeness.score(others())
    truth = np.repeat([0, 1], [len(alike), len(unlike)])
    assert roc_auc_score(truth, np.concatenate([alike, unlike])) >= 0.95
    assert (unlike > 1).mean() >= 0.9


def test_new_patients_are_seldom_called_unlike(phantoms: Stack, likeness: NoveltyScorer) -> None:
    assert (likeness.score(phantoms[60 * FRAMES :]) > 1).mean() <= 0.08


def test_the_score_comes_back_from_plain_numbers(likeness: NoveltyScorer, phantoms: Stack) -> None:
    again = NoveltyScorer.from_dict(likeness.to_dict())
    np.testing.assert_array_equal(again.score(phantoms[:8]), likeness.score(phantoms[:8]))


def test_a_frame_scores_the_same_in_any_company(likeness: NoveltyScorer, phantoms: Stack) -> None:
    alone = np.concatenate([likeness.score(phantoms[k : k + 1]) for k in range(5)])
    np.testing.assert_allclose(alone, likeness.score(phantoms[:5]), rtol=1e-6)
