"""What holds for every test: one thread, long tests first, and ten seconds for a test that is not marked as slow."""

from __future__ import annotations

import os

# Read by NumPy and PyTorch when they are imported. Workers share the processors, and the number of threads rounds.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.phantoms import SMALL, MakePhantom, phantom_of
from tests.support.shelf import Shelf

from sonoproof.phantom import PhantomCohort, PhantomConfig

MAX_SECONDS_UNMARKED = 10.0
# Processor seconds of each test file, rewritten by `make durations`: the longest files begin first.
DURATIONS = Path(__file__).parent / "durations.json"
SPENT = "processor_seconds"

_had_a_test = pytest.StashKey[bool]()


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that no worker is left alone with one at the end."""
    known = json.loads(DURATIONS.read_text(encoding="utf-8"))
    items.sort(key=lambda item: -known.get(_file_of(item.nodeid), 0.0))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that takes long and is not marked as slow.

    Processor time counts, of its child processes too, so that a busy machine does not fail a test. Fixtures do not
    count, as they serve whichever test comes first; nor does the first test of a process, which pays for imports.
    """
    began = _processor_seconds()
    result = yield
    spent = _processor_seconds() - began
    item.user_properties.append((SPENT, spent))
    is_first, item.session.stash[_had_a_test] = _had_a_test not in item.session.stash, True
    if not is_first and spent > MAX_SECONDS_UNMARKED and item.get_closest_marker("slow") is None:
        pytest.fail(f"took {spent:.1f} s of processor time: make it quicker, or mark it as slow", pytrace=False)
    return result


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-durations", action="store_true", help=f"rewrite {DURATIONS.name}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--record-durations"):
        return
    of_file: defaultdict[str, float] = defaultdict(float)
    for report in terminalreporter.stats.get("passed", []):
        of_file[_file_of(report.nodeid)] += dict(report.user_properties).get(SPENT, 0.0)
    longest = sorted(of_file.items(), key=lambda entry: -entry[1])
    DURATIONS.write_text(json.dumps({name: round(spent) for name, spent in longest if spent >= 1}, indent=1) + "\n")


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _processor_seconds() -> float:
    """Of this process, all its threads, and the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
