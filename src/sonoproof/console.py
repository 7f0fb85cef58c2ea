"""What a person sees on the terminal while a run goes on; all of it on stderr, results go to stdout."""

from __future__ import annotations

from importlib.util import find_spec
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn


def shows_bars(console: Console) -> bool:
    """Whether a bar can be drawn: on a terminal, and in a notebook that has widgets."""
    return console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)


class Terminal:
    """A line for each thing worth reading, and a bar for the stage under way where there is a terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeLeftColumn(),
            console=self.console,
            transient=True,
            disable=not shows_bars(self.console),
        )
        self._task: TaskID | None = None
        self._title = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._drop_bar()
        self._title = name
        self.console.print(name, style="bold", markup=False)

    def say(self, line: str) -> None:
        """Something worth reading."""
        self.console.print(f"  {line}", markup=False)

    def progress(self, done: int, total: int) -> None:
        """How far the stage is; a new bar begins where another total is counted."""
        if self._task is not None and self._bar.tasks[-1].total != total:
            self._drop_bar()
        if self._task is None:
            self._task = self._bar.add_task(self._title, total=total)
        self._bar.update(self._task, completed=done)
        if done >= total:
            self._drop_bar()

    def _drop_bar(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
