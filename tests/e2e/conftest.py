from __future__ import annotations

import shutil
import sys

import pytest
from tests.support.phantoms import MakePhantom
from tests.support.runs import Call, Silent, inputs_of, small_config
from tests.support.shelf import Shelf

from sonoproof import cli
from sonoproof.phantom import PhantomCohort
from sonoproof.pipeline import run as run_pipeline
from sonoproof.runfolder import RunFolder


@pytest.fixture(scope="session")
def cohort(make_phantom: MakePhantom) -> PhantomCohort:
    return make_phantom()


@pytest.fixture(scope="session")
def finished(cohort: PhantomCohort, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run, computed once in a session; each worker has a copy."""
    kept = shelf.once(
        "finished",
        lambda out: run_pipeline(
            out, inputs=inputs_of(cohort), config=small_config(), reporter=Silent(), command="test"
        ),
    )
    return RunFolder(shutil.copytree(kept.root, tmp_path_factory.mktemp("runs") / "small"))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process: exit code, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sonoproof", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
