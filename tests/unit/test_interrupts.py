"""Being stopped from outside, and being alone in a run folder."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sonoproof.errors import RunFolderError
from sonoproof.interrupts import LOCK, Stopped, alone_in, stoppable

HOLDER = """
import sys, time
from pathlib import Path
from sonoproof.interrupts import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_the_exit_code_of_shells_and_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, stoppable():
        signal.raise_signal(number)
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) == before


def test_a_second_process_is_refused_and_the_lock_of_a_dead_one_is_no_obstacle(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(run)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match="in use by another sonoproof"), alone_in(run):
            pass
        holder.kill()
    assert (run / LOCK).exists()
    with alone_in(run):
        pass


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"), alone_in(tmp_path / "file" / "run"):
        pass
