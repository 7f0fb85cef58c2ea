"""Threads and processes over a sequence, in its order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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


def map_in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    initializer: Callable[..., object],
    arguments: tuple[object, ...] = (),
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order, computed by processes of their own.

    The processes import the module of `function`, and not the user's main module: a script that calls Sonoproof needs
    no ``if __name__ == "__main__":``, and may come from standard input or from a notebook. The executors of the
    standard library run such a script again in each process.

    Args:
        function: A function of a module.
        items: What it is called with.
        workers: Number of processes.
        initializer: Called once in each process.
        arguments: Of the initializer.

    Raises:
        Exception: Whatever `function` raises, at the place of its item.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(workers, initializer=initializer, initargs=arguments)
    try:
        yield from pool.map(function, items)
    except BaseException:
        pool.shutdown(wait=True, kill_workers=True)
        raise
    pool.shutdown(wait=True)
