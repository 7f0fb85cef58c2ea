"""An examination that was stopped goes on where it was, and finds what it would have found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.search import written

from sonoproof.config import FramesConfig
from sonoproof.data.audit import Examination, examine_frames
from sonoproof.data.frames import facts
from sonoproof.data.frames.decode import decode_bytes
from sonoproof.data.frames.journal import Journal
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import FrameStore, open_store
from sonoproof.data.lookalike import comparisons
from sonoproof.data.lookalike.pair_check import compare
from sonoproof.types import UInt8Array


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
def records(make_frame: Callable[..., UInt8Array], tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Six sources with a crop of each, an identical copy, and a file that is no image."""
    sources = {f"s{k}": make_frame(70 + k) for k in range(6)}
    crops = {f"{name}-crop": np.ascontiguousarray(frame[12:, 15:]) for name, frame in sources.items()}
    folder = tmp_path_factory.mktemp("files")
    table = written({**sources, **crops, "s0-again": sources["s0"].copy()}, folder)
    (folder / "text.png").write_text("no image")
    table.loc[len(table)] = ["text", str(folder / "text.png")]
    return table.iloc[[13, *range(13)]].reset_index(drop=True)


def store_in(work: Path) -> FrameStore:
    return open_store(work / "store", preprocessing=Preprocessing(32), frames=FramesConfig(workers=1))


def examine(records: pd.DataFrame, work: Path, *, resume: bool, **settings: Any) -> Examination:
    store = store_in(work)
    return examine_frames(records, store=store, folder=work / "seen", lookalikes=True, resume=resume, **settings)


def assert_same(one: Examination, other: Examination) -> None:
    for table in ("records", "unreadable", "measures"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))
    assert one.lookalikes == other.lookalikes


@pytest.fixture(scope="module")
def uninterrupted(records: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Examination:
    return examine(records, tmp_path_factory.mktemp("whole"), resume=False)


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counted]:
    """Counts how often a file is decoded from now on."""

    def begin(*, stop_at: int = 0) -> Counted:
        counted = Counted(decode_bytes, stop_at=stop_at)
        monkeypatch.setattr(facts, "decode_bytes", counted)
        return counted

    return begin


def test_every_file_is_read_and_decoded_once(
    records: pd.DataFrame,
    uninterrupted: Examination,
    tmp_path: Path,
    decoding: Callable[..., Counted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded, hashed = decoding(), Counted(facts.pixel_sha256)
    monkeypatch.setattr(facts, "pixel_sha256", hashed)
    examined = examine(records, tmp_path, resume=False)
    assert_same(examined, uninterrupted)
    assert (decoded.calls, hashed.calls) == (14, 13)
    assert (len(examined.records), len(examined.measures), len(examined.unreadable)) == (13, 13, 1)
    assert list(examined.measures["image_id"]) == list(examined.records["image_id"])
    assert store_in(tmp_path).add(examined.records) == 0
    assert decoded.calls == 14
    assert not (tmp_path / "seen").exists()


def test_stopped_while_reading(
    records: pd.DataFrame, uninterrupted: Examination, tmp_path: Path, decoding: Callable[..., Counted]
) -> None:
    decoding(stop_at=9)
    with pytest.raises(Stopped):
        examine(records, tmp_path, resume=False)
    decoded = decoding()
    told: list[tuple[int, int]] = []
    found = examine(records, tmp_path, resume=True, progress=lambda done, total: told.append((done, total)))
    assert_same(found, uninterrupted)
    assert decoded.calls <= len(records) - 6  # at least six of the eight read before were kept
    assert told[0][1] == len(records)
    assert told[0][0] > 6
    assert store_in(tmp_path).add(found.records) == 0
    assert not (tmp_path / "seen").exists()


def test_stopped_while_comparing(
    records: pd.DataFrame,
    uninterrupted: Examination,
    tmp_path: Path,
    decoding: Callable[..., Counted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparisons, "compare", Counted(compare, stop_at=10))
    with pytest.raises(Stopped):
        examine(records, tmp_path, resume=False)
    again, decoded = Counted(compare), decoding()
    monkeypatch.setattr(comparisons, "compare", again)
    assert_same(examine(records, tmp_path, resume=True), uninterrupted)
    assert decoded.calls == 0
    whole = Counted(compare)
    monkeypatch.setattr(comparisons, "compare", whole)
    examine(records, tmp_path, resume=False)
    assert again.calls <= whole.calls - 7


@pytest.mark.parametrize(("left_out", "resume"), [(0, False), (1, True)], ids=["no resume", "of other frames"])
def test_nothing_else_is_taken_over(
    records: pd.DataFrame,
    uninterrupted: Examination,
    tmp_path: Path,
    decoding: Callable[..., Counted],
    left_out: int,
    resume: bool,
) -> None:
    decoding(stop_at=9)
    with pytest.raises(Stopped):
        examine(records.head(len(records) - left_out), tmp_path, resume=False)
    decoded = decoding()
    assert_same(examine(records, tmp_path, resume=resume), uninterrupted)
    assert decoded.calls == len(records)


def test_views_that_are_gone_are_described_anew(
    records: pd.DataFrame, uninterrupted: Examination, tmp_path: Path, decoding: Callable[..., Counted]
) -> None:
    decoding(stop_at=9)
    with pytest.raises(Stopped):
        examine(records, tmp_path, resume=False)
    views = tmp_path / "seen" / "views.bin"
    views.write_bytes(views.read_bytes()[:1000])
    decoded = decoding()
    assert_same(examine(records, tmp_path, resume=True), uninterrupted)
    assert decoded.calls == len(records)


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
