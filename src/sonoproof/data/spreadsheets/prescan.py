"""Look through a workbook's XML without building it: extent, what is hidden, formats, formulas, links.

The reader proper (calamine) allocates the whole rectangle that the cells span, drops hidden marks, and turns error
values and formulas that were never calculated into empty cells. This scan finds those before it is called. It
streams, keeps no text, and refuses document type declarations, so that no entity is ever expanded.
"""

from __future__ import annotations

import functools
import posixpath
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils import column_index_from_string
from openpyxl.utils.cell import range_boundaries

from sonoproof.data.spreadsheets.container import damage_error
from sonoproof.data.spreadsheets.grid import MAX_COLUMNS
from sonoproof.data.spreadsheets.marks import CellMarks
from sonoproof.data.spreadsheets.numberformats import GENERAL
from sonoproof.errors import SheetError

CHUNK_BYTES = 1 << 20
MAX_REPEATED_ROWS = 1 << 20  # as many as spreadsheet programs have
TRUE = frozenset({"1", "true"})
NOT_VISIBLE = frozenset({"collapse", "filter"})
ODS_NUMBERS = frozenset({"float", "percentage", "currency"})
MAX_LINKED_ROWS = 1 << 16
LINK_FORMULA = re.compile(r'(?:of:)?=?HYPERLINK\(\s*"([^"]+)"', re.IGNORECASE)
UNCALCULATED = "holds a formula without a saved result; open the sheet, let it calculate, and save it"
ERROR_VALUE = "holds an error value, such as #REF! or #N/A; correct its formula"


@dataclass
class SheetScan:
    """What was seen of one worksheet (rows and columns 0-based).

    Attributes:
        rows: Rows up to the last value.
        columns: Columns up to the last value.
        hidden_rows: Rows with a value that are hidden, by hand, by a filter or by a folded outline.
        hidden_columns: Hidden columns.
        troubled: Cells that will read as empty though they are not: (row, column) -> why.
        merged: Merged ranges as ((first row, first column), (last row, last column)).
        marks: Number formats, formulas and links of the cells.
    """

    rows: int = 0
    columns: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    troubled: dict[tuple[int, int], str] = field(default_factory=dict)
    merged: list[tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=list)
    marks: CellMarks = field(default_factory=CellMarks)

    def reach(self, row: int, column: int) -> None:
        """Note a value at a cell."""
        self.rows = max(self.rows, row + 1)
        self.columns = max(self.columns, column + 1)


def scan_xlsx(path: Path) -> dict[str, SheetScan]:
    """Scan every worksheet of an xlsx file; the key is the worksheet's name.

    Raises:
        SheetError: A part of the workbook is damaged or declares a document type.
    """
    scans = {}
    with zipfile.ZipFile(path) as archive:
        worksheets, recalculates = _find_worksheets(path, archive)
        formats = _read_formats(path, archive)
        for name, part in worksheets.items():
            scanner = _XlsxScanner(formats, _read_links(path, archive, part))
            _parse(path, archive, part, scanner.start, scanner.text)
            scanner.finish_cell()
            scans[name] = scanner.scan
            scans[name].marks.recalculates = recalculates
    return scans


def scan_ods(path: Path) -> dict[str, SheetScan]:
    """Scan every table of an ods file; the key is the table's name.

    Raises:
        SheetError: The content is damaged or declares a document type.
    """
    scanner = _OdsScanner()
    with zipfile.ZipFile(path) as archive:
        _parse(path, archive, "content.xml", scanner.start, scanner.text)
    scanner.finish_cell()
    return scanner.scans


