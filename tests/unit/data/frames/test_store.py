"""The store gives back what was decoded: after a kill, beside another writer, on a damaged or full disk."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from sonoproof.concurrency import map_in_order
from sonoproof.config import FramesConfig
from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.one_pass import read_frames
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import FrameStore, open_store
from sonoproof.errors import FrameError, RunFolderError
from sonoproof.runfolder import sweep

PREPROCESSING = Preprocessing(24, "pad")
CONFIG = FramesConfig(max_pixels=1_000_000, workers=2)


@pytest.fixture
def records(tmp_path: Path) -> pd.DataFrame:
    """Twenty frames, every other one grey."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        pixels = rng.integers(0, 256, (30, 20 + number, 3)).astype(np.uint8)
        if number % 2:
            pixels[:] = pixels[..., :1]
        path = tmp_path / "images" / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), pixels)
        rows.append({"image_id": path.name, "path": str(path), "origin": "sheet"})
    return read_frames(pd.DataFrame(rows), config=CONFIG).records


def opened(tmp_path: Path) -> FrameStore:
    return open_store(tmp_path / "store", preprocessing=PREPROCESSING, frames=CONFIG)


def assert_gives_every_frame(store: FrameStore, records: pd.DataFrame) -> None:
    backwards = records.iloc[::-1]
    batch = store.get(backwards["sha256"].tolist())
    for canvas, path in zip(batch, backwards["path"], strict=True):
        assert np.array_equal(canvas, PREPROCESSING(decode(path, max_pixels=1_000_000)))


def data_files(store: FrameStore) -> list[Path]:
    return sorted(store.folder.glob("*/[!.]*"))


def test_frames_are_decoded_once_and_given_back_in_the_order_asked_for(records: pd.DataFrame, tmp_path: Path) -> None:
    store = opened(tmp_path)
    calls: list[tuple[int, int]] = []
    assert store.add(records, progress=lambda done, total: calls.append((done, total))) == 20
    assert calls[-1] == (20, 20)
    assert store.add(records) == 0
    assert_gives_every_frame(store, records)
    again = opened(tmp_path)
    assert len(again) == 20
    assert again.add(records) == 0
    assert_gives_every_frame(again, records)
    assert again.get([]).shape == (0, 24, 24, 3)


def test_grey_frames_take_a_third_of_the_bytes(records: pd.DataFrame, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add(records)
    assert sum(path.stat().st_size for path in data_files(store)) == 10 * 24 * 24 * (3 + 1) + 20 * 4


def test_another_preprocessing_has_a_store_of_its_own(records: pd.DataFrame, tmp_path: Path) -> None:
    opened(tmp_path).add(records)
    other = open_store(tmp_path / "store", preprocessing=Preprocessing(24, "crop"), frames=CONFIG)
    assert len(other) == 0
    assert other.add(records) == 20


def test_frames_at_hand_are_stored_without_decoding_again(records: pd.DataFrame, tmp_path: Path) -> None:
    store = opened(tmp_path)
    for key, path in zip(records["sha256"], records["path"], strict=True):
        store.put(key, decode(path, max_pixels=1_000_000))
    assert store.add(records) == 0
    assert_gives_every_frame(store, records)


def test_equal_files_are_stored_once(records: pd.DataFrame, tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.add(pd.concat([records, records])) == 20


KILLED_WRITER = """
    import os, signal, sys
    from pathlib import Path
    import pandas as pd
    from sonoproof.config import FramesConfig
    from sonoproof.data.frames.preprocessing import Preprocessing
    from sonoproof.data.frames.store import open_store
    moment, after = sys.argv[3], int(sys.argv[4])
    calls = 0

    def killing(function):
        def wrapper(path, *args):
            global calls
            calls += 1
            if calls == after:
                if moment == "write":
                    function(path, b"half a canvas")
                os.kill(os.getpid(), signal.SIGKILL)
            return function(path, *args)
        return wrapper

    if moment == "write":
        Path.write_bytes = killing(Path.write_bytes)
    else:
        Path.replace = killing(Path.replace)
    store = open_store(Path(sys.argv[1]), preprocessing=Preprocessing(24, "pad"), frames=FramesConfig(workers=1))
    store.add(pd.read_pickle(sys.argv[2]))
"""


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(("moment", "after"), [("write", 11), ("rename", 2)])
def test_a_killed_writer_leaves_whole_frames_or_none(
    moment: str, after: int, records: pd.DataFrame, tmp_path: Path
) -> None:
    records.to_pickle(tmp_path / "records.pickle")
    done = run_python(KILLED_WRITER, str(tmp_path / "store"), str(tmp_path / "records.pickle"), moment, str(after))
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = opened(tmp_path)
    (leftover,) = store.folder.glob("*/.*")
    assert len(store) == after - 1
    known = records[records["sha256"].isin([key for key in records["sha256"] if key in store])]
    assert len(known) == len(store)
    assert_gives_every_frame(store, known)
    assert store.add(records) == 20 - len(known)
    assert_gives_every_frame(opened(tmp_path), records)
    assert sweep(tmp_path) == 1
    assert not leftover.exists()
    assert_gives_every_frame(opened(tmp_path), records)


def test_two_processes_adding_at_once_corrupt_nothing(records: pd.DataFrame, tmp_path: Path) -> None:
    records.to_pickle(tmp_path / "records.pickle")
    code = KILLED_WRITER
    arguments = [str(tmp_path / "store"), str(tmp_path / "records.pickle"), "write", "-1"]
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    store = opened(tmp_path)
    assert len(store) == 20
    assert_gives_every_frame(store, records)


def damage_a_byte(data: Path) -> None:
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)


def cut_short(data: Path) -> None:
    data.write_bytes(data.read_bytes()[:-1])


def lose_the_data(data: Path) -> None:
    data.unlink()


def leave_nothing(data: Path) -> None:
    data.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_a_byte, cut_short, lose_the_data, leave_nothing])
