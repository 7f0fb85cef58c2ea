"""The checklists: their items, and what this run answers to each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from sonoproof.reporting.checklists import data_facts, result_facts
from sonoproof.reporting.checklists.facts import Answer, Fact, sentences
from sonoproof.reporting.page.runfiles import RunFiles

CHECKLISTS = ("model_card", "claim_2024", "tripod_ai", "stard_ai")


@dataclass(frozen=True)
class FilledItem:
    """One item with its answer.

    Attributes:
        number: Number in the publication (of the model card: section and our own count).
        section: Section of the checklist.
        asks: What it asks for, in our words.
        answer: What the run's files say, or None.
        for_authors: What only the authors can say; empty where the run answers all of it.
    """

    number: str
    section: str
    asks: str
    answer: Answer | None
    for_authors: str


@dataclass(frozen=True)
class Checklist:
    """A checklist filled by a run.

    Attributes:
        name: Name of its files.
        title: Its title.
        reference: The publication.
        items: The items in their order.
    """

    name: str
    title: str
    reference: str
    items: tuple[FilledItem, ...]

    @property
    def answered(self) -> int:
        """Items that the run answers, wholly or in part."""
        return sum(item.answer is not None for item in self.items)


def filled_checklists(files: RunFiles) -> tuple[Checklist, ...]:
    """Every checklist, each item answered from a file of the run or left to the authors."""
    return tuple(_filled(name, files) for name in CHECKLISTS)


def _facts() -> dict[str, Fact]:
    return {**sentences(), **data_facts.fact, **result_facts.fact}


def _filled(name: str, files: RunFiles) -> Checklist:
    source = resources.files("sonoproof.reporting.checklists").joinpath(f"{name}.toml")
    content = tomllib.loads(source.read_text(encoding="utf-8"))
    return Checklist(content["name"], content["title"], content["reference"], tuple(_items(content["items"], files)))


def _items(rows: list[list[str]], files: RunFiles) -> Iterator[FilledItem]:
    facts = _facts()
    for number, section, asks, key, rest in rows:
        answer = facts[key](files) if key else None
        yield FilledItem(number, section, asks, answer, rest if answer is not None else rest or "The whole item.")
