"""What a run can state of itself, fact by fact; the items of the checklists ask for facts by name.

A fact is read from files of the run and names them. Where the files do not state it, there is no answer and the item
stays with the authors: nothing is made up. A fact is a function (`Facts`), or a sentence in ``sentences.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from operator import attrgetter

from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.types import Json

__all__ = ["CONFIG", "DECISION", "EVALUATIONS", "MODEL", "Answer", "Fact", "Facts", "sentences"]

Sources = Callable[[RunFiles], tuple[str, ...]]
State = Callable[[RunFiles], str | None]

MODEL, CONFIG = "model/model.json", "config.toml"
EVALUATIONS: Sources = attrgetter("evaluation_files")


@dataclass(frozen=True)
class Answer:
    """What the run says to an item.

    Attributes:
        text: The answer.
        sources: Files of the run that say it, relative to it; a section of the report as ``report.html#section``.
    """

    text: str
    sources: tuple[str, ...]


Fact = Callable[[RunFiles], Answer | None]


def DECISION(files: RunFiles) -> tuple[str, ...]:  # noqa: N802 - used like the constants beside it
    """The file of what was chosen after training: ``model.json`` in runs that have no ``decision.json``."""
    path = files.run.model / "decision.json"
    return (files.run.relative(path) if path.is_file() else MODEL,)


class Facts(dict[str, Fact]):
    """The facts of a module by their names; entered by decorating the functions that state them."""

    def __call__(self, name: str, *sources: str | Sources) -> Callable[[State], State]:
        """Enter a function as the fact of this name.

        Args:
            name: What the items of the checklists call it.
            sources: Files that it is read from, relative to the run.

        Returns:
            A decorator for a function that gives the text of the answer, or None where the files do not state it.
        """

        def enter(state: State) -> State:
            self[name] = partial(_answer, state, sources)
            return state

        return enter


def sentences() -> dict[str, Fact]:
    """The facts of ``sentences.toml``."""
    source = resources.files("sonoproof.reporting.checklists").joinpath("sentences.toml")
    return {
        name: partial(_sentence, entry) for name, entry in tomllib.loads(source.read_text(encoding="utf-8")).items()
    }


def _answer(state: State, sources: tuple[str | Sources, ...], files: RunFiles) -> Answer | None:
    text = state(files)
    if not text:
        return None
    named = [(source,) if isinstance(source, str) else source(files) for source in sources]
    return Answer(text, tuple(dict.fromkeys(path for paths in named for path in paths)))


def _sentence(sentence: Json, files: RunFiles) -> Answer | None:
    """A sentence filled in; None where a file that it needs is missing or does not hold what it mentions."""
    needed = getattr(files, sentence["needs"])
    if needed is None or (isinstance(needed, dict | tuple) and not needed):
        return None
    try:
        return Answer(sentence["text"].format(run=files), tuple(sentence["sources"]))
    except KeyError:
        return None
