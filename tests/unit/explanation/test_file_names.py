"""Files of an explained frame are found by the frame's name, whatever that is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoproof.explanation.file_names import FILE_PATTERN, file_stem


@pytest.mark.parametrize(
    ("image_id", "expected"),
    [
        ("p045_c2_f01.png", "top-01-p045_c2_f01"),
        ("test:sub/p045_c2_f01.jpeg", "top-01-p045_c2_f01"),
        ("a\\b\\frame 7 (left).png", "top-01-frame_7_left"),
        ("scan.2024.01.png", "top-01-scan_2024_01"),
        ("卵巣-3.png", "top-01-卵巣-3"),
        ("u\u0308.png", "top-01-ü"),
        ('a<b>:"|?*c.png', "top-01-a_b_c"),
        ("\u202egnp.exe\x07", "top-01-gnp"),
        ("...", "top-01-frame"),
    ],
)
def test_the_frames_own_name_made_safe(image_id: str, expected: str) -> None:
    assert file_stem(image_id, kind="top", rank=1) == expected


@given(st.text(st.characters(codec=None, exclude_categories=[]), max_size=400))
def test_any_image_id_gives_one_short_name_that_is_known_again(image_id: str) -> None:
    name = f"{file_stem(image_id, kind='error', rank=12)}.preview.jpg"
    assert FILE_PATTERN.fullmatch(name)
    assert len(name.encode()) <= 120
    assert not set(name) & set('/\\:*?"<>|\0')


def test_frames_of_one_name_in_different_folders_have_different_files() -> None:
    names = {file_stem(f"{folder}/001.png", kind="top", rank=rank) for rank, folder in enumerate("abc", start=1)}
    assert len(names) == 3
