"""Silent by default; on request the messages and the bar that fit a terminal or a notebook."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sonoproof.progress import SILENT, Reporter


@contextlib.contextmanager
def shown(progress: bool) -> Iterator[Reporter]:
    """Yield a reporter that shows what happens, or one that is silent."""
    if not progress:
        yield SILENT
        return
    from sonoproof.console import Terminal

    with Terminal() as terminal:
        yield terminal
