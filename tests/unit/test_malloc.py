import subprocess
import sys

import pytest

MEASURE = """
import ctypes, resource, sys, threading
import numpy as np
from sonoproof.malloc import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()

def work():
    for _ in range(20):
        np.ones(50_000_000, dtype=np.uint8)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

work()
before = faults()
work()
print(faults() - before)
for _ in range(8):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measured(mode: str) -> tuple[int, int]:
    """Page faults of twenty blocks of 50 MB, and the peak memory in KB after eight threads did the same in turn."""
    done = subprocess.run([sys.executable, "-c", MEASURE, mode], check=True, capture_output=True, text=True)
    faults, peak = map(int, done.stdout.split())
    return faults, peak


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc only")
def test_freed_blocks_are_used_again() -> None:
    default_faults, default_peak = measured("default")
    kept_faults, kept_peak = measured("kept")
    assert kept_faults < default_faults / 10
    assert kept_peak < 1.2 * default_peak
