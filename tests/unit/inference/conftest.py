from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.bundles import lively_bundle, write_frames

from sonoproof.training.bundle import ModelBundle, save_bundle


@pytest.fixture
def bundle() -> ModelBundle:
    return lively_bundle(size=64)


@pytest.fixture(scope="session")
def _saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("saved") / "run"
    save_bundle(lively_bundle(size=64), run / "model")
    return run


@pytest.fixture
def saved(_saved: Path, tmp_path: Path) -> Path:
    """A run folder of its own, with nothing in it but the model."""
    return shutil.copytree(_saved, tmp_path / "run")


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    return write_frames(tmp_path / "frames")
