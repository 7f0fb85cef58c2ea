"""The rules that tell the image column and the label column of a sheet, with the reason that each gives.

Of several columns the one with the strongest evidence is taken; two with equally strong evidence are a question to the
user. docs/data.md shows the rules as tables.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, IntEnum, auto

import pandas as pd

from sonoproof.data.folder.imagefolder import has_image_suffix
from sonoproof.data.labels.columnnames import (
    IMAGE_NAMES,
    LABEL_NAMES,
    column_meaning,
    has_group_word,
    has_image_word,
    has_label_word,
)
from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, folded, squeezed
from sonoproof.sampling import evenly_spread

CONTENT_SAMPLE = 2000
MIN_SHARE = 0.5
MAX_LABELS = 20


class Fact(Flag):
    """What is seen of a column."""

    FILES_OF_FOLDER = auto()
    IMAGE_SUFFIXES = auto()
    IMAGE_NAME = auto()
    IMAGE_WORD = auto()
    HEALTH_NAME = auto()
    DISEASE_NAME = auto()
    LABEL_NAME = auto()
    LABEL_WORD = auto()
    FEW_VALUES = auto()
    YES_NO = auto()
    TWO_VALUES = auto()
    KNOWN_WORDS = auto()


class ImageEvidence(IntEnum):
    """How much speaks for the image column: first the content, then the name."""

    WORD = 1
    NAME = 2
    SUFFIXES = 3
    SUFFIXES_AND_WORD = 4
    SUFFIXES_AND_NAME = 5
    FILES = 6
    FILES_AND_WORD = 7
    FILES_AND_NAME = 8


class LabelEvidence(IntEnum):
    """How much speaks for the label column: a name counts less if the column has too many values to be labels."""

    WORD_BUT_MANY_VALUES = 1
    NAME_BUT_MANY_VALUES = 2
    HEALTH_BUT_MANY_VALUES = 3
    TWO_VALUES = 4
    TWO_KNOWN_WORDS = 5
    LABEL_WORD = 6
    LABEL_NAME = 7
    HEALTH_NAME = 8


@dataclass(frozen=True)
class ColumnRule:
    """What speaks for a column.

    Attributes:
        evidence: How much it counts; the rules of a table come with the strongest first.
        facts: What must be seen of the column.
        reason: What is seen, in words that follow "because".
    """

    evidence: IntEnum
    facts: Fact
    reason: str


_FILES, _SUFFIXES = "most of its values name files in the image folder", "most of its values end like image files"
_NAME, _WORD = "its name is common for images", "its name has a word for images"

IMAGE_RULES = (
    ColumnRule(ImageEvidence.FILES_AND_NAME, Fact.FILES_OF_FOLDER | Fact.IMAGE_NAME, f"{_FILES}, and {_NAME}"),
    ColumnRule(ImageEvidence.FILES_AND_WORD, Fact.FILES_OF_FOLDER | Fact.IMAGE_WORD, f"{_FILES}, and {_WORD}"),
    ColumnRule(ImageEvidence.FILES, Fact.FILES_OF_FOLDER, _FILES),
    ColumnRule(ImageEvidence.SUFFIXES_AND_NAME, Fact.IMAGE_SUFFIXES | Fact.IMAGE_NAME, f"{_SUFFIXES}, and {_NAME}"),
    ColumnRule(ImageEvidence.SUFFIXES_AND_WORD, Fact.IMAGE_SUFFIXES | Fact.IMAGE_WORD, f"{_SUFFIXES}, and {_WORD}"),
    ColumnRule(ImageEvidence.SUFFIXES, Fact.IMAGE_SUFFIXES, _SUFFIXES),
    ColumnRule(ImageEvidence.NAME, Fact.IMAGE_NAME, _NAME),
    ColumnRule(ImageEvidence.WORD, Fact.IMAGE_WORD, _WORD),
)

_MANY = "but it has too many different values"
_YES_NO = "it is named for a disease, and its values are yes and no (or 1 and 0)"
_KNOWN = "its two values are yes and no, or one of them means health or disease"

LABEL_RULES = (
    ColumnRule(LabelEvidence.HEALTH_NAME, Fact.HEALTH_NAME | Fact.FEW_VALUES, "it is named for health"),
    ColumnRule(LabelEvidence.LABEL_NAME, Fact.LABEL_NAME | Fact.FEW_VALUES, "its name is common for labels"),
    ColumnRule(LabelEvidence.LABEL_NAME, Fact.DISEASE_NAME | Fact.YES_NO, _YES_NO),
    ColumnRule(LabelEvidence.LABEL_WORD, Fact.DISEASE_NAME | Fact.FEW_VALUES, "it is named for a disease"),
    ColumnRule(LabelEvidence.LABEL_WORD, Fact.LABEL_WORD | Fact.FEW_VALUES, "its name has a word for labels"),
    ColumnRule(LabelEvidence.TWO_KNOWN_WORDS, Fact.TWO_VALUES | Fact.KNOWN_WORDS, _KNOWN),
    ColumnRule(LabelEvidence.TWO_VALUES, Fact.TWO_VALUES, "it has two values"),
    ColumnRule(LabelEvidence.HEALTH_BUT_MANY_VALUES, Fact.HEALTH_NAME, f"it is named for health, {_MANY}"),
    ColumnRule(LabelEvidence.NAME_BUT_MANY_VALUES, Fact.LABEL_NAME, f"its name is common for labels, {_MANY}"),
    ColumnRule(LabelEvidence.NAME_BUT_MANY_VALUES, Fact.DISEASE_NAME, f"it is named for a disease, {_MANY}"),
    ColumnRule(LabelEvidence.WORD_BUT_MANY_VALUES, Fact.LABEL_WORD, f"its name has a word for labels, {_MANY}"),
)


def find_rule(rules: Sequence[ColumnRule], facts: Fact) -> ColumnRule | None:
    """The first rule that needs no more than these facts."""
    return next((rule for rule in rules if rule.facts in facts), None)


def image_facts(name: str, values: pd.Series[str], in_folder: Callable[[str], bool]) -> Fact:
    """What of a column speaks for the image column.

    Args:
        name: Its name.
        values: Its cells that are not empty, as text.
        in_folder: Whether a reference names a file of the image folder.
    """
    sample = values.iloc[evenly_spread(len(values), CONTENT_SAMPLE)]

    def mostly(test: Callable[[str], bool]) -> bool:
        return sum(map(test, sample)) >= MIN_SHARE * max(len(sample), 1)

    seen = {
        Fact.FILES_OF_FOLDER: mostly(in_folder),
        Fact.IMAGE_SUFFIXES: mostly(has_image_suffix),
        Fact.IMAGE_NAME: squeezed(name) in IMAGE_NAMES,
        Fact.IMAGE_WORD: has_image_word(name),
    }
    return _combine(seen)


def label_facts(name: str, values: pd.Series[str]) -> Fact:
    """What of a column speaks for the label column.

    Args:
        name: Its name.
        values: Its cells that are not empty, as text.
    """
    different = values.map(folded).unique() if values.nunique() <= 10 * MAX_LABELS else None
    few = different is not None and len(different) <= max(2, min(MAX_LABELS, len(values) // 2))
    concepts = set(map(find_concept, different)) if different is not None and few else set()
    meaning, _ = column_meaning(name)
    yes_no = few and concepts <= {"yes", "no"}
    seen = {
        Fact.HEALTH_NAME: meaning is Meaning.HEALTH,
        Fact.DISEASE_NAME: meaning is Meaning.DISEASE,
        Fact.LABEL_NAME: squeezed(name) in LABEL_NAMES,
        Fact.LABEL_WORD: has_label_word(name),
        Fact.FEW_VALUES: few,
        Fact.YES_NO: yes_no,
        Fact.TWO_VALUES: len(concepts) == 2 and not has_group_word(name),
        Fact.KNOWN_WORDS: yes_no or any(find_meaning(concept) is not Meaning.NONE for concept in concepts),
    }
    return _combine(seen)


def _combine(seen: Mapping[Fact, bool]) -> Fact:
    return functools.reduce(operator.or_, (fact for fact, is_seen in seen.items() if is_seen), Fact(0))
