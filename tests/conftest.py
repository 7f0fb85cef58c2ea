from __future__ import annotations

import os

# Workers share the processors, and sums over several threads would differ with their number. Set before NumPy and
# PyTorch are imported, which read it then.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import Any

import pytest
from tests.support.phantoms import SMALL, MakePhantom, phantom_of
from tests.support.shelf import Shelf

from sonoproof.phantom import PhantomCohort, PhantomConfig


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    base = tmp_path_factory.getbasetemp()
    return Shelf((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shelf")


@pytest.fixture(scope="session")
def make_phantom(shelf: Shelf) -> MakePhantom:
    """Gives a phantom cohort, small unless settings say otherwise. It is shared: copy it before you change it."""

    def make(**settings: Any) -> PhantomCohort:
        return phantom_of(shelf, PhantomConfig(**{**SMALL, **settings}))

    return make
