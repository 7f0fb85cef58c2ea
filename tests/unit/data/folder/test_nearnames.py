"""Names that nearly fit are offered one to one; cells with several names are told apart from names with blanks."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonoproof.data.folder.nearnames import pair_near_names
from sonoproof.data.folder.references import index_images, match_reference
from sonoproof.data.folder.severalnames import split_names


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        ("IM000.dcm", "IM000.png"),
        ("IM000.DCM", "im000.png"),
        ("IM000.nii.gz", "IM000.png"),
        ("IM000.avi", "IM000.jpg"),
        ("001.jpg", "001.jpg.jpg"),
        ("001.png", "001.png.jpg"),
        ("001 .jpg", "001.jpg"),
        ("001.", "001.jpg"),
        ("001..jpg", "001.jpg"),
        ("img 1.jpg", "img_1.jpg"),
        ("img-1", "img_1.jpg"),
        ("img_1.jpg", "img_001.jpg"),
        ("study/IM1.dcm", "IM1.png"),
        (r"C:\Sub\IM1.dcm", "sub/IM1.png"),
    ],
)
def test_near_names(reference: str, file: str) -> None:
    assert pair_near_names([reference], unmatched=[reference], files=[file, "other.png"]) == {reference: file}


@pytest.mark.parametrize(
    ("references", "files"),
    [
        (["a.dcm", "a.avi"], ["a.png"]),
        (["a.dcm"], ["a.png", "a.jpg"]),
        (["a.dcm"], ["p/a.png", "q/a.png"]),
        (["img_1", "img_01"], ["img_001.png"]),
        (["a.dcm"], ["b.png"]),
        (["1.dcm"], ["11.png"]),
        (["p/a.dcm"], ["q/a.png"]),
        ([".dcm"], [".png"]),
    ],
)
def test_what_is_not_one_to_one_is_not_offered(references: list[str], files: list[str]) -> None:
    assert pair_near_names(references, unmatched=references, files=files) == {}


def test_a_file_that_another_row_names_is_not_offered() -> None:
    assert pair_near_names(["a.png", "a.dcm"], unmatched=["a.dcm"], files=["a.png"]) == {}


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a.jpg;b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg; b.jpg;", ["a.jpg", "b.jpg"]),
        ("a.jpg,b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg\nb.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg | b.jpg", ["a.jpg", "b.jpg"]),
        ("['a.jpg', 'b.jpg']", ["a.jpg", "b.jpg"]),
        ("a.jpg b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg and b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg & b.jpg", ["a.jpg", "b.jpg"]),
        ("a;b", ["a", "b"]),
        ("a/b", ["a", "b"]),
        ("x/a.jpg;x/b.jpg;x/c.jpg", ["x/a.jpg", "x/b.jpg", "x/c.jpg"]),
        ("my scan 1.jpg my scan 2.jpg", ["my scan 1.jpg", "my scan 2.jpg"]),
        ("a.jpg", []),
        ("p, left.jpg", []),
        ("my scan.jpg", []),
        ("a.jpg.jpg", []),
        ("video.avi/frame.jpg", []),
        ("a.jpg - d.jpg", []),
        ("c;d.jpg", []),
    ],
)
def test_cells_with_several_names(cell: str, names: list[str]) -> None:
    there = {"a", "b", "a.jpg", "b.jpg", "p, left.jpg"}
    assert list(split_names(cell, there.__contains__)) == names


@pytest.mark.parametrize(
    "cell", ["x/a.jpg;x/b.jpg", "a.jpg;b.jpg", "a.jpg, b.jpg", "a.jpg - d.jpg", "a.jpg…b.jpg", "a.jpg/b.jpg", "a\nb"]
)
def test_a_cell_with_several_names_matches_none_of_them(tmp_path: Path, cell: str) -> None:
    for name in ("a.jpg", "b.jpg", "d.jpg"):
        (tmp_path / name).touch()
    match = match_reference(index_images(tmp_path), cell)
    assert match.file == ""
    assert "names several files" in match.problem
    assert "--several-images rows" in match.problem


@pytest.mark.parametrize(
    ("files", "number", "shown", "file"),
    [
        (["1.1.jpg", "1.10.jpg"], "1.1", "", ""),
        (["1.1.jpg", "1.10.jpg"], "1.1", "1.10", "1.10.jpg"),
        (["1.1.jpg", "1.10.jpg"], "1.1", "1.1", "1.1.jpg"),
        (["1.1.jpg", "1.10.jpg"], "1.1", "1.100", ""),
        (["1.10.jpg", "1.2.jpg"], "1.1", "", ""),  # 1.1.jpg may be missing
        (["1.10.jpg", "1.2.jpg"], "1.1", "1.10", "1.10.jpg"),
        (["01.1.jpg"], "1.1", "", "01.1.jpg"),
        (["7.jpg", "007.jpg"], "7", "", ""),
        (["7.jpg", "007.jpg"], "7", "007", "007.jpg"),
        (["1.jpg", "1.0.jpg"], "1", "", ""),
        (["1.jpg", "1.0.jpg"], "1", "1.0", "1.0.jpg"),
        (["sub/007.jpg", "8.jpg"], "7", "", "sub/007.jpg"),
        (["3.50.jpg"], "3.5", "3.50", "3.50.jpg"),
    ],
)
def test_a_number_that_several_names_are_equal_to(
    tmp_path: Path, files: list[str], number: str, shown: str, file: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    index = index_images(tmp_path)
    assert match_reference(index, number, is_number=True, shown=shown).file == file
    if not shown and not file and f"{number}.jpg" in files:
        assert "a number that several files have" in match_reference(index, number, lost_zeros=True).problem
        assert match_reference(index, number).file == f"{number}.jpg"
