"""Files that are not sheets, or are hostile: one clear error, no exhausted memory, nothing read outside."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile

from sonoproof.config import SheetConfig
from sonoproof.data.cohort.cohort import build_cohort
from sonoproof.data.labels.sheet import read_sheet
from sonoproof.errors import CohortError, SheetError

SHEET_PART = "xl/worksheets/sheet1.xml"
STRINGS_PART = "xl/sharedStrings.xml"
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">{}]>'.format(
    "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in ("ab", "bc", "cd", "de"))
)


def read(path: Path) -> None:
    read_sheet(path, config=SheetConfig())


def plain_xlsx() -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in (("imagePath", "Healthy"), ("a.jpg", 1), ("b.jpg", 0)):
        sheet.append(row)
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def with_part(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The plain workbook with one of its parts changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain_xlsx())) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content)
    return changed.getvalue()


def save(folder: Path, content: bytes, name: str = "labels.xlsx") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def test_the_plain_workbook_of_these_tests_is_read(tmp_path: Path) -> None:
    assert len(read_sheet(save(tmp_path, plain_xlsx()), config=SheetConfig()).rows) == 2


def test_password_protected_workbook_says_so(tmp_path: Path) -> None:
    encrypted = io.BytesIO()
    OOXMLFile(io.BytesIO(plain_xlsx())).encrypt("secret", encrypted)
    with pytest.raises(SheetError, match="is protected by a password"):
        read(save(tmp_path, encrypted.getvalue()))


def test_password_protected_ods_says_so(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
        archive.writestr("content.xml", os.urandom(64))
    with pytest.raises(SheetError, match="is protected by a password"):
        read(save(tmp_path, content.getvalue(), "labels.ods"))


def test_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = with_part(SHEET_PART, lambda old: old.replace(b"</sheetData>", b" " * (40 << 20) + b"</sheetData>"))
    assert len(bomb) < 1 << 20
    with pytest.raises(SheetError, match="zip bomb"):
        read(save(tmp_path, bomb))


def test_zip_bomb_that_declares_a_small_size_is_not_unpacked(tmp_path: Path) -> None:
    size = 40 << 20
    bomb = with_part(SHEET_PART, lambda old: b" " * size)
    lying = bomb.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lying != bomb
    with pytest.raises(SheetError, match=r"zip bomb|false size"):
        read(save(tmp_path, lying))


def test_member_with_a_false_size_is_refused(tmp_path: Path) -> None:
    size = 54_321
    false = with_part(SHEET_PART, lambda old: old + b" " * (size - len(old)))
    false = false.replace(size.to_bytes(4, "little"), (size - 1).to_bytes(4, "little"))
    with pytest.raises(SheetError, match=r"false size|damaged"):
        read(save(tmp_path, false))


@pytest.mark.parametrize("part", [SHEET_PART, "xl/workbook.xml"])
def test_document_type_is_refused(tmp_path: Path, part: str) -> None:
    content = with_part(part, lambda old: LAUGHS.encode() + old.partition(b"?>")[2])
    with pytest.raises(SheetError, match="document type"):
        read(save(tmp_path, content))


def test_entities_of_shared_strings_are_not_expanded(tmp_path: Path) -> None:
    def laugh(old: bytes) -> bytes:
        return LAUGHS.encode() + old.partition(b"?>")[2].replace(b"a.jpg", b"&e;")

    try:
        sheet = read_sheet(save(tmp_path, with_part(STRINGS_PART, laugh)), config=SheetConfig())
    except SheetError:
        return
    assert sheet.rows["reference"].str.len().max() < 100


def test_a_value_in_the_last_cell_does_not_allocate_the_sheet(tmp_path: Path) -> None:
    cell = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    with pytest.raises(SheetError, match="XFD1048576"):
        read(save(tmp_path, with_part(SHEET_PART, lambda old: old.replace(b"</sheetData>", cell))))


def test_a_formatted_but_empty_last_cell_is_no_value(tmp_path: Path) -> None:
    cell = b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'
    content = with_part(SHEET_PART, lambda old: old.replace(b"</sheetData>", cell))
    assert len(read_sheet(save(tmp_path, content), config=SheetConfig()).rows) == 2


def test_an_xls_whose_sectors_run_in_a_circle_takes_only_a_process_along(tmp_path: Path) -> None:
    workbook = xlwt.Workbook()
    workbook.add_sheet("Labels").write(0, 0, "imagePath")
    workbook.save(str(tmp_path / "labels.xls"))
    content = bytearray((tmp_path / "labels.xls").read_bytes())
    # MS-CFB 2.2 and 2.3: the first FAT sector's number is at offset 76; sector n begins at 512 * (n + 1). An entry
    # names the sector that follows: here sector 0, where the workbook begins, follows itself.
    fat = 512 * (int.from_bytes(content[76:80], "little") + 1)
    content[fat : fat + 4] = (0).to_bytes(4, "little")
    with pytest.raises(SheetError, match="is damaged"):
        read(save(tmp_path, bytes(content), "labels.xls"))


def test_a_line_of_endless_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="columns; is the file damaged"):
        read(save(tmp_path, b"imagePath,Healthy" + b"," * 100_000 + b"\na.jpg,1\nb.jpg,0\n", "labels.csv"))


def test_damage_anywhere_in_a_workbook_is_one_clear_error(tmp_path: Path) -> None:
    plain = plain_xlsx()
    for position in range(0, len(plain), 97):
        damaged = plain[:position] + bytes([plain[position] ^ 0xFF]) + plain[position + 1 :]
        with contextlib.suppress(SheetError):
            read(save(tmp_path, damaged))


def test_repeated_ods_cells_do_not_allocate_the_sheet(tmp_path: Path) -> None:
    names = 'xmlns:office="o" xmlns:table="t"'
    cell = '<table:table-cell table:number-columns-repeated="16000" office:value-type="float" office:value="1"/>'
    rows = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("content.xml", f'<x {names}><table:table table:name="T">{rows}</table:table></x>')
    with pytest.raises(SheetError, match="spans more cells"):
        read(save(tmp_path, content.getvalue(), "labels.ods"))


@pytest.mark.parametrize("columns", [20_000, 1 << 40])
def test_a_value_beyond_the_last_column_of_an_ods_is_refused(tmp_path: Path, columns: int) -> None:
    names = 'xmlns:office="o" xmlns:table="t"'
    blank = f'<table:table-cell table:number-columns-repeated="{columns}"/>'
    cell = '<table:table-cell office:value-type="float" office:value="1"/>'
    table = f'<table:table table:name="T"><table:table-row>{blank}{cell}</table:table-row></table:table>'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", f"<office:spreadsheet {names}>{table}</office:spreadsheet>")
    with pytest.raises(SheetError, match=r"is empty|more cells"):
        read(save(tmp_path, content.getvalue(), "labels.ods"))


def test_a_cell_beyond_the_last_column_of_an_xlsx_is_refused(tmp_path: Path) -> None:
    cell = b'<row r="4"><c r="ZZZZ4"><v>1</v></c></row></sheetData>'
    with pytest.raises(SheetError, match="ZZZZ"):
        read(save(tmp_path, with_part(SHEET_PART, lambda old: old.replace(b"</sheetData>", cell))))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("labels.xls", b"<html><table><tr><td>imagePath</td></tr></table></html>", "web page"),
        ("labels.xlsx", b"\xff\xd8\xff\xe0" + bytes(100), "JPEG"),
        ("labels.pdf", b"%PDF-1.7 ...", "PDF"),
        ("labels.xlsx", plain_xlsx()[:3000], "damaged"),
        ("labels.zip", b"PK\x03\x04" + bytes(50), "damaged"),
        ("labels.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not a workbook"),
        ("labels.csv", bytes(range(128, 256)) * 3, "not text"),
        ("labels.csv", b'imagePath,Healthy\n"a.jpg,1\n' + b"x" * 200_000, "quotation mark"),
    ],
)
def test_what_is_not_a_sheet_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(SheetError, match=says):
        read(save(tmp_path, content, name))


def test_an_archive_that_is_not_a_workbook_is_named(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(SheetError, match="archive but not a workbook"):
        read(save(tmp_path, content.getvalue()))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    save(tmp_path, plain_xlsx())
    with pytest.raises(SheetError, match=r"did you mean 'labels\.xlsx'"):
        read(tmp_path / "labels.csv")
    with pytest.raises(SheetError, match="is a folder"):
        read(tmp_path)


def test_missing_image_folder(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no such image folder"):
        build_cohort(save(tmp_path, plain_xlsx()), images=tmp_path / "none", config=SheetConfig())


@pytest.mark.parametrize("closed", ["frames", "frames/sub"])
def test_folder_without_read_permission(tmp_path: Path, closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frames" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        (tmp_path / "frames" / name).touch()
    listed = os.scandir

    # Root may read everything, so the system's answer is played.
    def scandir(path: str) -> os._ScandirIterator[str]:
        if Path(path) == tmp_path / closed:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(CohortError, match=r"cannot be read .*read permission"):
        build_cohort(save(tmp_path, plain_xlsx()), images=tmp_path / "frames", config=SheetConfig())


def million_rows_csv(path: Path) -> None:
    with path.open("w") as file:
        file.write("imagePath,Healthy,patient_id\n")
        file.writelines(f"frame{row:07d}.jpg,{row * 7919 >> 3 & 1},{row // 10}\n" for row in range(1_000_000))


def million_rows_xlsx(path: Path) -> None:
    def cells() -> bytes:
        rows = (
            f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>frame{row:07d}.jpg</t></is></c>'
            f'<c r="B{row}"><v>{row * 7919 >> 3 & 1}</v></c><c r="C{row}"><v>{row // 10}</v></c></row>'
            for row in range(4, 1_000_001)
        )
        return "".join(rows).encode() + b"</sheetData>"

    path.write_bytes(with_part(SHEET_PART, lambda old: old.replace(b"</sheetData>", cells())))


READ_AND_MEASURE = """
import resource, sys, time
from pathlib import Path
from sonoproof.config import SheetConfig
from sonoproof.data.labels.sheet import read_sheet
rows = len(read_sheet(Path(sys.argv[1]), config=SheetConfig()).rows)
print(rows, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), [("labels.csv", million_rows_csv), ("labels.xlsx", million_rows_xlsx)])
def test_a_million_rows_within_a_minute_and_two_gigabytes(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    pytest.importorskip("resource", reason="peak memory is not to be had on this system")
    write(tmp_path / name)
    command = [sys.executable, "-c", READ_AND_MEASURE, str(tmp_path / name)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, seconds, peak_bytes = map(float, result.stdout.split())
    assert rows >= 999_990
    assert seconds < 60
    assert peak_bytes < 2e9
