"""How the C library keeps the memory that is given back to it."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["limit_malloc_arenas"]

# From glibc's malloc.h.
_M_ARENA_MAX = -8
_ARENAS = 2


def limit_malloc_arenas() -> bool:
    """Let all threads of this process share two memory arenas, where the C library is glibc.

    By default each new thread may get an arena of its own, up to eight for every processor, and each keeps the largest
    batches that it ever held. To be called before threads are started.

    Returns:
        Whether it was done.

    References:
        GNU C Library manual, 3.2.3.7 "Malloc Tunable Parameters", ``M_ARENA_MAX``.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, _ARENAS))
