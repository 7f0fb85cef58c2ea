"""What a value of the label column is: "not known" is never a class, and what may be positive is never negative."""

from __future__ import annotations

import re

import pytest

from sonoproof.classes import Classes
from sonoproof.data.labels.coding import LabelCoding, code_labels
from sonoproof.data.labels.labelvalues import LabelColumn, LabelValue
from sonoproof.data.labels.notknown import find_codes, says_not_known
from sonoproof.errors import CohortError, ConfigError, SheetError


def code(column: str, counts: dict[str, int], **named: object) -> LabelCoding:
    values = [LabelValue(text, count, row) for row, (text, count) in enumerate(counts.items(), start=2)]
    return code_labels(values, column=LabelColumn(column, "B"), **named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "NA",
            "n/a",
            "N.A.",
            "#N/A",
            "#NV",
            "#REF!",
            "#¡VALOR!",
            "?",
            "??",
            ".",
            ".a",
            "-",
            "—",
            "…",
            "***",
            "_",
            "(?)",
        ),
        *("unsure", "Unknown", "unknown.", "not known", "Not done", "pending", "PENDING ", "refused", "don't know"),
        *("9 = unknown", "99 (not known)", "-1: unknown", "<NA>", "NaN", "null", "not assessed", "no data", "to do"),
        *("benign?", "possible", "probably", "see report", "vielleicht"),
        *(
            "unbekannt",
            "k.A.",
            "keine Angabe",
            "nicht beurteilbar",
            "weiß nicht",
            "inconnu",
            "non renseigné",
            "en attente",
        ),
        *(
            "desconocido",
            "no sabe",
            "NS/NC",
            "sin datos",
            "pendiente",
            "sconosciuto",
            "non noto",
            "desconhecido",
            "n.v.t.",
        ),
        *(
            "неизвестно",
            "нет данных",
            "н/д",
            "未知",
            "不明",
            "不详",
            "모름",
            "brak danych",
            "bilinmiyor",
            "un\u200bknown",
        ),
    ],
)
def test_words_and_marks_for_not_known(text: str) -> None:
    assert says_not_known(text)
    coding = code("label", {"0": 50, "1": 40, text: 30}, positive="1")
    assert set(coding.labels) == {"0", "1"}
    assert coding.unusable[text] == "is marked as unknown"


@pytest.mark.parametrize(
    "text",
    ["0", "1", "none", "no", "not cyst", "normal", "negative", "no cyst", "+", "x", "grade 9", "B", "unhealthy",
     "nodule", "nan1", "pendulous", "NASH", "naevus", "9", "unilateral", "not infected", "without finding", "keine"],
)  # fmt: skip
def test_words_that_are_labels(text: str) -> None:
    assert not says_not_known(text)


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ("0 1 -1", "-1"),
        ("0 1 9", "9"),
        ("0 1 99 -99", "99 -99"),
        ("0 1 8 9", "8 9"),
        ("0 1 88 999", "88 999"),
        ("0 1 2 -9", "-9"),
        ("0 1 2 9", "9"),
        ("0 1 77", "77"),
        ("1 2 97 98", "97 98"),
        ("1 2 3 4 5 9", "9"),
        ("yes no 9", "9"),
        ("benign malignant -1 99", "-1 99"),
        ("0.0 1.0 -1.0", "-1.0"),
        # Not codes.
        ("0 1 2", ""),
        ("0 1 2 3 4 5 6 7 8 9", ""),
        ("1 2 3 4 5 7", ""),
        ("7 8 9", ""),
        ("8 9 10", ""),
        ("98 99 100", ""),
        ("0 1", ""),
        ("benign malignant", ""),
    ],
)
def test_numbers_that_are_codes(values: str, codes: str) -> None:
    assert find_codes(values.split()).certain == set(codes.split())


@pytest.mark.parametrize("column", ["label", "Healthy", "PCOS"])
@pytest.mark.parametrize("positive", [None, "1", "0"])
@pytest.mark.parametrize("unknown", ["-1", "9", "99", "-9", "999", "-99", "88", "8", "-1.0"])
def test_a_code_is_never_a_class(column: str, positive: str | None, unknown: str) -> None:
    coding = code(column, {"0": 30, "1": 30, unknown: 40}, positive=positive)
    assert set(coding.labels) == {"0", "1"}
    assert "code for 'not known'" in coding.unusable[unknown]


