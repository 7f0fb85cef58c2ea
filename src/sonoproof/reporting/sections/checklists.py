"""Section "Model card and checklists": what the run fills in, and what is left to the authors."""

from __future__ import annotations

from collections.abc import Sequence

from sonoproof.reporting.checklists import Checklist
from sonoproof.reporting.page.blocks import Prose, Section, Table

_HOW = (
    "Reporting checklists are filled in as far as the files of the run allow; each answer names its file, and what "
    "only the authors can say is marked for them. Each is in the run folder as Markdown and as DOCX."
)


def checklists_section(checklists: Sequence[Checklist]) -> Section:
    """The model card in full, the checklists by name with how far they are filled in."""
    card = next(checklist for checklist in checklists if checklist.name == "model-card")
    return Section("checklists", "Model card and checklists", (Prose(_HOW), _overview(checklists), _card(card)))


def _overview(checklists: Sequence[Checklist]) -> Table:
    rows = tuple(
        (
            checklist.title,
            f"{len(checklist.items):,}",
            f"{checklist.answered:,}",
            f"{sum(bool(item.for_authors) for item in checklist.items):,}",
        )
        for checklist in checklists
    )
    return Table(
        "How far the checklists are filled in.",
        ("Checklist", "Rows", "Answered by the run", "Left to the authors, in whole or in part"),
        rows,
        sources=tuple(f"checklists/{item.name}.{ending}" for item in checklists for ending in ("md", "docx")),
        numeric=True,
    )


def _card(card: Checklist) -> Table:
    sources = [source.partition("#")[0] for item in card.items if item.answer for source in item.answer.sources]
    rows = tuple(
        (f"{item.section}: {item.asks}", item.answer.text if item.answer else "–", item.for_authors or "–")
        for item in card.items
    )
    return Table(
        f"{card.title} ({card.reference})",
        ("Item", "What the run says", "For the authors"),
        rows,
        sources=tuple(name for name in dict.fromkeys(sources) if name != "report.html"),
    )
