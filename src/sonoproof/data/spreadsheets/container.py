"""What kind of file a label sheet is, and whether it is safe to open.

The content decides, not the suffix. An archive is measured before anything parses it: its members are decompressed
piece by piece and counted, because the sizes an archive declares may be false.
"""

from __future__ import annotations

import codecs
import copy
import lzma
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path

from sonoproof.errors import SheetError

MAX_TEXT_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 1 << 30
# Spreadsheet XML rarely shrinks by more than a factor of 60; small archives may shrink by any factor.
MAX_RATIO = 200
RATIO_FREE_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_MAGIC = b"PK\x03\x04"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
TEXT_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Beginnings, in small letters, of what is saved or downloaded under the name of a spreadsheet but is not one.
OTHER_KINDS = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89png": "a PNG image",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"rar!": "a RAR archive",
    b"%pdf": "a PDF document",
    b"{\\rtf": "a text document",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<table": "a web page",
    b"<?xml": "an XML document",
}
# What zipfile raises on damaged archives; NotImplementedError is a RuntimeError.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError)
SUPPORTED = "save it as xlsx, xls, ods or csv"


class ContainerKind(StrEnum):
    """The kinds of file a label sheet can come in."""

    XLSX = "xlsx"
    XLS = "xls"
    ODS = "ods"
    CSV = "csv"


def detect_kind(path: Path) -> ContainerKind:
    """Tell the kind of a label sheet from its content.

    Raises:
        SheetError: The file is missing, empty, unreadable, password-protected, or not a sheet of a supported kind.
    """
    beginning = _read_beginning(path)
    if beginning.startswith(OLE_MAGIC):
        return _check_ole(path)
    if beginning.startswith(ZIP_MAGIC):
        return _detect_kind_of_zip(path)
    text = beginning.lstrip(codecs.BOM_UTF8 + b" \r\n\t").lower()
    for start, what in OTHER_KINDS.items():
        if text.startswith(start):
            raise SheetError(f"{path}: this is {what}, not a sheet; open it in a spreadsheet program and {SUPPORTED}")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise SheetError(f"{path}: is larger than {MAX_TEXT_BYTES >> 30} GiB; is it the right file?")
    return ContainerKind.CSV


def damage_error(path: Path, why: object) -> SheetError:
    """The error for a damaged sheet."""
    return SheetError(f"{path}: is damaged ({why}); open it in a spreadsheet program and save it again")


def password_error(path: Path) -> SheetError:
    """The error for a sheet protected by a password."""
    return SheetError(f"{path}: is protected by a password; open it, remove the password and save it again")


def check_archive(path: Path) -> None:
    """Refuse an archive that unpacks to far more than a sheet needs, or to sizes other than it declares.

    Raises:
        SheetError: The archive is a decompression bomb, damaged or encrypted.
    """
    unpacked = 0
    with _open_zip(path) as archive:
        if any(member.flag_bits & 1 for member in archive.infolist()):
            raise password_error(path)
        _check_size(path, sum(member.file_size for member in archive.infolist()))
        for member in archive.infolist():
            unpacked += _unpacked_bytes(path, archive, member, allowance=MAX_UNPACKED_BYTES - unpacked)
            _check_size(path, unpacked)


def _read_beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            beginning = file.read(512)
    except FileNotFoundError as error:
        raise SheetError(f"{path}: there is no such file{_suggest_neighbour(path)}") from error
    except IsADirectoryError as error:
        raise SheetError(f"{path}: is a folder; give the path of the sheet itself") from error
    except OSError as error:
        raise SheetError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not beginning:
        raise SheetError(f"{path}: is empty (0 bytes)")
    return beginning


def _suggest_neighbour(path: Path) -> str:
    same = [other.name for other in path.parent.glob("*") if other.stem.casefold() == path.stem.casefold()]
    return f"; did you mean {same[0]!r}?" if same else ""


def _check_ole(path: Path) -> ContainerKind:
    content = path.read_bytes()
    if ENCRYPTED_STREAM in content:
        raise password_error(path)
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise SheetError(f"{path}: is an old Office file but not a workbook; open it and {SUPPORTED}")
    return ContainerKind.XLS


def _detect_kind_of_zip(path: Path) -> ContainerKind:
    with _open_zip(path) as archive:
        names = set(archive.namelist())
        if "xl/workbook.xml" in names:
            return ContainerKind.XLSX
        if "content.xml" in names:
            _refuse_encrypted_ods(path, archive)
            return ContainerKind.ODS
    if "xl/workbook.bin" in names:
        raise SheetError(f"{path}: is a binary workbook (xlsb), which cannot be read here; open it and {SUPPORTED}")
    raise SheetError(f"{path}: is an archive but not a workbook; unpack it and give the path of the sheet in it")


def _refuse_encrypted_ods(path: Path, archive: zipfile.ZipFile) -> None:
    if "META-INF/manifest.xml" in archive.namelist():
        with archive.open("META-INF/manifest.xml") as manifest:
            if b"encryption-data" in manifest.read(CHUNK_BYTES):
                raise password_error(path)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except DAMAGE as error:
        raise damage_error(path, error) from error


def _unpacked_bytes(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, allowance: int) -> int:
    """Bytes that a member really unpacks to; reading stops when the allowance is used up."""
    probe = copy.copy(member)
    probe.file_size = allowance + 1  # zipfile stops at the declared size; the parser behind us would not
    size = 0
    try:
        with archive.open(probe) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                size += len(chunk)
                _check_ratio(path, size, member)
                if size > allowance:
                    break
    except DAMAGE as error:
        raise damage_error(path, f"{member.filename!r}: {error}") from error
    if size <= allowance and size != member.file_size:
        raise SheetError(f"{path}: {member.filename!r} declares a false size; open the sheet and save it again")
    return size


def _check_ratio(path: Path, size: int, member: zipfile.ZipInfo) -> None:
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(member.compress_size, 1):
        raise SheetError(
            f"{path}: {member.filename!r} unpacks to more than {MAX_RATIO} times its size, like a zip bomb; it"
            " is not opened"
        )


def _check_size(path: Path, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES:
        raise SheetError(
            f"{path}: unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB, like a zip bomb; it is not opened; if the"
            " sheet is genuine, save it as csv"
        )
