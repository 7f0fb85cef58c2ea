"""A text document with one table, as Office Open XML: as little of the format as a checklist needs.

References:
    ECMA-376-1:2016, Office Open XML file formats, part 1: 11.3.10 (main document), 17.3 (paragraphs), 17.4 (tables),
    17.16.22 (hyperlinks). ECMA-376-2:2021, clause 7.2 (content types) and clause 8 (relationships).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from sonoproof.runfolder import atomic_path

__all__ = ["Cell", "Link", "write_docx"]

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# Twentieths of a point: A4 on its side with margins of 15 mm, and the widths of the five columns.
_PAGE = (
    '<w:pgSz w:w="16838" w:h="11906" w:orient="landscape"/><w:pgMar w:top="850" w:right="850" w:bottom="850" '
    'w:left="850" w:header="400" w:footer="400" w:gutter="0"/>'
)
_WIDTHS = (800, 2200, 3400, 6138, 2600)
# The earliest moment that a zip archive can hold: the same content is the same bytes.
_MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Link:
    """Text that leads to a file, relative to the document."""

    text: str
    target: str


Cell = list["str | Link"]


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
    links = list(dict.fromkeys(run.target for row in rows for cell in row for run in cell if isinstance(run, Link)))
    numbers = {target: f"rId{number}" for number, target in enumerate(links, start=2)}
    table = "".join(_row(row, numbers) for row in rows)
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in _WIDTHS)
    body = (
        _paragraph([title], numbers, style="Title")
        + "".join(_paragraph([text], numbers) for text in paragraphs)
        + f'<w:tbl><w:tblPr><w:tblStyle w:val="Grid"/><w:tblW w:w="{sum(_WIDTHS)}" w:type="dxa"/>'
        + f'<w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>'
        + _row([[name] for name in header], numbers, heading=True)
        + f"{table}</w:tbl>{_paragraph([''], numbers)}<w:sectPr>{_PAGE}</w:sectPr>"
    )
    document = f'{_DECLARATION}<w:document xmlns:w="{_W}" xmlns:r="{_R}"><w:body>{body}</w:body></w:document>'
    members = {
        "[Content_Types].xml": _content_types(),
        "_rels/.rels": _relations([("rId1", "officeDocument", "word/document.xml", False)]),
        "word/document.xml": document,
        "word/styles.xml": _styles(),
        "word/_rels/document.xml.rels": _relations(
            [("rId1", "styles", "styles.xml", False)]
            + [(number, "hyperlink", target, True) for target, number in numbers.items()]
        ),
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), content, compress_type=zipfile.ZIP_DEFLATED)


def _row(cells: Sequence[Cell], numbers: dict[str, str], *, heading: bool = False) -> str:
    properties = "<w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>" if heading else "<w:trPr><w:cantSplit/></w:trPr>"
    style = "Heading" if heading else "Cell"
    columns = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{_paragraph(cell, numbers, style=style)}</w:tc>'
        for cell, width in zip(cells, _WIDTHS, strict=True)
    )
    return f"<w:tr>{properties}{columns}</w:tr>"


def _paragraph(cell: Sequence[str | Link], numbers: dict[str, str], *, style: str = "Normal") -> str:
    runs = "".join(_linked(run, numbers) if isinstance(run, Link) else _run(run) for run in cell)
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{runs}</w:p>'


def _linked(link: Link, numbers: dict[str, str]) -> str:
    return f'<w:hyperlink r:id="{numbers[link.target]}">{_run(link.text, style="Link")}</w:hyperlink>'


def _run(text: str, *, style: str = "") -> str:
    properties = f'<w:rPr><w:rStyle w:val="{style}"/></w:rPr>' if style else ""
    shown = escape(ILLEGAL_CHARACTERS_RE.sub("�", text))
    return f'<w:r>{properties}<w:t xml:space="preserve">{shown}</w:t></w:r>'


def _relations(entries: Sequence[tuple[str, str, str, bool]]) -> str:
    lines = "".join(
        f'<Relationship Id="{number}" Type="{_R}/{kind}" Target={quoteattr(target)}'
        f"{' TargetMode=' + quoteattr('External') if external else ''}/>"
        for number, kind, target, external in entries
    )
    return f'{_DECLARATION}<Relationships xmlns="{_RELATIONS}">{lines}</Relationships>'


def _content_types() -> str:
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    return (
        f'{_DECLARATION}<Types xmlns="{_TYPES}">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}.document.main+xml"/>'
        f'<Override PartName="/word/styles.xml" ContentType="{main}.styles+xml"/></Types>'
    )


def _styles() -> str:
    edges = "".join(
        f'<w:{edge} w:val="single" w:sz="4" w:color="808080"/>'
        for edge in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    return (
        f'{_DECLARATION}<w:styles xmlns:w="{_W}">'
        + _paragraph_style("Normal", default=True, half_points=20, after=120)
        + _paragraph_style("Title", half_points=32, after=160, bold=True)
        + _paragraph_style("Cell", half_points=16, after=20)
        + _paragraph_style("Heading", half_points=16, after=20, bold=True)
        + '<w:style w:type="character" w:styleId="Link"><w:name w:val="Hyperlink"/>'
        '<w:rPr><w:color w:val="0B5A8F"/><w:u w:val="single"/></w:rPr></w:style>'
        '<w:style w:type="table" w:styleId="Grid"><w:name w:val="Table Grid"/>'
        f"<w:tblPr><w:tblBorders>{edges}</w:tblBorders>"
        '<w:tblCellMar><w:left w:w="80" w:type="dxa"/><w:right w:w="80" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        "</w:style></w:styles>"
    )


def _paragraph_style(name: str, *, half_points: int, after: int, bold: bool = False, default: bool = False) -> str:
    """A style of paragraphs; `after` is the space under it in twentieths of a point."""
    return (
        f'<w:style w:type="paragraph" {"w:default=" + quoteattr("1") + " " if default else ""}w:styleId="{name}">'
        f'<w:name w:val="{name}"/><w:pPr><w:spacing w:after="{after}"/></w:pPr>'
        f'<w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri"/>{"<w:b/>" if bold else ""}<w:sz w:val="{half_points}"/>'
        "</w:rPr></w:style>"
    )
