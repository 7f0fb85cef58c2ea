from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.lookalikes import Frame, Planted, plant, tissue_frame


@pytest.fixture(scope="session")
def planted() -> Planted:
    return plant()


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., Frame]:
    """Makes a frame from a seed (one seed, one patient)."""
    return tissue_frame
