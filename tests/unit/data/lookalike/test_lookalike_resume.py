"""A search that was stopped goes on where it was, and finds what it would have found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sonoproof.data.lookalike import LookalikeResult, comparisons, find_lookalikes
from sonoproof.data.lookalike.journal import Journal
from sonoproof.data.lookalike.pair_check import compare

Frame = npt.NDArray[np.uint8]


class Stopped(Exception):
    """Stands for a kill."""


class Counted:
    """A function that counts its calls, and is stopped at one of them."""

    def __init__(self, function: Callable[..., Any], *, stop_at: int = 0) -> None:
        self.function, self.calls, self.stop_at = function, 0, stop_at

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == self.stop_at:
            raise Stopped
        return self.function(*given, **named)


@pytest.fixture(scope="module")
def frames(make_frame: Callable[..., Frame]) -> dict[str, Frame]:
    """Six sources with a crop of each, and an identical copy."""
    sources = {f"s{k}": make_frame(70 + k) for k in range(6)}
    crops = {f"{name}-crop": np.ascontiguousarray(frame[12:, 15:]) for name, frame in sources.items()}
    return {**sources, **crops, "s0-again": sources["s0"].copy()}


@pytest.fixture(scope="module")
def uninterrupted(frames: dict[str, Frame], tmp_path_factory: pytest.TempPathFactory) -> LookalikeResult:
    return find_lookalikes(list(frames), load=frames.__getitem__, work=tmp_path_factory.mktemp("whole"))


def search(frames: dict[str, Frame], work: Path, load: Counted, *, resume: bool) -> LookalikeResult:
    return find_lookalikes(list(frames), load=load, work=work, workers=1, resume=resume)


def test_stopped_while_describing(frames: dict[str, Frame], uninterrupted: LookalikeResult, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        search(frames, tmp_path, Counted(frames.__getitem__, stop_at=9), resume=False)
    load = Counted(frames.__getitem__)
    told: list[tuple[int, int]] = []
    found = find_lookalikes(
        list(frames), load=load, work=tmp_path, workers=1, resume=True,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert found == uninterrupted
    assert load.calls <= len(frames) - 6  # at least six of the eight read before were kept
    assert told[0][1] == len(frames)
    assert told[0][0] > 6
    assert list(tmp_path.iterdir()) == []


def test_stopped_while_comparing(
    frames: dict[str, Frame], uninterrupted: LookalikeResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Counted(compare, stop_at=10)
    monkeypatch.setattr(comparisons, "compare", stopped)
    with pytest.raises(Stopped):
        search(frames, tmp_path, Counted(frames.__getitem__), resume=False)
    again, load = Counted(compare), Counted(frames.__getitem__)
    monkeypatch.setattr(comparisons, "compare", again)
    assert search(frames, tmp_path, load, resume=True) == uninterrupted
    assert load.calls == 0
    whole = Counted(compare)
    monkeypatch.setattr(comparisons, "compare", whole)
    search(frames, tmp_path, Counted(frames.__getitem__), resume=False)
    assert again.calls <= whole.calls - 7


@pytest.mark.parametrize(("left_out", "resume"), [(0, False), (1, True)], ids=["no resume", "of other frames"])
def test_nothing_else_is_taken_over(
    frames: dict[str, Frame], uninterrupted: LookalikeResult, tmp_path: Path, left_out: int, resume: bool
) -> None:
    before = {name: frames[name] for name in sorted(frames)[: len(frames) - left_out]}
    with pytest.raises(Stopped):
        search(before, tmp_path, Counted(before.__getitem__, stop_at=9), resume=False)
    load = Counted(frames.__getitem__)
    assert search(frames, tmp_path, load, resume=resume) == uninterrupted
    assert load.calls == len(frames)


def test_views_that_are_gone_are_described_anew(
    frames: dict[str, Frame], uninterrupted: LookalikeResult, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        search(frames, tmp_path, Counted(frames.__getitem__, stop_at=9), resume=False)
    views = tmp_path / "lookalike" / "views.bin"
    views.write_bytes(views.read_bytes()[:1000])
    load = Counted(frames.__getitem__)
    assert search(frames, tmp_path, load, resume=True) == uninterrupted
    assert load.calls == len(frames)


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_a_line_that_was_cut_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, of="this") as journal:
        for value in (0.1, [1, None], "third"):
            journal.append(value)
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, of="this") as journal:
        assert journal.kept == [0.1, [1, None]]
        journal.append("fourth")
    with Journal(path, of="this") as journal:
        assert journal.kept == [0.1, [1, None], "fourth"]
    with Journal(path, of="that") as journal:
        assert journal.kept == []
