"""Threads over a sequence, in its order, with a bounded number of results in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sonoproof.progress import SILENT, Progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int | None = None,
    progress: Progress = SILENT.progress,
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order, computed by threads.

    ``Executor.map`` submits every item at once and keeps all results; here at most two per thread are under
    way, so that a hundred thousand decoded frames do not pile up behind a slow reader.

    Args:
        function: Called in threads.
        items: What it is called with.
        workers: Number of threads; None for one per processor.
        progress: Called with (results yielded, items in all) from the caller's thread.

    Raises:
        Exception: Whatever `function` raises, at the place of its item; what has not begun is then cancelled.
    """
    threads = workers or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    remaining = iter(items)
    done = 0
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="frames") as pool:
        try:
            for item in remaining:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 2 * threads:
                    break
            while waiting:
                result = waiting.popleft().result()
                for item in remaining:
                    waiting.append(pool.submit(function, item))
                    break
                yield result
                done += 1
                progress(done, len(items))
        finally:
            for future in waiting:
                future.cancel()
