"""A process that does one side's works when told to, and says what each took. Standard library only: both sides use it.

Requests come as lines of JSON on stdin: ``{"work": NAME, "arguments": {...}}``. The first request of a work prepares it
and does it once unmeasured; a short work is repeated until it can be timed. Answers go to stdout as lines of JSON;
whatever libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Done", "Prepare", "Prepared", "pin", "serve"]

# What a work returns: units done, and anything else that is to be reported.
Done = dict[str, Any]
Prepared = Callable[[], Done]
Prepare = Callable[..., Prepared]

SHORTEST_S = 0.5


def pin(threads: int) -> None:
    """Keep this process and its children to as many processors, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(works: dict[str, Prepare]) -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepared: dict[str, Prepared] = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = json.dumps(request, sort_keys=True)
        if name not in prepared:
            prepared[name] = works[request["work"]](**request["arguments"])
            prepared[name]()
        answers.write(json.dumps(_measured(prepared[name])) + "\n")


def _measured(work: Prepared) -> Done:
    cpu, wall = _cpu_seconds(), time.perf_counter()
    done = work()
    units = done["units"]
    while time.perf_counter() - wall < SHORTEST_S:
        done = work()
        units += done["units"]
    return {**done, "units": units, "wall_s": time.perf_counter() - wall, "cpu_s": _cpu_seconds() - cpu}


def _cpu_seconds() -> float:
    """Processor time of this process, its threads and its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
