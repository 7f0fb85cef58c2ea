"""The cohort's label sheet, with the same bytes whenever it is written."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from openpyxl import Workbook

from sonoproof.runfolder import atomic_path

COLUMNS = ("imagePath", "Healthy", "patient_id", "clip")

_EPOCH = (1980, 1, 1, 0, 0, 0)
_STAMP = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")


def write_sheet(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows under the header `COLUMNS` as an Excel workbook with one worksheet, ``Sheet1``.

    A workbook carries the time of writing in its properties and in its archive; both are set to fixed values.
    """
    workbook = Workbook(write_only=True)
    worksheet = workbook.create_sheet("Sheet1")
    worksheet.append(COLUMNS)
    for row in rows:
        worksheet.append(tuple(row))
    buffer = io.BytesIO()
    workbook.save(buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_without_times(buffer.getvalue()))


def _without_times(content: bytes) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(result, "w") as target:
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            member = source.read(name)
            if name == "docProps/core.xml":
                member = _STAMP.sub(rb"\g<1>1980-01-01T00:00:00Z\g<2>", member)
            target.writestr(zipfile.ZipInfo(name, _EPOCH), member, zipfile.ZIP_DEFLATED)
    return result.getvalue()
