"""Work in other processes, called from any kind of script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonoproof.concurrency import map_in_processes

# Without a main guard: processes that ran it again would print twice, or break.
SCRIPT = """
import operator
from sonoproof.concurrency import map_in_processes
print("begins")
print(list(map_in_processes(operator.neg, range(5), workers=2, initializer=len, arguments=("",))))
"""


@pytest.mark.parametrize("by", ["file", "standard input"])
def test_a_script_without_a_main_guard_works(by: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command, given = ([str(script)], None) if by == "file" else (["-"], SCRIPT)
    done = subprocess.run([sys.executable, *command], input=given, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("begins\n[0, -1, -2, -3, -4]\n", 0), done.stderr


def test_an_error_in_another_process_is_raised_here() -> None:
    with pytest.raises(FileNotFoundError):
        list(map_in_processes(os.stat, ["/", "/no/such/file"], workers=2, initializer=len, arguments=("",)))
