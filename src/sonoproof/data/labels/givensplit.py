"""A split that the sheet gives: which column holds it, and which part each of its values names.

A value names a part (``train``, ``val``, ``test``) or a fold (``3``, ``fold 3``); a flag (``is_test``: 1 or 0) names
the part of its column's name, or another one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import pandas as pd

from sonoproof.data.labels.vocabulary import find_concept, folded, name_tokens, squeezed, word_set

# The column of the records that holds it.
GIVEN_SPLIT = "given_split"
# Part -> what people call it.
PART_WORDS: Mapping[str, str] = {
    "fit": (
        "train training trainset trn tr fit learn learning trainval development derivation entrenamiento apprentissage"
        " entrainement addestramento treinamento 训练 训练集"
    ),
    "val": (
        "val valid validation validate valset dev tune tuning validierung validacion validazione validacao 验证 验证集"
    ),
    "test": ("test testing testset tst holdout eval evaluation prueba teste prova external heldout 测试 测试集"),
}
FOLD_WORDS = word_set("fold folds kfold cv")
FLAG_PARTS: Mapping[str, tuple[str, str]] = {"fit": ("fit", "test"), "val": ("val", "fit"), "test": ("test", "fit")}

_PART_OF_WORD = {word: part for part, words in PART_WORDS.items() for word in words.split()}
_FOLD = re.compile(r"((?:k?fold|cv)[ _-]*)?(\d{1,3})")


def read_given_parts(name: str, values: pd.Series[str]) -> pd.Series[str]:
    """The part that each cell of a split column names.

    Args:
        name: The column's name.
        values: Its cells as text.

    Returns:
        ``fit``, ``val``, ``test``, ``fold 3``, … for each cell; "" where it names none.
    """
    named = _part_of_name(name)
    written = [value for value in values.unique() if value]
    if named in FLAG_PARTS and {find_concept(value) for value in written} <= {"yes", "no"}:
        yes, no = FLAG_PARTS[named]
        parts = {value: yes if find_concept(value) == "yes" else no for value in written}
    else:
        parts = {value: _part_of(value) or _fold_of(value, bare=named == "fold") for value in written}
    return values.map(lambda value: parts.get(value, "")).astype("str")


def holds_parts(different: Collection[str]) -> bool:
    """Whether the different values of a column, folded, are names of parts, two of them at least."""
    parts = {_part_of(value) for value in different}
    return len(parts) > 1 and "" not in parts


def _part_of(value: str) -> str:
    return _PART_OF_WORD.get(squeezed(value), "")


def _part_of_name(name: str) -> str:
    """The part that a column's name asks about, "fold", or ""."""
    words = name_tokens(name)
    for word in words:
        plain = word.rstrip("0123456789")
        if plain in FOLD_WORDS:
            return "fold"
    named = {_PART_OF_WORD[word] for word in (*words, squeezed(name).removeprefix("is")) if word in _PART_OF_WORD}
    return named.pop() if len(named) == 1 else ""


def _fold_of(value: str, *, bare: bool) -> str:
    """The fold that a value names; a bare number does so in a column of folds."""
    found = _FOLD.fullmatch(folded(value))
    return f"fold {int(found[2])}" if found and (found[1] or bare) else ""
