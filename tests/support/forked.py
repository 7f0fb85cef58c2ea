"""Processes to be killed: forked from a server that has imported everything, so that each begins to work at once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_PRELOADED = [
    "sonoproof.cli", "sonoproof.pipeline", "captum.attr", "lightning", "transformers.models.mobilenet_v1",
    "tests.support.toy",
]  # fmt: skip


def fork(function: Callable[..., object], *arguments: object, log: Path) -> ForkServerProcess:
    """Start a function of an importable module in a process that leads a session of its own.

    Args:
        function: What the process does.
        arguments: Its arguments.
        log: Takes what the process prints.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_leading, args=(function, arguments, log))
    process.start()
    return process


def command_line(*words: str) -> None:
    """What ``python -m sonoproof`` does."""
    from sonoproof.cli import main

    sys.argv = ["sonoproof", *words]
    main()


def _leading(function: Callable[..., object], arguments: tuple[object, ...], log: Path) -> None:
    os.setsid()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    function(*arguments)
