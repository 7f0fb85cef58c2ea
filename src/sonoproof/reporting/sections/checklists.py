"""Section "Model card and checklists": what the run fills, and what is left to the authors."""

from __future__ import annotations

from collections.abc import Sequence

from sonoproof.reporting.checklists import Checklist, FilledItem
from sonoproof.reporting.page.blocks import Block, Prose, Section, Table

__all__ = ["checklists_section"]

_HOW = (
    "Reporting checklists are filled as far as files of the run go; each answer names its file, and what only the "
    "authors can say is marked for them. Each stands in the run folder as Markdown and as docx."
)


def checklists_section(checklists: Sequence[Checklist]) -> Section:
    """The model card in full, the checklists by name with how far they are filled."""
    card = next(checklist for checklist in checklists if checklist.name == "model-card")
    blocks: list[Block] = [Prose(_HOW), _overview(checklists), _card(card)]
    return Section("checklists", "Model card and checklists", tuple(blocks))


def _overview(checklists: Sequence[Checklist]) -> Table:
    rows = [
        (
            checklist.title,
            f"{len(checklist.items):,}",
            f"{checklist.answered:,}",
            f"{sum(bool(item.for_authors) for item in checklist.items):,}",
        )
        for checklist in checklists
    ]
    return Table(
        "How far the checklists are filled.",
        ("Checklist", "Rows", "Answered by the run", "Left to the authors, wholly or in part"),
        tuple(rows),
        sources=tuple(f"checklists/{item.name}.{ending}" for item in checklists for ending in ("md", "docx")),
        numeric=True,
    )


def _card(card: Checklist) -> Table:
    sources = [source.partition("#")[0] for item in card.items if item.answer for source in item.answer.sources]
    rows = tuple((f"{item.section}: {item.asks}", _answer(item), item.for_authors or "–") for item in card.items)
    return Table(
        f"{card.title} ({card.reference})",
        ("Item", "What the run says", "For the authors"),
        rows,
        sources=tuple(name for name in dict.fromkeys(sources) if name != "report.html"),
    )


def _answer(item: FilledItem) -> str:
    return item.answer.text if item.answer is not None else "–"
