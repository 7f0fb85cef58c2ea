"""How the C library keeps the memory that is given back to it."""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8


def keep_freed_memory() -> bool:
    """Keep what this process frees for its next request, in one place for all threads, where the C library is glibc.

    A training step asks for the same gigabyte of activations as the step before. By default each large block goes back
    to the system and is fetched again, a page fault for every four kilobytes, and each new thread may keep a store of
    freed blocks of its own. To be called before threads are started.

    Returns:
        Whether it was done.

    References:
        GNU C Library manual, "Malloc Tunable Parameters".
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # One store, no block that is the system's own, nothing returned: -1 switches the trimming off.
    return all(mallopt(name, value) for name, value in ((_M_ARENA_MAX, 1), (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1)))
