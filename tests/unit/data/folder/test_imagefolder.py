from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sonoproof.data.folder.imagefolder import printable_name, search_folder
from sonoproof.errors import CohortError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_every_image_of_a_folder_is_found_and_what_is_none_is_counted(tmp_path: Path) -> None:
    images = ("a.gif", "b.JPE", "c.jfif", "d.webp", "sub/deep/e.tiff", "sub.png/f.png")
    contents = search_folder(fill(tmp_path, *images, "notes.txt", "sub/Thumbs.db"))
    assert contents.images == tuple(sorted(images))
    assert contents.others == ("notes.txt",)


def test_hidden_files_and_litter_of_archives_are_neither(tmp_path: Path) -> None:
    contents = search_folder(fill(tmp_path, "a.png", "._a.png", "__MACOSX/a.png", ".cache/a.png", ".DS_Store"))
    assert (contents.images, contents.others) == (("a.png",), ())


def test_links_to_folders_are_named_and_links_to_nothing_are_images(tmp_path: Path) -> None:
    fill(tmp_path, "outside/b.png", "in/a.png")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "outside")
    (tmp_path / "in" / "nowhere.png").symlink_to(tmp_path / "none.png")
    contents = search_folder(tmp_path / "in")
    assert contents.linked_folders == ("linked",)
    assert contents.images == ("a.png", "nowhere.png")


def test_a_subfolder_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.png", "locked/b.png")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked" and real(path, mode))
    with pytest.raises(CohortError, match=r"locked: cannot be read; ask for read permission"):
        search_folder(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_a_name_that_is_no_text_is_written_with_its_bytes() -> None:
    assert printable_name(os.fsdecode("é中".encode() + b"\xe9.png")) == "é中\\xe9.png"