@pytest.mark.parametrize(("known", "unknown"), [("1", "-1"), ("1", "9"), ("0", "99"), ("1", "-9")])
def test_beside_one_value_a_code_is_a_question(known: str, unknown: str) -> None:
    with pytest.raises(SheetError, match="--negative") as raised:
        code("Effusion", {known: 30, unknown: 30}, positive=known)
    assert [fault.value for fault in raised.value.faults] == [unknown]
    with pytest.raises(SheetError, match="--positive"):
        code("Effusion", {known: 30, unknown: 30})
    coding = code("Effusion", {known: 30, unknown: 30}, positive=known, negative=unknown)
    assert coding.labels[unknown] == coding.classes.negative


def test_a_code_that_is_named_is_a_label() -> None:
    coding = code("label", {"0": 30, "1": 30, "-1": 40}, positive="-1")
    assert coding.labels == {"0": "not label -1", "1": "not label -1", "-1": "label -1"}


@pytest.mark.parametrize(("extra", "positive"), [("2", "1"), ("maybe not", "yes"), ("3", "0"), ("sometimes", "yes")])
def test_what_is_neither_yes_nor_no_is_no_class(extra: str, positive: str) -> None:
    no, yes = ("0", "1") if positive in "01" else ("no", "yes")
    coding = code("label", {no: 60, yes: 50, extra: 5}, positive=positive)
    assert set(coding.labels) == {no, yes}
    assert "is neither" in coding.unusable[extra]
    with pytest.raises(SheetError, match="--exclude-label") as raised:
        code("label", {no: 60, yes: 50, extra: 50}, positive=positive)
    assert [fault.problem for fault in raised.value.faults] == ["says neither yes nor no (50 row(s))"]
    settled = code("label", {no: 60, yes: 50, extra: 50}, positive=positive, excluded=(extra,))
    assert settled.unusable == {extra: "is left out with --exclude-label"}


@pytest.mark.parametrize(
    "cell",
    ["cyst;solid", "cyst, solid", "cyst/solid", "cyst + solid", "solid\ncyst", "solid & cyst", "Cyst|solid",
     "solid and cyst", "simple cyst", "cyst (small)", "cy\u200bst; solid", "probably cyst", "solid und cyst"],
)  # fmt: skip
def test_a_cell_that_contains_the_positive_value_is_a_question(cell: str) -> None:
    counts = {"cyst": 20, "solid": 10, "none": 10, cell: 5}
    with pytest.raises(SheetError, match="--exclude-label") as raised:
        code("finding", counts, positive="cyst")
    assert [fault.value for fault in raised.value.faults] == [cell]
    left_out = code("finding", counts, positive="cyst", excluded=(cell,))
    assert left_out.labels == {"cyst": "cyst", "solid": "not cyst", "none": "not cyst"}
    named = code("finding", counts, positive="cyst", negative="solid,none")
    assert cell in named.unusable


@pytest.mark.parametrize(
    "cell", ["no cyst", "non-cyst", "cystic", "cyst-free", "without cyst", "polycyst", "solid; hyst"]
)
def test_a_cell_that_only_looks_alike_is_none(cell: str) -> None:
    assert code("finding", {"cyst": 20, "solid": 10, cell: 5}, positive="cyst").labels[cell] == "not cyst"


@pytest.mark.parametrize(
    ("positive", "counts", "asked"),
    [
        ("4", {"2": 9, "3": 9, "4": 9, "4a": 5}, {"4a"}),
        ("4a", {"2": 9, "3": 9, "4": 9, "4a": 9}, {"4"}),
        ("4", {"2": 9, "3": 9, "4": 9, "3-4": 5}, {"3-4"}),
        ("4", {"2": 9, "3": 9, "4": 9, ">=3": 5, ">=5": 2}, {">=3", ">=5"}),
        ("4", {"2": 9, "3": 9, "4": 9, "3+": 5, "<4": 5}, {"3+", "<4"}),
        ("4a,4b", {"2": 9, "3": 9, "4a": 9, "4b": 5, "4c": 5, "5": 5}, {"4c", "5"}),
        ("3,4", {"1": 9, "2": 9, "3": 9, "4": 9, "5 or 6": 2}, {"5 or 6"}),
        ("4,5", {"0": 9, "3": 9, "4": 9, "5": 5}, {"0"}),
        ("BI-RADS 4", {"BI-RADS 3": 9, "BI-RADS 4": 9, "BI-RADS 5": 5}, {"BI-RADS 5"}),
        ("4,5", {"1": 9, "2": 9, "4": 9, "5": 5}, set()),
    ],
)
def test_grades(positive: str, counts: dict[str, int], asked: set[str]) -> None:
    if not asked:
        assert code("BIRADS", counts, positive=positive).classes == Classes("not BIRADS 4 or 5", "BIRADS 4 or 5")
        return
    with pytest.raises(SheetError) as raised:
        code("BIRADS", counts, positive=positive)
    assert {fault.value for fault in raised.value.faults} == asked


