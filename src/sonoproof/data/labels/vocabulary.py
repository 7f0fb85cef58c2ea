"""The words people use for column names and labels, in several languages, and what they mean.

A *concept* is what different spellings have in common (``ja``, ``YES`` and ``1`` are one concept); its *meaning* says
whether it is on the healthy side or the diseased side, if that is known.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

import pandas as pd

from sonoproof.data.spreadsheets.visible import visible


def word_set(words: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(words.split())


class Meaning(Enum):
    """Which side of the question a label or a column name is on."""

    HEALTH = "health"
    DISEASE = "disease"
    NONE = "none"


# concept -> (meaning, words). "yes" and "no" mean something only under a column's name.
CONCEPTS: dict[str, tuple[Meaning, str]] = {
    "yes": (Meaning.NONE, "1 yes y ja j oui o si sí sim true t wahr vrai verdadero vero checked 是 有"),
    "no": (Meaning.NONE, "0 no n nein non nao não false f falsch faux falso unchecked 否 无"),
    "healthy": (Meaning.HEALTH, "healthy gesund sain saine sano sana saudável saudavel 健康"),
    "normal": (Meaning.HEALTH, "normal normale norm unauffällig unauffaellig 正常"),
    "benign": (Meaning.HEALTH, "benign gutartig bénin benin bénigne benigno benigna 良性"),
    "negative": (Meaning.HEALTH, "negative negativ neg négatif negatif negativo 阴性"),
    "control": (Meaning.HEALTH, "control controls kontrolle contrôle controle"),
    "unhealthy": (Meaning.DISEASE, "unhealthy sick ill krank malade enfermo enferma malato diseased ungesund"),
    "abnormal": (
        Meaning.DISEASE,
        "abnormal anormal anomal auffällig auffaellig pathologic pathological pathologisch 异常",
    ),
    "malignant": (Meaning.DISEASE, "malignant malign malin bösartig boesartig maligne maligno maligna 恶性"),
    "positive": (Meaning.DISEASE, "positive positiv pos positif positivo 阳性"),
    "disease": (Meaning.DISEASE, "disease illness krankheit maladie enfermedad"),
    "pcos": (Meaning.DISEASE, "pcos pco pcod polycystic"),
    "cancer": (Meaning.DISEASE, "cancer carcinoma krebs tumor tumour tumeur"),
    "infected": (Meaning.DISEASE, "infected infection infiziert"),
    "covid": (Meaning.DISEASE, "covid covid-19 covid19"),
    "pneumonia": (Meaning.DISEASE, "pneumonia pneumonie"),
    "lesion": (Meaning.DISEASE, "lesion läsion lésion"),
}
NEGATIONS = ("non ", "not ", "no ", "without ", "kein ", "keine ", "nicht ", "ohne ", "sans ", "pas ", "sin ")

# Words that people use for any finding, and not only for what a patient or a lesion has.
OF_ANY_FINDING = word_set("normal abnormal positive negative control")

# What people write if a label is not known.
NOT_KNOWN = word_set(
    "na n/a #n/a nan null - -- — ? ?? unknown missing tbd todo maybe unclear unsure indeterminate"
    " unbekannt unklar inconnu desconocido"
)

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def without_accents(text: str) -> str:
    """Text without the accents of its letters: ``diagnóstico`` is ``diagnostico``."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return unicodedata.normalize("NFKC", "".join(letters))


def folded(text: str) -> str:
    """Text in which case, Unicode form, invisible characters and the number of blanks make no difference; 1.0 is 1."""
    text = " ".join(unicodedata.normalize("NFKC", visible(text)).casefold().split())
    whole, dot, rest = text.partition(".")
    return whole if dot and whole.lstrip("-").isdigit() and not rest.strip("0") else text


def squeezed(text: str) -> str:
    """Only the letters and digits of a column name: ``Image_Path `` and ``imagePath`` are one name."""
    return "".join(letter for letter in folded(text) if letter.isalnum())


def name_tokens(text: str) -> tuple[str, ...]:
    """The words of a column name: ``imagePath``, ``image_path`` and ``Imáge path`` have the same two."""
    spaced = _CAMEL.sub(" ", without_accents(visible(text)))
    return tuple(re.findall(r"[^\W_]+", spaced.casefold()))


_CONCEPT_OF_WORD = {
    spelling: concept
    for concept, (_, words) in CONCEPTS.items()
    for word in words.split()
    for spelling in (word, without_accents(word))
}


def find_concept(text: str) -> str:
    """The concept of a label; a word that is not in the vocabulary is its own concept.

    A negated word (``non-PCOS``, ``not infected``) has the concept "not " + that of the word.
    """
    word = folded(text)
    if word in _CONCEPT_OF_WORD:
        return _CONCEPT_OF_WORD[word]
    spaced = word.replace("-", " ").replace("_", " ")
    for negation in NEGATIONS:
        if spaced.startswith(negation) and spaced != negation:
            return f"not {find_concept(spaced.removeprefix(negation))}"
    return _CONCEPT_OF_WORD.get(spaced, word)


def as_concepts(values: pd.Series[str]) -> pd.Series[str]:
    """The concept of each label; each different one is looked up once."""
    return values.map({value: find_concept(value) for value in values.unique()}).astype("str")


def find_meaning(concept: str) -> Meaning:
    """Which side a concept is on; a negation reverses it."""
    if concept in CONCEPTS:
        return CONCEPTS[concept][0]
    if concept.startswith("not "):
        inner = find_meaning(concept.removeprefix("not "))
        return {Meaning.HEALTH: Meaning.DISEASE, Meaning.DISEASE: Meaning.HEALTH}.get(inner, Meaning.NONE)
    return Meaning.NONE
