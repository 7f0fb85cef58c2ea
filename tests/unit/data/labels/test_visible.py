"""Invisible characters count for nothing: one patient stays one patient, one label one label."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from sonoproof.data.folder.references import index_images, match_reference
from sonoproof.data.labels.spelling import unify_groups
from sonoproof.data.labels.vocabulary import find_concept, folded, name_tokens, squeezed
from sonoproof.data.spreadsheets.visible import visible

UNSEEN = (
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066"),
    *("\u2069", "\u061c", "\u034f", "\ufe0f", "\u180e", "\u3164", "\U000e0020", "\U000e0101", "\x00", "\x7f"),
)


@pytest.mark.parametrize("mark", UNSEEN, ids=lambda mark: f"U+{ord(mark):04X}")
def test_a_character_without_width_counts_nowhere(mark: str, tmp_path: Path) -> None:
    (tmp_path / "p001.jpg").touch()
    assert match_reference(index_images(tmp_path), f"p0{mark}01.jpg").file == "p001.jpg"
    assert find_concept(f"mali{mark}gnant") == "malignant"
    assert name_tokens(f"pat{mark}ient_id") == ("patient", "id")
    assert squeezed(f"image{mark}Path") == "imagepath"
    rows = pd.DataFrame({"patient": [f"p0{mark}01", "p001", f"P001{mark}"]}, dtype="str")
    unified, spellings = unify_groups(rows, ["patient"])
    assert unified["patient"].tolist() == ["p001"] * 3
    assert len(spellings["patient"][0]) == 3


def test_a_file_name_may_hold_the_invisible_character_too(tmp_path: Path) -> None:
    (tmp_path / "p0\u200b01.jpg").touch()
    assert match_reference(index_images(tmp_path), "p001.jpg").file == "p0\u200b01.jpg"
    (tmp_path / "p001.jpg").touch()
    assert "matches 2 files" in match_reference(index_images(tmp_path), "p001.jpg").problem


def test_every_ignorable_character_of_the_common_categories_is_covered() -> None:
    missed = [
        code
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
        and visible(f"a{chr(code)}b") not in {"ab", "a b"}
    ]
    prepended = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    assert {code for code in missed if not 0x13430 <= code <= 0x1345F} <= prepended  # these have a shape


def test_width_and_form_are_no_difference() -> None:
    assert visible("Ｐ００１．ｊｐｇ") == "P001.jpg"
    assert visible("p1\u00a0a\u3000b\tc") == "p1 a b c"
    assert visible("fra\u0308u") == visible("fr\u00e4u")
    assert visible("p\u00b2") == "p\u00b2"  # looks different
    assert visible("a／b") == "a／b"  # a slash would divide the path
    assert folded("Ｃｙｓｔ") == "cyst"


def test_a_long_number_that_was_shortened_is_its_value_in_a_group() -> None:
    rows = pd.DataFrame({"patient": ["1.2E+05", "120000", "0120000", "12e4"]}, dtype="str")
    assert unify_groups(rows, ["patient"])[0]["patient"].nunique() == 2
