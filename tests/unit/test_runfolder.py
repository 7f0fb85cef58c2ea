"""What is written into a run folder can be read by whom the folder is shared with."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.bundles import lively_bundle

from sonoproof.errors import RunFolderError
from sonoproof.runfolder import atomic_path, write_text
from sonoproof.training.bundle import save_bundle

FOR_EVERYONE_TO_READ = 0o644


@pytest.fixture(params=[0o022, 0o077], ids=["open umask", "strict umask"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
def test_a_writer_that_replaces_the_file_leaves_the_mode_as_it_is_for_others(tmp_path: Path) -> None:
    write_text(tmp_path / "plain.txt", "text")
    with atomic_path(tmp_path / "numbers.safetensors") as temporary:
        inode = temporary.stat().st_ino
        other = temporary.with_name("another")
        save_file({"numbers": np.ones(3, np.float32)}, other)
        other.chmod(0o600)
        other.replace(temporary)
        assert temporary.stat().st_ino != inode
    assert mode(tmp_path / "numbers.safetensors") == mode(tmp_path / "plain.txt") == FOR_EVERYONE_TO_READ


def test_every_file_of_a_saved_model_can_be_read_by_others(tmp_path: Path) -> None:
    save_bundle(lively_bundle(size=33), tmp_path / "model")
    modes = {path.name: mode(path) for path in (tmp_path / "model").iterdir()}
    assert modes == dict.fromkeys(
        ["decision.json", "likeness.safetensors", "model.json", "weights.safetensors"], FOR_EVERYONE_TO_READ
    )


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def fails_halfway() -> None:
        with atomic_path(tmp_path / "plain.txt") as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    write_text(tmp_path / "plain.txt", "old")
    with pytest.raises(RunFolderError, match="nothing was lost"):
        fails_halfway()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
