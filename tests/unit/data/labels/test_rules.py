"""The rules about columns and values: the documentation shows the tables that the code decides by."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.support.shared import ROOT

from sonoproof.data.labels.coding import CODING_RULES
from sonoproof.data.labels.columnrules import (
    IMAGE_RULES,
    LABEL_RULES,
    RULES,
    ColumnRule,
    LabelEvidence,
    find_rule,
    image_facts,
    label_facts,
)
from sonoproof.data.labels.givensplit import PART_WORDS
from sonoproof.data.labels.groupcolumns import GROUP_RULES
from sonoproof.data.labels.openquestions import QUESTIONS
from sonoproof.data.labels.purposes import PURPOSES
from sonoproof.data.labels.valuerules import VALUE_RULES

PAGE = ROOT / "docs" / "data.md"


def tables(header: str) -> list[list[tuple[str, ...]]]:
    """The rows of every table of the page that has this header."""
    blocks = PAGE.read_text(encoding="utf-8").split(header + "\n")[1:]
    rows = [block.partition("\n\n")[0].splitlines()[1:] for block in blocks]
    return [[tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table] for table in rows]


def as_rows(rules: tuple[ColumnRule, ...]) -> list[tuple[str, ...]]:
    return [(str(int(rule.evidence)), rule.reason) for rule in rules]


def test_the_page_shows_the_rules_of_the_code() -> None:
    assert tables("| evidence | because |") == [as_rows(IMAGE_RULES), as_rows(LABEL_RULES)]
    words = [(purpose.title, ", ".join((purpose.words + " " + purpose.whole).split()) or "–") for purpose in PURPOSES]
    assert tables("| a column for | has one of these words in its name |") == [words]
    parts = [(f"`{part}`", ", ".join(words.split())) for part, words in PART_WORDS.items()]
    assert tables("| part | its names |") == [parts]
    assert tables("| a group column is not used if |") == [[(rule.when,) for rule in GROUP_RULES]]
    assert list(RULES) == ["image", "label", "other", "split", "group"]
    assert f"Evidence of {min(e for e in LabelEvidence if e.is_reason)} or more is enough" in PAGE.read_text("utf-8")
    assert tables("| the label column | what its values mean |") == [
        [(rule.column, rule.meaning) for rule in CODING_RULES]
    ]
    assert tables("| a value that | is |") == [[(rule.value, rule.outcome) for rule in VALUE_RULES]]
    assert tables("| beside a positive value, a value that |") == [[(question.value,) for question in QUESTIONS]]


@pytest.mark.parametrize("rules", [IMAGE_RULES, LABEL_RULES])
def test_the_strongest_evidence_comes_first_and_no_rule_is_hidden_by_an_earlier_one(
    rules: tuple[ColumnRule, ...],
) -> None:
    evidence = [rule.evidence for rule in rules]
    assert evidence == sorted(evidence, reverse=True)
    for rule in rules:
        assert find_rule(rules, rule.facts) is rule


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("Healthy", "10101010", "it is named for health"),
        ("class", "ABABABAB", "its name is common for labels"),
        ("PCOS", "10101010", "it is named for a disease, and its values are yes and no"),
        ("PCOS", "ABABABAB", "it is named for a disease"),
        ("final result", "ABABABAB", "its name is common for labels"),
        ("cytology class", "ABABABAB", "its name has a word for labels"),
        ("laboratory result", "ABABABAB", "it has few different values"),
        ("was", "10101010", "its values are yes and no"),
        ("was", "ABABABAB", "it has few different values"),
        ("tumour size", "10101010", "its values are yes and no"),
        ("label", "ABCDEFGH", "its name is common for labels, but it has too many different values"),
        ("was", "ABCDEFGH", None),
    ],
)
def test_why_a_column_may_hold_the_labels(name: str, values: str, reason: str | None) -> None:
    rule = find_rule(LABEL_RULES, label_facts(name, pd.Series(list(values))))
    assert (rule.reason if rule else None) == reason


@pytest.mark.parametrize(
    ("name", "suffix", "reason"),
    [
        ("imagePath", ".jpg", "most of its values name files in the image folder, and its name is common for images"),
        ("wo", ".jpg", "most of its values name files in the image folder"),
        ("wo", ".png", "most of its values end like image files"),
        ("imagePath", "", "its name is common for images"),
        ("wo", "", None),
    ],
)
def test_why_a_column_may_hold_the_images(name: str, suffix: str, reason: str | None) -> None:
    values = pd.Series([f"{number}{suffix}" for number in range(10)])
    facts = image_facts(name, values, in_folder=lambda reference: reference.endswith(".jpg"))
    rule = find_rule(IMAGE_RULES, facts)
    assert (rule.reason if rule else None) == reason