def _find_worksheets(path: Path, archive: zipfile.ZipFile) -> tuple[dict[str, str], bool]:
    """Name of each worksheet -> its member of the archive; and whether formulas must be calculated on opening."""
    recalculates = False
    targets: dict[str, str] = {}
    parts: dict[str, str] = {}
    members = set(archive.namelist())

    def relationship(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            target = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", "")))
            targets[attributes.get("Id", "")] = target.lstrip("/")

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        nonlocal recalculates
        if tag == "calcPr":
            recalculates = attributes.get("fullCalcOnLoad") in TRUE
        if tag == "sheet":
            identifier = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            if targets.get(identifier) in members:
                parts[attributes.get("name", "")] = targets[identifier]

    for member, handler in (("xl/_rels/workbook.xml.rels", relationship), ("xl/workbook.xml", sheet)):
        if member not in members:
            raise damage_error(path, f"it lacks {member}")
        _parse(path, archive, member, handler)
    return parts, recalculates


def _read_formats(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """Style of a cell, as its attribute is written -> its number format."""
    codes = {str(number): code for number, code in BUILTIN_FORMATS.items()}
    formats: dict[str, str] = {}
    in_cell_styles = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal in_cell_styles
        if tag == "numFmt":
            codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", GENERAL)
        elif tag in {"cellXfs", "cellStyleXfs", "cellStyles"}:
            in_cell_styles = tag == "cellXfs"
        elif tag == "xf" and in_cell_styles:
            formats[str(len(formats))] = codes.get(attributes.get("numFmtId", "0"), GENERAL)

    if "xl/styles.xml" in archive.namelist():
        _parse(path, archive, "xl/styles.xml", start)
    return formats


def _read_links(path: Path, archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Identifier of each external link of a worksheet -> its target."""
    links: dict[str, str] = {}

    def relationship(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("Type", "").endswith("/hyperlink"):
            links[attributes.get("Id", "")] = attributes.get("Target", "")

    folder, _, name = part.rpartition("/")
    member = f"{folder}/_rels/{name}.rels"
    if member in archive.namelist():
        _parse(path, archive, member, relationship)
    return links


def _parse(
    path: Path,
    archive: zipfile.ZipFile,
    part: str,
    start: Callable[[str, dict[str, str]], None],
    text: Callable[[str], None] | None = None,
) -> None:
    """Give each element that begins in a part, without its prefix, and its text to their handlers."""

    @functools.cache
    def without_prefix(tag: str) -> str:
        return tag.rpartition(":")[2]

    def refuse(*_: object) -> None:
        raise SheetError(
            f"{path}: {part} declares a document type, which no spreadsheet program writes; the file is not opened"
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: start(without_prefix(tag), attributes)
    parser.StartDoctypeDeclHandler = refuse
    parser.CharacterDataHandler = text
    parser.buffer_text = True
    try:
        with archive.open(part) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an unknown encoding, a false number
        raise damage_error(path, f"{part}: {error}") from error


class _XlsxScanner:
    """Follows the elements of a worksheet part (ECMA-376 part 1, 18.3.1).

    A sheet of a million rows has some ten million elements, so the frequent ones come first and do little.
    """

    def __init__(self, formats: Mapping[str, str], links: Mapping[str, str]) -> None:
        self.scan = SheetScan()
        self.formats = formats
        self.links = links
        self.styles: dict[int, str] = {}
        self.in_formula = False
        self.row = self.column = -1
        self.is_hidden = self.hides_rows = False
        self.awaits_result = False  # a formula was seen, its result was not
        self.in_result = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            if self.awaits_result:
                self.finish_cell()
            letters = attributes.get("r", "").rstrip("0123456789")
            self.column = column_index_from_string(letters) - 1 if letters else self.column + 1
            style = attributes.get("s", "0")
            if self.styles.get(self.column) != style:
                self.styles[self.column] = style
                self.scan.marks.note_format(self.row, self.column, self.formats.get(style, GENERAL))
            if attributes.get("t") == "e":
                self.scan.troubled[self.row, self.column] = ERROR_VALUE
        elif tag in {"v", "is", "f"}:
            if self.is_hidden:
                self.scan.hidden_rows.add(self.row)
            if self.row >= self.scan.rows or self.column >= self.scan.columns:
                self.scan.reach(self.row, self.column)
            if tag == "f":
                self.awaits_result = self.in_formula = True
                self.scan.marks.formulas[self.column].append(self.row)
            else:
                self.in_formula = False
                self.in_result = self.awaits_result
        elif tag == "row":
            self._row(attributes)
        elif tag == "col" and (attributes.get("hidden") in TRUE or _is_zero(attributes.get("width"))):
            first, last = int(attributes.get("min", 1)), int(attributes.get("max", 1))
            self.scan.hidden_columns.update(range(first - 1, min(last, MAX_COLUMNS)))
        elif tag == "sheetFormatPr":
            self.hides_rows = attributes.get("zeroHeight") in TRUE
        elif tag == "hyperlink":
            self._link(attributes)

    def text(self, text: str) -> None:
        if self.in_result:
            self.awaits_result = self.in_result = False
        elif self.in_formula:
            target = LINK_FORMULA.match(text)
            if target:
                self.scan.marks.links[self.row, self.column] = target[1]

    def finish_cell(self) -> None:
        if self.awaits_result:
            self.scan.troubled[self.row, self.column] = UNCALCULATED
        self.awaits_result = self.in_result = self.in_formula = False

    def _link(self, attributes: dict[str, str]) -> None:
        """Note an external link for the cells of its range."""
        identifier = next((value for key, value in attributes.items() if key.endswith(":id")), "")
        if identifier in self.links:
            left, top, right, bottom = (limit or 1 for limit in range_boundaries(attributes.get("ref", "A1")))
            for row in range(top - 1, min(bottom, top + MAX_LINKED_ROWS)):
                for column in range(left - 1, right):
                    self.scan.marks.links[row, column] = self.links[identifier]

    def _row(self, attributes: dict[str, str]) -> None:
        self.finish_cell()
        number = attributes.get("r", "")
        self.row = int(number) - 1 if number.isdigit() else self.row + 1
        self.column = -1
        hidden = attributes.get("hidden")
        # A row says for itself whether it is hidden; one that does not is as the sheet says all rows are.
        self.is_hidden = hidden in TRUE or _is_zero(attributes.get("ht")) or (self.hides_rows and hidden is None)


class _OdsScanner:
    """Follows the elements of an OpenDocument table (OpenDocument 1.3 part 3, 9.1), where cells and rows repeat."""

    def __init__(self) -> None:
        self.scans: dict[str, SheetScan] = {}
        self.scan = SheetScan()
        self.row = self.next_row = 0
        self.column = self.next_column = 0
        self.is_hidden = False
        self.number: str | None = None  # of the cell whose text is read
        self.texts: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in {"table", "table-row", "table-cell", "covered-table-cell"}:
            self.finish_cell()
        if tag == "table":
            self.scan = self.scans.setdefault(attributes.get("table:name", ""), SheetScan())
            self.row = self.next_row = self.next_column = 0
        elif tag == "table-row":
            self.row, self.column = self.next_row, 0
            self.next_row += _count(attributes, "table:number-rows-repeated")
            self.is_hidden = attributes.get("table:visibility") in NOT_VISIBLE
        elif tag == "table-column":
            first = self.next_column
            self.next_column += _count(attributes, "table:number-columns-repeated")
            if attributes.get("table:visibility") in NOT_VISIBLE:
                self.scan.hidden_columns.update(range(first, min(self.next_column, MAX_COLUMNS)))
        elif tag in {"table-cell", "covered-table-cell"}:
            self._cell(attributes)
        elif tag == "a" and "xlink:href" in attributes:
            self.scan.marks.links[self.row, self.column - 1] = attributes["xlink:href"]

    def text(self, text: str) -> None:
        if self.number is not None:
            self.texts.append(text)

    def finish_cell(self) -> None:
        """Note the shown text of a cell with a number, if it is not the number."""
        shown = "".join(self.texts).strip()
        if self.number is not None and shown and shown != self.number:
            self.scan.marks.shown[self.row, self.column - 1] = shown
        self.number, self.texts = None, []

    def _cell(self, attributes: dict[str, str]) -> None:
        repeated = _count(attributes, "table:number-columns-repeated")
        spanned = _count(attributes, "table:number-rows-spanned")
        if spanned > 1:
            self.scan.merged.append(((self.row, self.column), (self.row + spanned - 1, self.column)))
        if "office:value-type" in attributes or "table:formula" in attributes:
            self.scan.reach(self.next_row - 1, self.column + repeated - 1)
            if self.is_hidden:
                self.scan.hidden_rows.update(range(self.row, min(self.next_row, self.row + MAX_REPEATED_ROWS)))
        if "table:formula" in attributes:
            self._formula(attributes)
        if attributes.get("office:value-type") in ODS_NUMBERS and repeated == self.next_row - self.row == 1:
            self.number = attributes.get("office:value", "")
        self.column += repeated

    def _formula(self, attributes: dict[str, str]) -> None:
        self.scan.marks.formulas[self.column].append(self.row)
        if "office:value-type" not in attributes:
            self.scan.troubled[self.row, self.column] = UNCALCULATED
        if target := LINK_FORMULA.search(attributes["table:formula"]):
            self.scan.marks.links[self.row, self.column] = target[1]


def _is_zero(size: str | None) -> bool:
    """Whether a height or width is given as nothing."""
    return size is not None and not size.strip("0.")


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return int(text) if text.isdigit() else 1
