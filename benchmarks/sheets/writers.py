"""Small writers of xlsx, ods, xls and csv: fast, with number formats, formulas and links."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import xlwt
from openpyxl.utils import get_column_letter

FORMATS = ("General", "0.00", "000", '"IM"0000', "0")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


@dataclass(frozen=True)
class Cell:
    """A cell of a random sheet.

    Attributes:
        value: Text, or a number.
        format: Number format of a number, one of `FORMATS`.
        formula: Formula whose stored result is ``value``.
        link: Target of a link.
    """

    value: str | float | int
    format: str = FORMATS[0]
    formula: str = ""
    link: str = ""


def write_sheet(path: Path, rows: Sequence[Sequence[Cell]], *, encoding: str = "utf-8") -> None:
    """Write rows in the format of the path's suffix."""
    if path.suffix == ".xlsx":
        _write_xlsx(path, rows)
    elif path.suffix == ".ods":
        _write_ods(path, rows)
    elif path.suffix == ".xls":
        _write_xls(path, rows)
    else:
        _write_csv(path, rows, encoding=encoding)


def _write_xlsx(path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    links: list[tuple[str, str]] = []
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = []
        for column, cell in enumerate(row, start=1):
            at = f"{get_column_letter(column)}{number}"
            if cell.link:
                links.append((at, cell.link))
            cells.append(_xlsx_cell(at, cell))
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    anchors = "".join(f'<hyperlink ref="{at}" r:id="l{place}"/>' for place, (at, _) in enumerate(links))
    relations = "".join(
        f'<Relationship Id="l{place}" Type="{_RELATION}/hyperlink" Target={quoteattr(target)} TargetMode="External"/>'
        for place, (_, target) in enumerate(links)
    )
    formats = "".join(
        f'<numFmt numFmtId="{200 + place}" formatCode={quoteattr(code)}/>' for place, code in enumerate(FORMATS)
    )
    styles = "".join(f'<xf numFmtId="{200 + place if place else 0}"/>' for place in range(len(FORMATS)))
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="a" Type="{_RELATION}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="s"'
        f' Type="{_RELATION}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="t"'
        f' Type="{_RELATION}/styles" Target="styles.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}"><sheets><sheet name="Labels" sheetId="1"'
        ' r:id="s"/></sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs>'
        "</styleSheet>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}" xmlns:r="{_RELATION}"><sheetData>{"".join(lines)}'
        f"</sheetData>{f'<hyperlinks>{anchors}</hyperlinks>' if links else ''}</worksheet>",
        "xl/worksheets/_rels/sheet1.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{relations}</Relationships>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, f"{_XML}{content}")


def _xlsx_cell(at: str, cell: Cell) -> str:
    if cell.value == "" and not cell.formula:
        return ""
    style = f' s="{FORMATS.index(cell.format)}"' if cell.format != FORMATS[0] else ""
    formula = f"<f>{escape(cell.formula)}</f>" if cell.formula else ""
    if isinstance(cell.value, str) and not formula:
        return f'<c r="{at}" t="inlineStr"{style}><is><t xml:space="preserve">{_text(cell.value)}</t></is></c>'
    return f'<c r="{at}"{style}>{formula}<v>{cell.value!r}</v></c>'


def _text(text: str) -> str:
    return escape(text, {"\n": "&#10;", "\r": "&#13;"})


def _write_ods(path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    lines = []
    for row in rows:
        cells = "".join(_ods_cell(cell) for cell in row)
        lines.append(f"<table:table-row>{cells}</table:table-row>")
    content = (
        f'<office:document-content {names} xmlns:xlink="http://www.w3.org/1999/xlink"><office:body><office:spreadsheet>'
        f'<table:table table:name="Labels">{"".join(lines)}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", _XML + content)
        archive.writestr("META-INF/manifest.xml", f"{_XML}<manifest/>")


def _ods_cell(cell: Cell) -> str:
    formula = f" table:formula={quoteattr('of:=' + cell.formula)}" if cell.formula else ""
    if isinstance(cell.value, str):
        text = "</text:p><text:p>".join(escape(line) for line in cell.value.split("\n"))
        if cell.link:
            text = f"<text:a xlink:href={quoteattr(cell.link)}>{text}</text:a>"
        kind = f' office:value-type="string"{formula}' if cell.value else ""
        return f"<table:table-cell{kind}>{f'<text:p>{text}</text:p>' if cell.value else ''}</table:table-cell>"
    shown = show(cell)
    return (
        f'<table:table-cell office:value-type="float" office:value="{cell.value}"{formula}><text:p>{shown}</text:p>'
        "</table:table-cell>"
    )


def show(cell: Cell) -> str:
    """What a cell shows."""
    if isinstance(cell.value, str):
        return cell.value
    shown = {"0.00": f"{cell.value:.2f}", "000": f"{cell.value:03.0f}", '"IM"0000': f"IM{cell.value:04.0f}"}
    return shown.get(cell.format, f"{cell.value:g}")


def _write_xls(path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("Labels")
    styles = {code: xlwt.easyxf(num_format_str=code) for code in FORMATS}
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            if cell.formula:
                sheet.write(number, column, xlwt.Formula(cell.formula))  # stores 0
            elif cell.value != "":
                sheet.write(number, column, cell.value, styles[cell.format])
    workbook.save(str(path))


def _write_csv(path: Path, rows: Sequence[Sequence[Cell]], *, encoding: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([show(cell) for cell in row] for row in rows)
    path.write_bytes(text.getvalue().encode(encoding))
