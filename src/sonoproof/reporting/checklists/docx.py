"""A text document with one table, as Office Open XML; its parts are templates under ``templates/docx``.

References:
    ECMA-376-1:2016, Office Open XML file formats, part 1: 11.3.10 (main document), 17.3 (paragraphs), 17.4 (tables),
    17.16.22 (hyperlinks). ECMA-376-2:2021, clause 7.2 (content types) and clause 8 (relationships).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from sonoproof.runfolder import atomic_path

# Where each template goes in the archive.
_PARTS = {
    "content_types.xml": "[Content_Types].xml",
    "package_relations.xml": "_rels/.rels",
    "document.xml": "word/document.xml",
    "styles.xml": "word/styles.xml",
    "document_relations.xml": "word/_rels/document.xml.rels",
}
# The earliest moment that a zip archive can hold: the same content is the same bytes.
_MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Hyperlink:
    """Text that leads to a file, relative to the document."""

    text: str
    target: str


Cell = list["str | Hyperlink"]


def write_docx(
    path: Path, *, title: str, paragraphs: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> None:
    """Write a title, paragraphs and a table of five columns, atomically.

    Args:
        path: The file.
        title: Its heading.
        paragraphs: Plain paragraphs under it.
        header: Headings of the columns; repeated on every page.
        rows: Cells, each of text and links.
    """
    runs = (run for row in rows for cell in row for run in cell)
    targets = dict.fromkeys(run.target for run in runs if isinstance(run, Hyperlink))
    content = {
        "title": title,
        "paragraphs": paragraphs,
        "header": [[name] for name in header],
        "rows": rows,
        "numbers": {target: f"rId{number}" for number, target in enumerate(targets, start=2)},
    }
    environment = Environment(
        loader=PackageLoader("sonoproof.reporting", "templates/docx"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for template, name in _PARTS.items():
            part = environment.get_template(template).render(content)
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), part, compress_type=zipfile.ZIP_DEFLATED)


def _printable(value: object) -> object:
    """Text without the characters that XML cannot hold; markup that a macro made passes as it is."""
    return ILLEGAL_CHARACTERS_RE.sub("�", value) if type(value) is str else value
