"""References and files: a swapped image is worse than a missing one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoproof.data.folder.references import FileIndex, index_images, match_reference, suggest_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "frames"


def index_of(folder: Path, *names: str) -> FileIndex:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return index_images(folder)


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("sub/../a.jpg", "a.jpg"),
        ('"a.jpg"', "a.jpg"),
        ("b.jpg", "sub/b.jpg"),
        ("sub/b", "sub/b.jpg"),
        (r"SUB\B.JPG", "sub/b.jpg"),
        (r"D:\x\sub\b.jpg", "sub/b.jpg"),
        (r"\\server\share\sub\b.jpg", "sub/b.jpg"),
        ("/home/x/sub/b.jpg", "sub/b.jpg"),
        ("file:///C:/x/sub/b.jpg", "sub/b.jpg"),
        ("https://x.org/a%2Ejpg?x=../b.jpg#c", "a.jpg"),
        ("img.v2", "img.v2.png"),
        ("img.v2.tif", "img.v2.png"),
    ],
)
def test_a_reference_finds_its_file(folder: Path, reference: str, file: str) -> None:
    index = index_of(folder, "a.jpg", "sub/b.jpg", "img.v2.png")
    assert match_reference(index, reference).file == file


@pytest.mark.parametrize("reference", ["other/a.jpg", "p/a.jpg"])
def test_a_folder_that_contradicts_is_no_match(folder: Path, reference: str) -> None:
    match = match_reference(index_of(folder, "sub/a.jpg"), reference)
    assert match.file == ""
    assert "matches no file" in match.problem


def test_the_nearer_path_wins(folder: Path) -> None:
    index = index_of(folder, "a.jpg", "p/a.jpg", "q/p/a.jpg")
    assert match_reference(index, "a.jpg").file == "a.jpg"
    assert match_reference(index, "p/a.jpg").file == "p/a.jpg"
    assert match_reference(index, "/x/q/p/a.jpg").file == "q/p/a.jpg"
    assert match_reference(index, "q/P/A.jpg").file == "q/p/a.jpg"


def test_several_files_are_a_question_that_names_them(folder: Path) -> None:
    match = match_reference(index_of(folder, "p/a.jpg", "q/a.jpg"), "a.jpg")
    assert match.file == ""
    assert "'p/a.jpg', 'q/a.jpg'" in match.problem


@pytest.mark.parametrize(
    "reference", ["..", "../a.jpg", "../frames/a.jpg", r"..\a.jpg", "sub/../../a.jpg", "/../a.jpg/.."]
)
def test_what_climbs_out_of_the_folder_matches_nothing(folder: Path, reference: str) -> None:
    index = index_of(folder, "a.jpg")
    (folder.parent / "a.jpg").touch()
    assert match_reference(index, reference).file == ""


@given(st.text(alphabet="./\\abjpgAB:%~ \u0000\u0301é", max_size=14))
def test_no_reference_ever_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, reference: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "given"
    index = index_of(folder, "a.jpg", "b/a.jpg")
    assert match_reference(index, reference).file in {"", "a.jpg", "b/a.jpg"}


def test_unicode_forms_are_no_difference(folder: Path) -> None:
    match = match_reference(index_of(folder, "fr\u00e4ulein.jpg"), "fra\u0308ulein.jpg")
    assert (match.file, match.how) == ("fr\u00e4ulein.jpg", "as written")


def test_leading_zeros_are_kept_in_text_and_forgiven_in_numbers(folder: Path) -> None:
    index = index_of(folder, "007.jpg", "sub/008.jpg")
    assert match_reference(index, "7").file == ""
    assert match_reference(index, "7", is_number=True).file == "007.jpg"
    assert match_reference(index, "8", is_number=True).file == "sub/008.jpg"


def test_links_are_judged_by_where_they_lead(folder: Path) -> None:
    index_of(folder, "a.jpg", "sub/b.jpg")
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "c.jpg").touch()
    (folder / "inside.jpg").symlink_to(folder / "a.jpg")
    (folder / "out.jpg").symlink_to(outside / "c.jpg")
    (folder / "nowhere.jpg").symlink_to(folder / "none.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "linked").symlink_to(outside)
    index = index_images(folder)
    assert match_reference(index, "inside.jpg").file == "inside.jpg"
    for name in ("out.jpg", "nowhere.jpg", "loop.jpg"):
        assert "link that leads out" in match_reference(index, name).problem
    assert "linked folder" in match_reference(index, "linked/c.jpg").problem
    assert index.files == ("a.jpg", "inside.jpg", "sub/b.jpg")


def test_an_image_folder_that_is_itself_a_link_is_read(folder: Path) -> None:
    index_of(folder, "a.jpg")
    linked = folder.parent / "linked"
    linked.symlink_to(folder)
    assert index_images(linked).files == ("a.jpg",)


def test_hidden_files_and_other_files_are_no_images(folder: Path) -> None:
    index = index_of(folder, "a.JPG", "._a.jpg", ".cache/b.jpg", "__MACOSX/c.jpg", "Thumbs.db", "a.txt")
    assert index.files == ("a.JPG",)
    assert index.others == {"a.txt"}


def test_a_file_name_that_is_no_text_is_set_apart(folder: Path) -> None:
    folder.mkdir()
    try:
        Path(os.fsdecode(bytes(folder) + b"/\xff.jpg")).touch()
    except OSError:
        pytest.skip("the file system takes only names in Unicode")
    assert index_images(folder).unwritable == ("\\xff.jpg",)


def test_suggestions(folder: Path) -> None:
    index = index_of(folder, "sub/patient_01.jpg", "zzz.jpg")
    assert suggest_file(index, "patient_O1.jpg") == "sub/patient_01.jpg"
    assert suggest_file(index, "something else") == ""


def test_equal_names_in_many_folders_do_not_slow_the_search(tmp_path: Path) -> None:
    index = index_of(tmp_path, *(f"p{patient}/01.jpg" for patient in range(2000)))
    start = time.process_time()
    for patient in range(2000):
        assert match_reference(index, f"C:/study/p{patient}/01.jpg").file == f"p{patient}/01.jpg"
    assert time.process_time() - start < 2