def test_values_are_joined() -> None:
    coding = code("BIRADS", {"2": 9, "3": 9, "4A": 9, "4B": 5, "5": 5}, positive="4a, 4B,5")
    assert coding.classes == Classes("not BIRADS 4A, 4B or 5", "BIRADS 4A, 4B or 5")
    assert {text for text, name in coding.labels.items() if name == coding.classes.positive} == {"4A", "4B", "5"}
    other = code("score", {"4b": 3, "2": 2, "4c": 1}, positive="4a, 4B,5", classes=coding.classes)
    assert other.labels == {"4b": coding.classes.positive, "2": coding.classes.negative}
    words = code("class", {"a": 5, "b": 5, "c": 5, "d": 1}, positive="a,b", negative="c")
    assert words.labels == {"a": "a or b", "b": "a or b", "c": "c"}
    assert "is neither" in words.unusable["d"]


def test_a_value_with_a_comma_is_one_value() -> None:
    counts = {"cyst, solid": 9, "none": 9, "other": 9}
    assert code("finding", counts, positive="cyst,solid").classes.positive == "cyst, solid"
    with pytest.raises(ConfigError, match="quotation marks"):
        code("finding", {**counts, "cyst": 9, "solid": 9}, positive="cyst,solid")
    both = code("finding", {**counts, "cyst": 9, "solid": 9}, positive='cyst,"cyst, solid"', negative="none,solid")
    assert {text for text, name in both.labels.items() if name == both.classes.positive} == {"cyst", "cyst, solid"}


def test_labels_of_a_test_sheet_are_as_strict() -> None:
    classes = Classes("not cyst", "cyst")
    coding = code("finding", {"cyst": 5, "solid": 5, "cyst; solid": 2, "?": 1, "99": 1}, classes=classes)
    assert coding.labels == {"cyst": "cyst", "solid": "not cyst"}
    assert set(coding.unusable) == {"cyst; solid", "?", "99"}


@pytest.mark.parametrize("text", ["=IF(C3>12,1,0)", "=C3", "= $B$2+1", "=WENN(C3>12;1;0)"])
def test_the_text_of_a_formula_is_no_label(text: str) -> None:
    assert "text of a formula" in code("label", {"1": 9, "0": 9, text: 9}, positive="1").unusable[text]


def test_a_class_is_named_without_what_cannot_be_seen() -> None:
    assert code("class", {"nor\u200bmal": 9, "PC\u00adOS": 9}).classes == Classes("normal", "PCOS")


def test_plus_and_minus() -> None:
    coding = code("PCOS", {"+": 9, "-": 9, "?": 2})
    assert coding.labels == {"+": "pcos", "-": "not pcos"}
    assert set(coding.unusable) == {"?"}
    assert set(code("PCOS", {"1": 9, "0": 9, "-": 2}).unusable) == {"-"}


def test_what_was_set_aside_is_named_where_one_class_is_left() -> None:
    with pytest.raises(CohortError, match=re.escape("(no labels: 'unknown'; name those that are")):
        code("label", {"1": 5, "unknown": 5})


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"negative": "b"}, "needs --positive"),
        ({"positive": "a", "negative": "a"}, "name each value once"),
        ({"positive": "a", "excluded": ("q",)}, "'q' is not a value"),
        ({"positive": "a,q"}, "'q' is not a value"),
        ({"positive": "a", "negative": "q"}, "--negative 'q'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_an_error(named: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        code("class", {"a": 5, "b": 5, "c": 5}, **named)
