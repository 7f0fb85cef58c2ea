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
from enum import Enum
from pathlib import Path

from sonoproof.errors import SheetError

__all__ = ["ContainerKind", "check_archive", "kind_of_file"]

MAX_TEXT_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 1 << 30
# Spreadsheet XML rarely shrinks by more than a factor of 60; small archives may do what they like.
MAX_RATIO = 200
RATIO_FREE_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_MAGIC = b"PK\x03\x04"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
TEXT_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Beginnings of what is saved or downloaded under a spreadsheet's name though it is none.
FOREIGN_BEGINNINGS = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<table": "a web page",
    b"<?xml": "an XML document",
    b"%pdf": "a PDF document",
    b"{\\rtf": "a text document",
}
BINARY_MAGICS = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
}
# What zipfile raises on damaged archives.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # NotImplementedError is one
)
SUPPORTED = "save the sheet as xlsx, xls, ods or csv"


class ContainerKind(Enum):
    """The kinds of file a label sheet can come in."""

    XLSX = "xlsx"
    XLS = "xls"
    ODS = "ods"
    CSV = "csv"


def kind_of_file(path: Path) -> ContainerKind:
    """Tell the kind of a label sheet from its content.

    Raises:
        SheetError: The file is missing, empty, unreadable, password-protected, or no sheet of a supported kind.
    """
    beginning = _beginning(path)
    if beginning.startswith(OLE_MAGIC):
        return _kind_of_ole(path)
    if beginning.startswith(ZIP_MAGIC):
        return _kind_of_zip(path)
    for magic, what in BINARY_MAGICS.items():
        if beginning.startswith(magic):
            raise SheetError(f"{path}: is {what}, not a sheet; {SUPPORTED}")
    for start, what in FOREIGN_BEGINNINGS.items():
        if beginning.lstrip(codecs.BOM_UTF8 + b" \r\n\t").lower().startswith(start):
            raise SheetError(
                f"{path}: is {what} under a sheet's name; open it in a spreadsheet program and {SUPPORTED}"
            )
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise SheetError(f"{path}: is larger than {MAX_TEXT_BYTES >> 30} GiB; is it the right file?")
    return ContainerKind.CSV


def check_archive(path: Path) -> None:
    """Refuse an archive that unpacks to far more than a sheet needs, or to other sizes than it declares.

    Raises:
        SheetError: The archive is a decompression bomb, damaged or encrypted.
    """
    unpacked = 0
    with _open_zip(path) as archive:
        if any(member.flag_bits & 1 for member in archive.infolist()):
            raise _password_error(path)
        _check_size(path, sum(member.file_size for member in archive.infolist()))
        for member in archive.infolist():
            unpacked += _unpacked_bytes(path, archive, member, allowance=MAX_UNPACKED_BYTES - unpacked)
            _check_size(path, unpacked)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            beginning = file.read(512)
    except FileNotFoundError as error:
        raise SheetError(f"{path}: there is no such file{_neighbour(path)}") from error
    except IsADirectoryError as error:
        raise SheetError(f"{path}: is a folder; name the sheet file in it") from error
    except OSError as error:
        raise SheetError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not beginning:
        raise SheetError(f"{path}: is empty (0 bytes)")
    return beginning


def _neighbour(path: Path) -> str:
    same = [other.name for other in path.parent.glob("*") if other.stem.casefold() == path.stem.casefold()]
    return f"; did you mean {same[0]!r}?" if same else ""


def _kind_of_ole(path: Path) -> ContainerKind:
    content = path.read_bytes()
    if ENCRYPTED_STREAM in content:
        raise _password_error(path)
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise SheetError(f"{path}: is an old Office file but no workbook; {SUPPORTED}")
    return ContainerKind.XLS


def _kind_of_zip(path: Path) -> ContainerKind:
    with _open_zip(path) as archive:
        names = set(archive.namelist())
        if "xl/workbook.xml" in names:
            return ContainerKind.XLSX
        if "content.xml" in names:
            _refuse_encrypted_ods(path, archive)
            return ContainerKind.ODS
    if "xl/workbook.bin" in names:
        raise SheetError(f"{path}: is a binary workbook (xlsb), which is not read; {SUPPORTED}")
    raise SheetError(f"{path}: is an archive but no workbook; {SUPPORTED}")


def _refuse_encrypted_ods(path: Path, archive: zipfile.ZipFile) -> None:
    if "META-INF/manifest.xml" not in archive.namelist():
        return
    with archive.open("META-INF/manifest.xml") as manifest:
        if b"encryption-data" in manifest.read(CHUNK_BYTES):
            raise _password_error(path)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except DAMAGE as error:
        raise SheetError(f"{path}: is damaged ({error}); save it again") from error


def _unpacked_bytes(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, allowance: int) -> int:
    """Bytes that a member really unpacks to; reading stops where the allowance ends."""
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
        raise SheetError(f"{path}: is damaged in {member.filename!r} ({error}); save it again") from error
    if size <= allowance and size != member.file_size:
        raise SheetError(f"{path}: {member.filename!r} declares a false size; the archive is not trusted")
    return size


def _check_ratio(path: Path, size: int, member: zipfile.ZipInfo) -> None:
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(member.compress_size, 1):
        raise SheetError(
            f"{path}: {member.filename!r} unpacks to more than {MAX_RATIO} times its size, as a zip bomb does;"
            " the file is not opened"
        )


def _check_size(path: Path, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES:
        raise SheetError(
            f"{path}: unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB, as a zip bomb does; the file is not"
            " opened; if the sheet is genuine, save it as csv"
        )


def _password_error(path: Path) -> SheetError:
    return SheetError(f"{path}: is protected by a password; open it, remove the password and save it again")
