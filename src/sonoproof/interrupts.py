"""Being stopped from outside, and being alone in a run folder."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from sonoproof.errors import RunFolderError

LOCK = ".lock"


class Stopped(BaseException):
    """The process was asked to stop, by Ctrl-C or by SIGTERM.

    Not a KeyboardInterrupt: Lightning turns that one into an exit of its own.

    Attributes:
        exit_code: 128 and the signal's number, as shells have it.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` where the main thread is when the process is asked to stop: whole files stay, half ones go."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder; the system gives up the lock of a process that dies.

    Args:
        folder: The folder; made if it is missing.

    Raises:
        RunFolderError: Another process writes to it, or it cannot be written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunFolderError(
            f"{folder}: is in use by another sonoproof; wait until it has finished, or stop it first"
        ) from error
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield
    finally:
        lock.release()
