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
from typing import Any

from jinja2 import Environment, StrictUndefined, UndefinedError

from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.tables import metric_label, metric_names
from sonoproof.types import Json
from sonoproof.wording import counted

State = Callable[[RunFiles], str | None]


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


class Facts(dict[str, Fact]):
    """The facts of a module by their names; entered by decorating the functions that state them."""

    def __call__(self, name: str, *sources: str) -> Callable[[State], State]:
        """Enter a function as the fact of this name.

        Args:
            name: What the items of the checklists call it.
            sources: Files that it is read from, relative to the run; ``AUDIT``, ``DECISION``, ``EVALUATIONS`` and
                ``EXPLANATIONS`` stand for the files of that kind that the run has.

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
    entries = tomllib.loads(source.read_text(encoding="utf-8")).items()
    return {name: partial(_answer, partial(_fill, entry), tuple(entry["sources"])) for name, entry in entries}


def _answer(state: State, sources: tuple[str, ...], files: RunFiles) -> Answer | None:
    text = state(files)
    if not text:
        return None
    kinds = {
        "AUDIT": ("audit.json", "report.html#audit") if files.audit else (),
        "DECISION": files.decision_files,
        "EVALUATIONS": files.evaluation_files,
        "EXPLANATIONS": tuple(part.explanations_file for part in files.parts if part.explanations),
    }
    return Answer(text, tuple(dict.fromkeys(file for source in sources for file in kinds.get(source, (source,)))))


def _fill(sentence: Json, files: RunFiles) -> str | None:
    """A sentence filled in; None where a file that it needs is missing or does not hold what it mentions."""
    needed = getattr(files, sentence["needs"])
    if needed is None or (isinstance(needed, dict | list | tuple) and not needed):
        return None
    negative, positive = files.class_names
    content: dict[str, Any] = {key: getattr(files, key) for key in ("cohort", "model", "manifest", "findings")}
    content |= {"negative": negative, "positive": positive, "counted": counted, "metric_names": metric_names}
    content |= {"first": files.evaluated[0].evaluation if files.evaluated else {}}
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - plain text, escaped later
    environment.filters["metric_label"] = metric_label
    try:
        return environment.from_string(sentence["text"]).render(content, recalibration=_recalibration(files.model))
    except UndefinedError:
        return None


def _recalibration(model: Json) -> str | None:
    calibration = model.get("calibration")
    if not calibration or calibration.get("method", "none") == "none":
        return "The probabilities were not recalibrated." if calibration else None
    return f"The probabilities were recalibrated ({calibration['method']}), chosen on: {calibration.get('chosen_on')}."
