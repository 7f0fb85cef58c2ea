"""Text and numbers as they stand on the page."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoproof.reporting.wording.text import format_number, format_share, relative_href, visible_text


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_nothing_invisible_is_left(text: str) -> None:
    shown = visible_text(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "M"]), max_size=300))
def test_ordinary_text_is_kept(text: str) -> None:
    assert visible_text(text) == text


def test_hidden_characters_are_named() -> None:
    assert visible_text("a\u202eb\x00") == "a⟨U+202E⟩b⟨U+0000⟩"


def test_endless_text_is_cut_and_said_to_be() -> None:
    assert visible_text("x" * 1000, longest=10) == "xxxxxxxxxx … (990 more characters)"


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ("evaluation/val.json", "evaluation/val.json"),
        ("a b/ü#?.png", "a%20b/%C3%BC%23%3F.png"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("../secret.png", None),
        ("/etc/passwd", None),
        ("a/../../b", None),
        ("", None),
        ('x" onclick="y', "x%22%20onclick%3D%22y"),
    ],
)
def test_links_stay_in_the_run(path: str, href: str | None) -> None:
    assert relative_href(path) == href


def test_numbers_that_are_not_there_are_said_to_be() -> None:
    assert format_number(None) == "undefined"
    assert format_number(float("nan")) == "undefined"
    assert format_number(0.9125) in ("0.912", "0.913")
    assert format_share(0, 0) == "–"
