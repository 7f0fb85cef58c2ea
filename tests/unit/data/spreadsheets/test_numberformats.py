"""Numbers as cells show them; a format that is not understood counts as none."""

from __future__ import annotations

import pytest

from sonoproof.data.spreadsheets.numberformats import shown_number


@pytest.mark.parametrize(
    ("number", "code", "shown"),
    [
        ("1.1", "General", "1.1"),
        ("1.1", "0.00", "1.10"),
        ("1.1", "0.0", "1.1"),
        ("1.125", "0.00", "1.13"),
        ("7", "000", "007"),
        ("7", "0", "7"),
        ("1234", "#,##0", "1,234"),
        ("1234.5", "#,##0.00", "1,234.50"),
        ("0.5", "0%", "50%"),
        ("0.5", "0.0%", "50.0%"),
        ("7", '"IM"0000', "IM0007"),
        ("7", 'IM0000', None),
        ("7", r"\P000", "P007"),
        ("7", '"p"00".png"', "p07.png"),
        ("-7", "0", "-7"),
        ("-7", "0;(0)", "(7)"),
        ("1", '"malignant";;"benign"', "malignant"),
        ("0", '"malignant";;"benign"', "benign"),
        ("1", '[=1]"yes";"no"', None),
        ("7", "[Red]000", "007"),
        ("12.5", "# ?/?", None),
        ("123456", "000-000", "123-456"),
        ("1234567", "000-000", "1234-567"),
        ("1.5", "0.###", "1.5"),
        ("1.5", "0.0##", "1.5"),
        ("1.2e+17", "0", "120000000000000000"),
        ("1234567", "0.00E+00", None),
        ("1500", "0,", None),
        ("7", "yyyy", None),
        ("0", "#", ""),
    ],
)  # fmt: skip
def test_shown(number: str, code: str, shown: str | None) -> None:
    assert shown_number(number, code) == shown
