"""The filled checklists as files: Markdown and docx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from sonoproof.reporting.checklists.docx import Cell, Hyperlink, write_docx
from sonoproof.reporting.checklists.filled import Checklist, FilledItem
from sonoproof.reporting.wording.text import visible_text
from sonoproof.runfolder import RunFolder, write_text

HEADER = ("Item", "Section", "Asks for", "Answer", "For the authors")
_LONGEST = 6000
NOTE = (
    "Filled in by the run; every answer names the files that it comes from. What only the authors can say is marked "
    "for them. The items are paraphrased: the publication has them in full."
)


def write_checklists(run: RunFolder, checklists: Sequence[Checklist]) -> list[Path]:
    """Write ``checklists/NAME.md`` and ``NAME.docx`` for each.

    Args:
        run: The run folder; links lead from the folder ``checklists`` into it.
        checklists: What to write.

    Returns:
        The files written.
    """
    written = []
    for checklist in checklists:
        markdown, document = run.checklists / f"{checklist.name}.md", run.checklists / f"{checklist.name}.docx"
        write_text(markdown, _markdown(checklist))
        rows = [_cells(item) for item in checklist.items]
        paragraphs = [f"Reference: {checklist.reference}", NOTE, _tally(checklist)]
        write_docx(document, title=checklist.title, paragraphs=paragraphs, header=HEADER, rows=rows)
        written += [markdown, document]
    return written


def _tally(checklist: Checklist) -> str:
    return f"{checklist.answered} of {len(checklist.items)} rows are answered by the run, in whole or in part."


def _markdown(checklist: Checklist) -> str:
    lines = [f"# {checklist.title}", "", f"Reference: {checklist.reference}", "", NOTE, "", _tally(checklist), ""]
    lines += [f"| {' | '.join(HEADER)} |", "|" + " --- |" * len(HEADER)]
    lines += [f"| {' | '.join(map(_markdown_cell, _cells(item)))} |" for item in checklist.items]
    return "\n".join([*lines, ""])


def _cells(item: FilledItem) -> list[Cell]:
    answer: Cell = ["–"]
    if item.answer is not None:
        links: Cell = []
        for source in item.answer.sources:
            links += [", " if links else "", Hyperlink(source, _target(source))]
        answer = [visible_text(item.answer.text, longest=_LONGEST), " (", *links, ")"]
    return [[item.number], [item.section], [item.asks], answer, [item.for_authors or "–"]]


def _target(source: str) -> str:
    path, hash_sign, section = source.partition("#")
    return f"../{quote(path)}{hash_sign}{section}"


def _markdown_cell(cell: Cell) -> str:
    return "".join(f"[{run.text}]({run.target})" if isinstance(run, Hyperlink) else _escaped(run) for run in cell)


def _escaped(text: str) -> str:
    for character in "\\|<>[]*_`":
        text = text.replace(character, f"\\{character}")
    return text
