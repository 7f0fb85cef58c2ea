"""What a number looks like in a cell: number formats of spreadsheet programs.

A cell that holds 7 may show ``007``, ``IM0007`` or ``malignant``. What a reader of the sheet sees is what it says.

References:
    ECMA-376 part 1, 18.8.31 (numFmts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

GENERAL = "General"
_COLOUR_OR_CURRENCY = re.compile(
    r"\[(?:\$[^\]-]*(?:-[0-9a-f]+)?|black|blue|cyan|green|magenta|red|white|yellow|color\s?\d+)\]", re.I
)
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_(.)|\*(.)|([0#?.,]+)|(%)|([eE][+-]0+)|([ $€£()+/:-])|(.)', re.DOTALL)
_DIGITS = re.compile(r"[#0,]*(?:\.[0#]*)?")


class _UnknownFormat(ValueError):
    """A format that is not understood here."""


def shown_number(number: str, code: str) -> str | None:
    """The text that a cell with a number shows.

    Args:
        number: The number, as Python writes it.
        code: The number format, such as ``0.00`` or ``"IM"0000``.

    Returns:
        The text, or None if the format is not understood (conditions, fractions, several groups of decimals).
    """
    if code in {"", GENERAL, "@"}:
        return number
    try:
        value = Decimal(number)
        return _show(value, _choose_section(value, code))
    except (InvalidOperation, _UnknownFormat):
        return None


def _choose_section(value: Decimal, code: str) -> tuple[str, bool]:
    """The part of a format that applies, and whether it shows the sign itself."""
    sections = [_COLOUR_OR_CURRENCY.sub("", section) for section in _split_sections(code)]
    if any("[" in _without_literals(section) for section in sections):
        raise _UnknownFormat(code)
    if value < 0 and len(sections) > 1:
        return sections[1], True
    if value == 0 and len(sections) > 2:
        return sections[2], True
    return sections[0], False


def _split_sections(code: str) -> list[str]:
    parts = re.findall(r'((?:"[^"]*"|\\.|[^;"\\])*)(?:;|$)', code)
    return parts[: max(1, code.count(";") + 1)]


def _without_literals(section: str) -> str:
    return re.sub(r'"[^"]*"|\\.', "", section)


def _show(value: Decimal, chosen: tuple[str, bool]) -> str:
    section, is_signed = chosen
    if section.strip().casefold() == GENERAL.casefold():
        return f"{abs(value) if is_signed else value:f}"
    tokens = list(_tokens(section))
    patterns = [text for kind, text in tokens if kind == "digits"]
    if any(kind == "exponent" for kind, _ in tokens) or any(not _DIGITS.fullmatch(text) for text in patterns):
        raise _UnknownFormat(section)
    value = value * 100 ** sum(kind == "percent" for kind, _ in tokens)
    filled = _fill(abs(value), patterns)
    sign = "-" if value < 0 and not is_signed else ""
    return sign + "".join(next(filled) if kind == "digits" else text for kind, text in tokens)


def _tokens(section: str) -> Iterator[tuple[str, str]]:
    for quoted, escaped, space, fill, digits, percent, exponent, plain, other in _TOKEN.findall(section):
        if other:
            raise _UnknownFormat(section)  # letters of dates, @ and what else there is
        if digits:
            yield "digits", digits
        elif percent:
            yield "percent", "%"
        elif exponent:
            yield "exponent", exponent
        elif space:
            yield "literal", " "
        elif not fill:
            yield "literal", quoted or escaped or plain


def _fill(value: Decimal, patterns: list[str]) -> Iterator[str]:
    """The texts of the digit patterns; several of whole digits share the digits from the right (``000-000``)."""
    if len(patterns) > 1:
        if any("." in pattern or "," in pattern for pattern in patterns):
            raise _UnknownFormat(" ".join(patterns))
        sizes = [len(pattern) for pattern in patterns]
        digits = str(value.quantize(Decimal(1), ROUND_HALF_UP)).zfill(sum(sizes))
        start = len(digits) - sum(sizes)
        yield digits[: start + sizes[0]]
        start += sizes[0]
        for size in sizes[1:]:
            yield digits[start : start + size]
            start += size
    elif patterns:
        yield _fill_one(value, patterns[0])


def _fill_one(value: Decimal, pattern: str) -> str:
    whole_pattern, dot, decimals = pattern.partition(".")
    if whole_pattern.endswith(","):
        raise _UnknownFormat(pattern)  # shows thousands as units
    rounded = value.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    whole, _, fraction = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0").zfill(whole_pattern.count("0"))
    if "," in whole_pattern:
        whole = f"{int(whole or 0):,}"
    optional = len(decimals) - len(decimals.rstrip("#"))
    for _ in range(optional):
        fraction = fraction.removesuffix("0") if fraction else fraction
    return whole + dot + fraction
