from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.phantoms import MakePhantom
from tests.support.shelf import Shelf
from tests.support.trained_phantom import TrainedPhantom, train_on_phantom


@pytest.fixture(scope="session")
def trained(shelf: Shelf, make_phantom: MakePhantom) -> Callable[..., TrainedPhantom]:
    """Trains a small network on a phantom cohort with the defects that are asked for."""

    def train(**planted: bool) -> TrainedPhantom:
        cohort = make_phantom(frames_per_patient=6, seed=3, image_format="png", **planted)
        return shelf.once(f"trained-on-{cohort.images.parent.name}", lambda _folder: train_on_phantom(cohort))

    return train


@pytest.fixture(scope="session")
def phantom(trained: Callable[..., TrainedPhantom]) -> TrainedPhantom:
    return trained()
