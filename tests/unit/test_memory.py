import subprocess
import sys
from pathlib import Path

import pytest

COUNT_ARENAS = """
import ctypes, sys, threading
from sonoproof.memory import limit_malloc_arenas

if sys.argv[2] == "limited":
    assert limit_malloc_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
together = threading.Barrier(12)

def allocate():
    libc.malloc(1000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


def arenas(report: Path, mode: str) -> int:
    """Arenas of a process in which twelve threads have allocated, as the C library counts them."""
    subprocess.run([sys.executable, "-c", COUNT_ARENAS, str(report), mode], check=True)
    return report.read_text().count("<heap nr=")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="malloc arenas are glibc's")
def test_threads_share_two_arenas(tmp_path: Path) -> None:
    assert arenas(tmp_path / "unlimited.xml", "unlimited") > 4
    assert arenas(tmp_path / "limited.xml", "limited") <= 3
