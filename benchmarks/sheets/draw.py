"""Drawing a label sheet, the folder beside it, and what is true of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benchmarks.sheets.othercolumns import SECOND, add_other_columns, add_second_labels, take_name_away
from benchmarks.sheets.writers import Cell

from sonoproof.config import SheetConfig

INVISIBLE = ("\u200b", "\u200c", "\u200d", "\ufeff", "\u00ad", "\u2060", "\u200e", "\u202c", "\ufe0f")
UNKNOWN = (
    *("-1", "9", "99", "-9", "999", "88", "NA", "n/a", "?", ".", "unsure", "unknown", "#N/A", "pending", "not done"),
    *("unbekannt", "k.A.", "inconnu", "desconocido", "未知", "не известно", "-", "  "),
)


@dataclass
class Row:
    """What is true of a row of the sheet.

    Attributes:
        files: The files that it names, relative to the folder; empty if none can be known to be meant.
        positive: Whether its label is that of the positive class; None if the label is not known.
        patient: Its patient.
    """

    files: tuple[str, ...]
    positive: bool | None
    patient: str


@dataclass
class Drawn:
    """A random sheet.

    Attributes:
        table: Its cells, with what lies above the table.
        suffix: Of its file.
        encoding: Of a csv file.
        files: The files of the folder.
        truth: Row of the sheet, 1-based -> what is true of it.
        config: How it is read.
        traps: Kinds of difficulty that were put into it.
    """

    table: list[list[Cell]]
    suffix: str
    encoding: str
    files: list[str]
    truth: dict[int, Row]
    config: SheetConfig
    traps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Coding:
    """How a column of labels is written.

    Attributes:
        header: Names of the column.
        positive: Spellings of positive labels; a spelling is text or a number.
        negative: Spellings of negative labels.
        flags: Settings that the user must give.
    """

    header: tuple[str, ...]
    positive: tuple[Any, ...]
    negative: tuple[Any, ...]
    flags: dict[str, Any] = field(default_factory=dict)


CODINGS = (
    Coding(("Healthy", "is_healthy", "Normal"), (0,), (1,)),
    Coding(("Healthy",), ("no", "No", "nein"), ("yes", "Yes", "ja")),
    Coding(("PCOS", "pneumonia", "Malignant"), (1,), (0,)),
    Coding(("PCOS",), ("yes", "YES"), ("no", "No ")),
    Coding(("label", "class", "target"), (1,), (0,)),
    Coding(("label",), ("1", "1.0"), ("0", "0.0")),
    Coding(("label",), (1,), (0,), {"positive": "1"}),
    Coding(("diagnosis", "Pathology", "class"), ("malignant", "Malignant"), ("benign", "BENIGN ")),
    Coding(("diagnosis",), ("PCOS", "pcos"), ("normal", "Normal")),
    Coding(("Diagnose",), ("bösartig",), ("gutartig",)),
    Coding(("label",), ("cyst",), ("solid", "none"), {"positive": "cyst"}),
    Coding(("BIRADS",), ("4A", "4b", 5), (2, 3), {"positive": "4A,4B,5", "label_column": "BIRADS"}),
    Coding(("grade",), (3, 4), (1, 2), {"positive": "3,4", "label_column": "grade"}),
)


def _named(pattern: str) -> Callable[[int, int], str]:
    return lambda patient, frame: pattern.format(patient, frame, 100 * patient + frame)


PATTERNS = (
    *("p{0:03}_f{1}.jpg", "{2:04}.jpg", "{2}.png", "{0}.{1}.jpg", "IM{2:04}.png", "{0}/{1:02}.jpg"),
    *("sub/img {2}.jpg", "Fräulein_{0}_{1}.jpg", "图像{2}.jpg", "US-{0}({1}).bmp"),
)
NAMES = tuple(map(_named, PATTERNS))


def draw_sheet(rng: np.random.Generator) -> Drawn:
    """Draw a sheet with up to four traps."""
    coding = CODINGS[rng.integers(len(CODINGS))]
    name = NAMES[rng.integers(len(NAMES))]
    suffix, encoding = _draw_format(rng)
    drawn = _plain(rng, coding, name, suffix, encoding)
    names = sorted(TRAPS)
    chosen = set(rng.choice(names, size=int(rng.integers(0, 5)), replace=False).tolist())
    for trap in filter(chosen.__contains__, TRAPS):  # in this order
        if TRAPS[trap](rng, drawn, coding):
            drawn.traps.append(trap)
    _add_space_above(rng, drawn)
    return drawn


def _draw_format(rng: np.random.Generator) -> tuple[str, str]:
    suffix = str(rng.choice([".xlsx", ".csv", ".ods", ".xls"], p=[0.55, 0.3, 0.13, 0.02]))
    return suffix, str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030"])) if suffix == ".csv" else ""


def _plain(
    rng: np.random.Generator, coding: Coding, name: Callable[[int, int], str], suffix: str, encoding: str
) -> Drawn:
    header = str(rng.choice(coding.header))
    table = [[Cell(str(rng.choice(["image", "filename", "imagePath"]))), Cell(header), Cell("patient_id")]]
    truth, files = {}, []
    number_names = bool(rng.integers(2))
    for patient in range(1, int(rng.integers(8, 14))):
        positive = bool(patient % 2)
        for frame in range(1, int(rng.integers(2, 5))):
            file = name(patient, frame)
            files.append(file)
            spellings = coding.positive if positive else coding.negative
            spelling = spellings[len(table) % len(spellings)]
            table.append([_reference(file, number_names), Cell(spelling), Cell(f"P{patient:03}")])
            truth[len(table)] = Row((file,), positive, f"P{patient:03}")
    config = SheetConfig(**coding.flags)
    drawn = Drawn(table, suffix, encoding, files, truth, config)
    if encoding in {"cp1252", "gb18030"}:
        drawn.encoding = _possible_encoding(drawn)
    return drawn


def _possible_encoding(drawn: Drawn) -> str:
    text = "".join(str(cell.value) for row in drawn.table for cell in row)
    try:
        text.encode(drawn.encoding)
    except UnicodeEncodeError:
        return "utf-8"
    return drawn.encoding


def _reference(file: str, as_number: bool) -> Cell:
    """A file's name, or the number that a spreadsheet program makes of it."""
    stem = file.rpartition(".")[0]
    if as_number and stem.replace(".", "", 1).isdigit():
        value = float(stem)
        return Cell(int(value) if value.is_integer() else value)
    return Cell(file)


