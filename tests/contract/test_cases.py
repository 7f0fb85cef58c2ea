"""Sheets in forms that people brought: each gives the right labels, quarantined rows or a question, never a wrong one.

They are read, and nothing is trained. Without the folder they are skipped; the other tests make the same kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from tests.support.shared import SHARED

from sonoproof.config import FramesConfig, SheetConfig
from sonoproof.data.cohort.cohort import Cohort, build_cohort
from sonoproof.data.folder.imagefolder import search_folder
from sonoproof.data.frames.one_pass import FramesRead, find_depth, read_frames
from sonoproof.errors import SonoproofError

CASES = SHARED.parent / "cases"


def nothing_more(_: Cohort) -> bool:
    return True


@dataclass(frozen=True)
class Form:
    """A sheet and what must come of it: parts of the error, or what holds for the cohort.

    Attributes:
        sheet: The sheet, in the folder of the cases.
        says: What the error must say, in this order; empty if the sheet is to be read.
        quarantined: How many rows are quarantined for a reason that has these words.
        holds: What else holds for the cohort.
        images: Its folder of images, beside it.
    """

    sheet: str
    says: Sequence[str] = ()
    config: SheetConfig = field(default_factory=SheetConfig)
    quarantined: tuple[int, str] = (0, "")
    holds: Callable[[Cohort], bool] = nothing_more
    images: str = "images"


SPLIT, FINDING, TWO, HIDDEN = (
    "01-split-flag-as-label",
    "02-finding-as-label",
    "03-two-label-columns-disagree",
    "07-hidden-rows-columns",
)
PLANE = SheetConfig(label_column="Plane", positive="Fetal brain")


def given(column: str) -> SheetConfig:
    return SheetConfig(label_column="Plane", positive="Fetal brain", split_column=column)


FORMS = [
    *(
        Form(
            f"{SPLIT}/{name}.csv", says=["name the right one with --label-column", "'Plane'", "--split-column", column]
        )
        for name, column in (("train", "Train"), ("is_test", "is_test"), ("split2", "split"), ("fold", "fold"))
    ),
    Form(
        f"{SPLIT}/train.csv", config=PLANE, holds=lambda cohort: cohort.inferred["unused_columns"] == {"Train": "split"}
    ),
    *(
        Form(
            f"{SPLIT}/{name}.csv",
            config=given(column),
            holds=lambda cohort: set(cohort.records["given_split"]) >= {"fit"},
        )
        for name, column in (("train", "Train"), ("is_test", "is_test"), ("split2", "split"))
    ),
    Form(f"{SPLIT}/fold.csv", config=given("fold"), holds=lambda cohort: cohort.records["given_split"].nunique() == 5),
    *(
        Form(f"{FINDING}/{name}.xlsx", says=["'Classification'", "--positive", "'benign'", "'malignant'", "'normal'"])
        for name in "abc"
    ),
    Form(f"{TWO}/a.xlsx", quarantined=(5, "label contradicts 'Label': it says")),
    *(Form(f"{HIDDEN}/a.{kind}", holds=lambda cohort: cohort.inferred["hidden_rows"] == 8) for kind in ("xls", "xlsx")),
    *(
        Form(f"{HIDDEN}/a.{kind}", config=SheetConfig(hidden_rows="drop"), quarantined=(8, "is hidden in the sheet"))
        for kind in ("xls", "xlsx")
    ),
    *(Form(f"{HIDDEN}/c.{kind}", says=["'Healthy', which is hidden", "--label-column"]) for kind in ("xls", "xlsx")),
]


NUMBERS, FORMULAS, UNKNOWN, LISTED, SEVERAL, SUFFIXES = (
    "04-number-cell-1.10",
    "06-formula-result-zero",
    "19-minus-one-99",
    "20-two-labels-one-cell",
    "21-several-images-one-cell",
    "23-converted-suffix",
)
UNSEEN = frozenset("\u200b\u200d\u00ad\u00a0")
CYST, EFFUSION = (
    SheetConfig(label_column="finding", positive="cyst"),
    SheetConfig(label_column="Effusion", positive="1"),
)
WITHOUT_LISTS = SheetConfig(label_column="finding", positive="cyst", exclude_labels=("cyst;solid", "cyst, solid"))
ROWS, NEAR = SheetConfig(several_images="rows"), SheetConfig(near_names=True)
CONVERTED, MISTYPED = ("aDCM", "aavi", "adcm", "amp4", "anii_gz"), ("blank_before_suffix", "dot_after", "two_dots")
BOTH, CODE, STORED = "write the names: '1.1.jpg', '1.10.jpg'", "code for 'not known'", "no spreadsheet program stored"
OFFER = "take such names with --near-names"


def used(rows: int, *, groups: int = 0, files: Mapping[int, str] | None = None) -> Callable[[Cohort], bool]:
    """So many rows are used, of so many groups, these with these files; no label holds what cannot be seen."""

    def holds(cohort: Cohort) -> bool:
        records = cohort.records
        found = dict(zip(records["sheet_row"], records["image_id"], strict=True))
        return (
            len(records) == rows
            and (not groups or records[cohort.group_columns[0]].nunique() == groups)
            and all(found.get(row) == file for row, file in (files or {}).items())
            and UNSEEN.isdisjoint("".join(records["label"]))
        )

    return holds


FORMS += [
    Form(f"{NUMBERS}/i.xlsx", quarantined=(2, BOTH), holds=used(10, files={3: "1.2.jpg", 12: "1.11.jpg"})),
    *(Form(f"{NUMBERS}/ii.{kind}", quarantined=(1, BOTH)) for kind in ("xls", "xlsx")),
    *(Form(f"{FORMULAS}/{name}", quarantined=(24, STORED), holds=used(24)) for name in ("ii.xlsx", "i0.xls")),
    Form("09-code-pages/cp1251.csv", config=SheetConfig(positive="злокачественная"), holds=used(48, groups=12)),
    *(Form(f"09-code-pages/{name}.csv", holds=used(48, groups=12)) for name in ("gbk", "utf8")),
    Form("10-strict-open-xml/equal_strict.xlsx", says=["none of the 24 references", "'f00.png'"]),
    *(Form(f"{UNKNOWN}/{name}.xlsx", config=EFFUSION, quarantined=(5, CODE), holds=used(40)) for name in ("m1", "m99")),
    Form(f"{UNKNOWN}/m1.xlsx", says=["--label-column", "'Effusion'"]),
    *(
        Form(f"{UNKNOWN}/m1_healthy.xlsx", config=SheetConfig(positive=positive), quarantined=(5, CODE), holds=used(40))
        for positive in (None, "1")
    ),
    Form(f"{LISTED}/a.xlsx", config=CYST, says=["--exclude-label", "'cyst;solid'", "'cyst, solid'"]),
    Form(f"{LISTED}/a.xlsx", config=WITHOUT_LISTS, quarantined=(10, "--exclude-label"), holds=used(38)),
    Form(f"{SEVERAL}/mixed.xlsx", quarantined=(2, "names several files"), holds=used(40)),
    *(
        Form(f"{SEVERAL}/{name}.xlsx", says=["names several files", "--several-images rows"])
        for name in ("semi", "paths")
    ),
    *(Form(f"{SEVERAL}/{name}.xlsx", config=ROWS, holds=used(48)) for name in ("mixed", "semi", "paths")),
    *(Form(f"{SUFFIXES}/{name}.xlsx", says=[OFFER, "48 of them nearly name one file each"]) for name in CONVERTED),
    *(Form(f"{SUFFIXES}/{name}.xlsx", config=NEAR, holds=used(48, files={3: "IM001.png"})) for name in CONVERTED),
    *(Form(f"{SUFFIXES}/{name}.xlsx", says=["48 of them nearly name"], images="plain") for name in MISTYPED),
    *(
        Form(f"{SUFFIXES}/{name}.xlsx", config=NEAR, holds=used(48, files={3: "001.jpg"}), images="plain")
        for name in MISTYPED
    ),
    Form(f"{SUFFIXES}/dbl.xlsx", config=NEAR, holds=used(48, files={3: "001.jpg.jpg"}), images="dbl"),
    Form(f"{SUFFIXES}/mixed.xlsx", quarantined=(16, OFFER), holds=used(32), images="mixed"),
    Form(f"{SUFFIXES}/mixed.xlsx", config=NEAR, holds=used(48), images="mixed"),
    *(Form(f"40-invisible-characters/{name}.xlsx", holds=used(48, groups=12)) for name in "ad"),
]


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not on this machine")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.sheet)
def test_a_form_that_people_brought(form: Form) -> None:
    sheet = CASES / form.sheet
    if form.says:
        with pytest.raises(SonoproofError) as raised:
            build_cohort(sheet, images=sheet.parent / form.images, config=form.config)
        _assert_in_order(str(raised.value), form.says)
        return
    cohort = build_cohort(sheet, images=sheet.parent / form.images, config=form.config)
    cohort.check_accounts()
    count, reason = form.quarantined
    assert cohort.quarantine["reason"].str.contains(reason, regex=False).sum() == count or not reason
    assert form.holds(cohort)


def _assert_in_order(text: str, parts: Sequence[str]) -> None:
    at = 0
    for part in parts:
        at = text.find(part, at)
        assert at >= 0, f"{part!r} is missing, or comes too early, in: {text}"


def frames_of(folder: str, sheet: str, images: str = "images") -> FramesRead:
    """The frames of a case, each read once."""
    cohort = build_cohort(CASES / folder / sheet, images=CASES / folder / images, config=SheetConfig())
    return read_frames(cohort.records, config=FramesConfig(workers=1), bits=12)


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not on this machine")
def test_damaged_frames_are_quarantined() -> None:
    read = frames_of("12-jpeg-damaged-inside", "a.xlsx")
    assert len(read.quarantine) == 6
    assert read.quarantine["reason"].str.startswith("is damaged (").all()


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not on this machine")
def test_one_depth_for_all_frames_of_a_clip() -> None:
    files = sorted(str(path) for path in (CASES / "14-sixteen-bit-depth" / "images").iterdir())
    depth = find_depth(files, config=FramesConfig(workers=1))
    assert (depth.bits, depth.agreed) == (12, True)
    read = frames_of("14-sixteen-bit-depth", "equal.xlsx")
    assert (read.records["overlay"] > 0.01).sum() == 12
    assert len(read.quarantine) == 0


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not on this machine")
def test_companions_and_litter_are_no_samples() -> None:
    masks = build_cohort(
        CASES / "15-masks-beside-frames" / "a.xlsx",
        images=CASES / "15-masks-beside-frames" / "images",
        config=SheetConfig(),
    )
    assert masks.inferred["images_not_in_sheet"] == 0
    assert masks.inferred["left_out"]["masks"].startswith("28: ")
    contents = search_folder(CASES / "16-thumbnails-of-drives" / "test")
    assert all(name.startswith("p0") for name in contents.images)
    assert len(contents.images) == 12


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not on this machine")
@pytest.mark.parametrize(("sheet", "images"), [("dic.xlsx", "alldicom"), ("dic2.xlsx", "alldicom")])
def test_dicom_is_named_whatever_the_file_is_called(sheet: str, images: str) -> None:
    read = frames_of("18-archive-without-suffix", sheet, images)
    assert len(read.records) == 0
    assert set(read.quarantine["reason"]) == {"is a DICOM file; save it as PNG"}


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not on this machine")
def test_content_decides_where_there_is_no_suffix() -> None:
    assert len(frames_of("18-archive-without-suffix", "vi.xlsx", "allnosuffix").quarantine) == 0
    reasons = set(frames_of("18-archive-without-suffix", "a.xlsx").quarantine["reason"])
    assert {reason.partition(",")[0] for reason in reasons} >= {"is a JPEG of 12 bits per sample", "is a lossless JPEG"}