def test_a_damaged_frame_is_decoded_again(damage: object, records: pd.DataFrame, tmp_path: Path) -> None:
    assert callable(damage)
    store = opened(tmp_path)
    store.add(records)
    for data in data_files(store)[::2]:
        damage(data)
    again = opened(tmp_path)
    # A wrong byte is found when it is read, everything else before.
    assert again.add(records) == (0 if damage is damage_a_byte else 10)
    assert_gives_every_frame(again, records)
    assert opened(tmp_path).add(records) == 0
    assert_gives_every_frame(opened(tmp_path), records)


def test_a_frame_cut_short_while_it_is_read_is_decoded_again(records: pd.DataFrame, tmp_path: Path) -> None:
    """Through a memory map, the process would be killed; and every page read would count as its memory."""
    store = opened(tmp_path)
    store.add(records)
    assert_gives_every_frame(store, records)
    for data in data_files(store):
        os.truncate(data, data.stat().st_size // 2)
    assert_gives_every_frame(store, records)
    if sys.platform == "linux":
        assert str(store.folder) not in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_damage_that_cannot_be_repaired_is_an_error_not_a_frame(records: pd.DataFrame, tmp_path: Path) -> None:
    opened(tmp_path).add(records)
    store = opened(tmp_path)  # was not told where the files are
    for data in data_files(store):
        damage_a_byte(data)
    with pytest.raises(RunFolderError, match="run the stage again"):
        store.get(records["sha256"].tolist())
    with pytest.raises(RunFolderError, match="run the stage again"):
        store.get(["0" * 64])


def test_a_file_that_changed_is_an_error_and_costs_no_other(records: pd.DataFrame, tmp_path: Path) -> None:
    Path(records["path"][13]).write_bytes(Path(records["path"][4]).read_bytes())
    store = opened(tmp_path)
    with pytest.raises(FrameError, match="has changed"):
        store.add(records)
    assert records["sha256"][13] not in store
    assert len(opened(tmp_path)) >= 13


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    import pandas as pd
    from sonoproof.config import FramesConfig
    from sonoproof.data.frames.preprocessing import Preprocessing
    from sonoproof.data.frames.store import open_store
    from sonoproof.errors import RunFolderError
    records = pd.read_pickle(sys.argv[2])
    store = open_store(Path(sys.argv[1]), preprocessing=Preprocessing(24, "pad"), frames=FramesConfig(workers=1))
    store.add(records.head(4))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        store.add(records)
    except RunFolderError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_full_disk_is_a_clear_error_and_costs_nothing_stored(records: pd.DataFrame, tmp_path: Path) -> None:
    records.to_pickle(tmp_path / "records.pickle")
    done = run_python(FULL_DISK, str(tmp_path / "store"), str(tmp_path / "records.pickle"))
    assert "cannot be written" in done.stdout, done.stderr
    assert "free some space" in done.stdout
    store = opened(tmp_path)
    kept = records[[key in store for key in records["sha256"]]]
    assert set(records["image_id"].head(4)) <= set(kept["image_id"])
    assert len(kept) == len(store) < 20
    assert sweep(tmp_path) == 0
    assert_gives_every_frame(store, kept)
    assert store.add(records) == 20 - len(kept)
    assert_gives_every_frame(store, records)


def test_a_store_that_cannot_be_made_is_a_clear_error(records: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(RunFolderError, match="cannot be written"):
        opened(tmp_path).add(records)


def test_a_store_travels_to_another_process_without_its_frames(records: pd.DataFrame, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add(records)
    store.get(records["sha256"].tolist())
    pickled = pickle.dumps(store)
    assert len(pickled) < 20_000
    assert_gives_every_frame(pickle.loads(pickled), records)


def test_few_results_wait_for_a_slow_reader() -> None:
    begun: list[int] = []

    def begin(item: int) -> int:
        begun.append(item)
        return item

    reader = map_in_order(begin, range(1000), workers=3)
    assert [next(reader) for _ in range(10)] == list(range(10))
    assert len(begun) <= 10 + 2 * 3
    del reader
    assert len(begun) <= 10 + 2 * 3
    assert list(map_in_order(begin, range(1000), workers=3)) == list(range(1000))
