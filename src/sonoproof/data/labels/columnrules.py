"""The rules that tell the image column and the label column of a sheet, with the reason that each gives.

Of several columns the one with the strongest evidence is taken; two with equally strong evidence are a question to the
user. docs/data.md shows the rules as tables.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, IntEnum, auto

import pandas as pd

from sonoproof.data.folder.imagefolder import has_image_suffix
from sonoproof.data.labels.columnnames import (
    IMAGE_NAMES,
    column_meaning,
    has_image_word,
    has_label_word,
    is_label_name,
    is_named_for_health_or_disease,
)
from sonoproof.data.labels.givensplit import PART_WORDS, holds_parts
from sonoproof.data.labels.groupcolumns import GROUP_RULES
from sonoproof.data.labels.notknown import find_codes, says_not_known
from sonoproof.data.labels.purposes import PURPOSES, SPLIT, find_purpose
from sonoproof.data.labels.vocabulary import OF_ANY_FINDING, Meaning, find_concept, find_meaning, folded, squeezed
from sonoproof.sampling import evenly_spread

CONTENT_SAMPLE = 2000
FOR_HEALTH = frozenset({"healthy", "normal", "health"})
MIN_SHARE = 0.5
MAX_LABELS = 20
_FILE_ENDING = re.compile(
    r"\w\.(dcm|dicom|nii|nii\.gz|mha|mhd|nrrd|avi|mp4|mov|json|xml|txt|csv|npy|mat|zip)$", re.IGNORECASE
)


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
    SOME_KNOWN_WORDS = auto()
    KNOWN_WORDS = auto()
    ONLY_COLUMN = auto()


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
    """How much speaks for the label column; below `MANY_VALUES` a column is only offered in a question."""

    OTHER_PURPOSE = 1
    FEW_VALUES = 2
    YES_NO = 3
    LABEL_WORD = 4
    MANY_VALUES = 5
    ONLY_COLUMN = 6
    KNOWN_WORDS = 7
    LABEL_WORD_AND_KNOWN_WORDS = 8
    LABEL_NAME = 9
    LABEL_NAME_AND_KNOWN_WORDS = 10
    HEALTH_NAME = 11

    @property
    def is_reason(self) -> bool:
        """Whether it is enough to take a column."""
        return self >= LabelEvidence.MANY_VALUES


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

_LABELS, _WORD_FOR_LABELS = "its name is common for labels", "its name has a word for labels"
_DISEASE, _MANY = "it is named for a disease", "but it has too many different values"
_KNOWN = "its values are words for health and disease"

LABEL_RULES = (
    ColumnRule(LabelEvidence.HEALTH_NAME, Fact.HEALTH_NAME | Fact.FEW_VALUES, "it is named for health"),
    ColumnRule(
        LabelEvidence.LABEL_NAME_AND_KNOWN_WORDS,
        Fact.LABEL_NAME | Fact.SOME_KNOWN_WORDS,
        f"{_LABELS}, and some of its values are words for health or disease",
    ),
    ColumnRule(LabelEvidence.LABEL_NAME, Fact.LABEL_NAME | Fact.FEW_VALUES, _LABELS),
    ColumnRule(LabelEvidence.LABEL_NAME, Fact.DISEASE_NAME | Fact.YES_NO, f"{_DISEASE}, and its values are yes and no"),
    ColumnRule(
        LabelEvidence.LABEL_WORD_AND_KNOWN_WORDS,
        Fact.LABEL_WORD | Fact.SOME_KNOWN_WORDS,
        f"{_WORD_FOR_LABELS}, and some of its values are words for health or disease",
    ),
    ColumnRule(LabelEvidence.LABEL_WORD_AND_KNOWN_WORDS, Fact.DISEASE_NAME | Fact.FEW_VALUES, _DISEASE),
    ColumnRule(LabelEvidence.KNOWN_WORDS, Fact.KNOWN_WORDS, _KNOWN),
    ColumnRule(
        LabelEvidence.ONLY_COLUMN,
        Fact.ONLY_COLUMN | Fact.FEW_VALUES,
        "it is the only column beside the images, and the sheet has no column names",
    ),
    ColumnRule(LabelEvidence.MANY_VALUES, Fact.HEALTH_NAME, f"it is named for health, {_MANY}"),
    ColumnRule(LabelEvidence.MANY_VALUES, Fact.LABEL_NAME, f"{_LABELS}, {_MANY}"),
    ColumnRule(LabelEvidence.MANY_VALUES, Fact.DISEASE_NAME, f"{_DISEASE}, {_MANY}"),
    ColumnRule(LabelEvidence.LABEL_WORD, Fact.LABEL_WORD, _WORD_FOR_LABELS),
    ColumnRule(LabelEvidence.YES_NO, Fact.YES_NO, "its values are yes and no"),
    ColumnRule(LabelEvidence.FEW_VALUES, Fact.FEW_VALUES, "it has few different values"),
)

# Everything that decides which column is what; docs/data.md shows it in this order.
RULES = {"image": IMAGE_RULES, "label": LABEL_RULES, "other": PURPOSES, "split": PART_WORDS, "group": GROUP_RULES}


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


def label_facts(name: str, values: pd.Series[str], *, is_only_column: bool = False) -> Fact:
    """What of a column speaks for the label column.

    Args:
        name: Its name.
        values: Its cells that are not empty, as text.
        is_only_column: Whether the sheet has no column names, and no further column beside the images.
    """
    different = _labels_among(values.unique()) if values.nunique() <= 10 * MAX_LABELS else set()
    few = 0 < len(different) <= max(2, min(MAX_LABELS, len(values) // 2))
    concepts = set(map(find_concept, different)) if few else set()
    meaning, word = column_meaning(name) if is_named_for_health_or_disease(name) else (Meaning.NONE, "")
    yes_no = few and concepts <= {"yes", "no"}
    is_health = find_concept(word) in FOR_HEALTH
    seen = {
        Fact.HEALTH_NAME: is_health,
        Fact.DISEASE_NAME: meaning is not Meaning.NONE and not is_health,
        Fact.LABEL_NAME: is_label_name(name, yes_no=yes_no),
        Fact.LABEL_WORD: has_label_word(name),
        Fact.FEW_VALUES: few,
        Fact.YES_NO: yes_no,
        Fact.SOME_KNOWN_WORDS: any(map(_names_a_disease, concepts)),
        Fact.KNOWN_WORDS: few and _are_words_for_a_disease(concepts),
        Fact.ONLY_COLUMN: is_only_column,
    }
    return _combine(seen)


def other_purpose(name: str, values: pd.Series[str]) -> str:
    """What else a column is for, in words that follow "because" and may end in what to do; "" if nothing says so.

    Such a column is never taken for the labels.

    Args:
        name: Its name.
        values: Its cells that are not empty, as text.
    """
    different = _labels_among(values.iloc[evenly_spread(len(values), CONTENT_SAMPLE)].unique())
    if holds_parts(different):
        return f"its values are the parts of a split; {SPLIT.use}"
    if different and sum(map(is_file_name, different)) >= MIN_SHARE * len(different):
        return "its values are names of files"
    purpose = find_purpose(name)
    if purpose is None:
        return ""
    return f"it is named for {purpose.title}" + (f"; {purpose.use}" if purpose.use else "")


def is_split_column(name: str, values: pd.Series[str]) -> bool:
    """Whether a column gives a split, by its name or by its values."""
    return find_purpose(name) is SPLIT or holds_parts(_labels_among(values.unique()[:MAX_LABELS]))


def is_file_name(value: str) -> bool:
    """Whether a value reads like the name of an image or of another file that lies beside images."""
    return has_image_suffix(value) or bool(_FILE_ENDING.search(value))


def _labels_among(different: Iterable[str]) -> set[str]:
    """The different values, folded, without those that say that the label is not known."""
    known = [value for value in different if not says_not_known(value)]
    return set(map(folded, set(known) - find_codes(known).certain))


def _are_words_for_a_disease(concepts: Collection[str]) -> bool:
    """Whether all values are words for health or disease, one of them for more than the state of some finding.

    ``normal`` and ``abnormal`` may say so of a margin or a blood test; ``benign`` and ``malignant`` name the disease.
    """
    return (
        len(concepts) > 1
        and all(find_meaning(concept) is not Meaning.NONE for concept in concepts)
        and any(map(_names_a_disease, concepts))
    )


def _names_a_disease(concept: str) -> bool:
    """Whether a concept is health or disease, and more than the state of some finding."""
    return find_meaning(concept) is not Meaning.NONE and concept.removeprefix("not ") not in OF_ANY_FINDING


def _combine(seen: Mapping[Fact, bool]) -> Fact:
    return functools.reduce(operator.or_, (fact for fact, is_seen in seen.items() if is_seen), Fact(0))