def _add_space_above(rng: np.random.Generator, drawn: Drawn) -> None:
    above = [[Cell("Labels of the study"), Cell(""), Cell("")]] if rng.random() < 0.2 else []
    drawn.table[:0] = above
    drawn.truth = {row + len(above): truth for row, truth in drawn.truth.items()}


def _rows(rng: np.random.Generator, drawn: Drawn, n: int) -> list[int]:
    """Some rows of the table, 1-based."""
    return sorted(int(row) for row in rng.choice(sorted(drawn.truth), size=min(n, len(drawn.truth)), replace=False))


def _set(drawn: Drawn, row: int, column: int, **changed: Any) -> None:
    cell = drawn.table[row - 1][column]
    drawn.table[row - 1][column] = Cell(**{**cell.__dict__, **changed})


def _hide_in(rng: np.random.Generator, text: str) -> str:
    place = int(rng.integers(len(text) + 1))
    return text[:place] + str(rng.choice(INVISIBLE)) + text[place:]


def _invisible(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Invisible characters in references, labels, patients and column names."""
    if drawn.suffix == ".csv":
        drawn.encoding = drawn.encoding if drawn.encoding.startswith("utf") else "utf-8"
    for row in [1, *_rows(rng, drawn, 8)]:
        column = int(rng.integers(3))
        value = drawn.table[row - 1][column].value
        if isinstance(value, str) and value.strip():
            _set(drawn, row, column, value=_hide_in(rng, value))
    return True


def _unknown(rng: np.random.Generator, drawn: Drawn, coding: Coding) -> bool:
    """Labels that are not known."""
    word = str(rng.choice(UNKNOWN))
    if drawn.suffix == ".csv" and not drawn.encoding.startswith("utf"):
        drawn.encoding = "utf-8"
    for row in _rows(rng, drawn, int(rng.integers(1, 9))):
        as_number = word.lstrip("-").isdigit() and all(isinstance(value, int) for value in coding.positive)
        _set(drawn, row, 1, value=int(word) if as_number else word, formula="")
        drawn.truth[row].positive = None
    return True


def _extra(rng: np.random.Generator, drawn: Drawn, coding: Coding) -> bool:
    """A value beside the labels: 2 beside 0 and 1, or a word nobody explains."""
    value = 2 if coding.positive[0] in (0, 1) else str(rng.choice(["possible", "see report", "3"]))
    if coding.flags.get("positive") == "cyst" or "BIRADS" in coding.header or "grade" in coding.header:
        return False  # there the rest is negative, as the user said
    for row in _rows(rng, drawn, int(rng.integers(1, 4))):
        _set(drawn, row, 1, value=value, formula="")
        drawn.truth[row].positive = None
    return True


def _list_of_labels(rng: np.random.Generator, drawn: Drawn, coding: Coding) -> bool:
    """Two labels in one cell."""
    mark = str(rng.choice(["; ", ",", "/", " + ", "\n", " | "]))
    for row in _rows(rng, drawn, 2):
        _set(drawn, row, 1, value=f"{coding.positive[0]}{mark}{coding.negative[0]}", formula="")
        drawn.truth[row].positive = None
    return True


def _range_of_grades(rng: np.random.Generator, drawn: Drawn, coding: Coding) -> bool:
    """Ranges and incomplete grades."""
    if coding.header[0] not in {"BIRADS", "grade"}:
        return False
    for row in _rows(rng, drawn, 2):
        _set(drawn, row, 1, value=str(rng.choice(["3-4", ">=3", "3+", "2-5", "5?", "4/5"])), formula="")
        drawn.truth[row].positive = None
    return True


def _spelling(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Case, blanks and folders in references."""
    forms = ("{upper}", "  {name} ", "C:\\study\\{name}", "./{name}", "https://x.org/s/{name}?raw=1")
    form = forms[rng.integers(len(forms))]
    for row in _rows(rng, drawn, 10):
        value = drawn.table[row - 1][0].value
        if isinstance(value, str) and drawn.truth[row].files == (value,):
            _set(drawn, row, 0, value=form.format(name=value, upper=value.upper()))
    return True


def _missing(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Images that are not in the folder, beside others that are named nearly alike."""
    for row in _rows(rng, drawn, 3):
        for file in drawn.truth[row].files:
            if file in drawn.files:
                drawn.files.remove(file)
                stem, _dot, suffix = file.rpartition(".")
                drawn.files.append(
                    str(
                        rng.choice(
                            [
                                f"{stem}_2.{suffix}",
                                f"x{file}",
                                f"{stem}0.{suffix}" if "." in stem else f"{stem}a.{suffix}",
                            ]
                        )
                    )
                )
        drawn.truth[row].files = ()
    return True


def _decoys(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Further files: with other zeros, another suffix, or in another folder."""
    for file in rng.choice(drawn.files, size=3).tolist():
        stem, _dot, suffix = file.rpartition(".")
        drawn.files.append(
            str(rng.choice([f"0{file}", f"{stem}0.{suffix}", f"{stem}.tif", f"other/{file}", f"{stem}b.{suffix}"]))
        )
    return True


def _number_format(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Number formats for references that are numbers; 1.10 is 1.1."""
    code = str(rng.choice(["0.00", "000"]))
    changed = False
    for row in drawn.truth:
        if not isinstance(drawn.table[row - 1][0].value, str):
            _set(drawn, row, 0, format=code)
            changed = True
    return changed


def _trailing_zeros(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Frame 10 of a patient beside frame 1, as numbers: both cells hold 1.1."""
    if not any(isinstance(row[0].value, float) for row in drawn.table[1:]):
        return False
    for row in list(drawn.truth):
        value, truth = drawn.table[row - 1][0].value, drawn.truth[row]
        if isinstance(value, float) and truth.files and truth.files[0].endswith(".1.jpg"):
            drawn.files.append(truth.files[0].replace(".1.jpg", ".10.jpg"))
            if rng.random() < 0.5:
                truth.files = (drawn.files[-1],)
    return True


def _duplicates(rng: np.random.Generator, drawn: Drawn, coding: Coding) -> bool:
    """Rows twice, some with the other label."""
    for row in _rows(rng, drawn, 3):
        drawn.table.append(list(drawn.table[row - 1]))
        truth = drawn.truth[row]
        drawn.truth[len(drawn.table)] = Row(truth.files, truth.positive, truth.patient)
        if rng.random() < 0.5 and truth.positive is not None:
            other = coding.negative if truth.positive else coding.positive
            _set(drawn, len(drawn.table), 1, value=other[0], formula="")
            truth.positive = drawn.truth[len(drawn.table)].positive = None
    return True


def _formulas(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Labels that are calculated, with the result that a library stores."""
    if drawn.suffix == ".csv":
        return False
    for row in _rows(rng, drawn, 12):
        _set(drawn, row, 1, value=0, formula=f"IF(D{row}>12,1,0)")
        drawn.truth[row].positive = None
    return True


def _links(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Links that lead to the file of another row."""
    if drawn.suffix not in {".xlsx", ".ods"}:
        return False
    rows = _rows(rng, drawn, 4)
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        names_one = isinstance(drawn.table[row - 1][0].value, str) and len(drawn.truth[row].files) < 2
        if names_one and drawn.truth[other].files:
            _set(drawn, row, 0, link=f"../frames/{drawn.truth[other].files[0]}")
            if drawn.truth[row].files != drawn.truth[other].files:
                drawn.truth[row].files = ()
    return True


def _several_images(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """Cells that list two images."""
    mark = str(rng.choice([";", ", ", "\n", " | ", " "]))
    rows = _rows(rng, drawn, 4)
    for row, other in zip(rows[::2], rows[1::2], strict=False):
        both = [drawn.table[at - 1][0].value for at in (row, other)]
        same = drawn.truth[row].positive == drawn.truth[other].positive and drawn.truth[row].positive is not None
        if (
            all(isinstance(value, str) for value in both)
            and same
            and not any(drawn.table[at - 1][0].link for at in (row, other))
        ):
            _set(drawn, row, 0, value=mark.join(map(str, both)))
            drawn.truth[row].files += drawn.truth[other].files
    drawn.config = SheetConfig(**{**drawn.config.__dict__, "several_images": str(rng.choice(["quarantine", "rows"]))})
    return True


def _no_suffix(rng: np.random.Generator, drawn: Drawn, _: Coding) -> bool:
    """References with another suffix, or with that of the video or the DICOM file."""
    suffix = str(rng.choice(["", ".png", ".dcm", ".avi", ".jpg.jpg", " .jpg"]))
    for row in drawn.truth:
        value = drawn.table[row - 1][0].value
        if isinstance(value, str) and drawn.truth[row].files == (value,) and "." in value:
            _set(drawn, row, 0, value=value.rpartition(".")[0] + suffix)
    drawn.config = SheetConfig(**{**drawn.config.__dict__, "near_names": bool(rng.integers(2))})
    return True


# The images that are missing come before the files with more zeros, and both rows of a duplicate stay alike.
TRAPS: dict[str, Callable[[np.random.Generator, Drawn, Coding], bool]] = {
    "invisible characters": _invisible,
    "labels not known": _unknown,
    "a value beside the labels": _extra,
    "two labels in a cell": _list_of_labels,
    "ranges of grades": _range_of_grades,
    "spelling of references": _spelling,
    "missing images": _missing,
    "decoy files": _decoys,
    "number formats": _number_format,
    "trailing zeros": _trailing_zeros,
    "calculated labels": _formulas,
    "links": _links,
    "several images in a cell": _several_images,
    "other suffixes": _no_suffix,
    "other columns": add_other_columns,
    SECOND: add_second_labels,
    "labels without a name": take_name_away,
    "duplicate rows": _duplicates,
}
