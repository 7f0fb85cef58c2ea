"""What the name of a column says about what it holds."""

from __future__ import annotations

from collections.abc import Sequence

from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, name_tokens, squeezed, word_set

__all__ = [
    "IMAGE_NAMES",
    "NAMED_FOR_DISEASE",
    "column_meaning",
    "group_level",
    "group_like",
    "image_name_weight",
    "is_known_name",
    "label_name_rank",
]

IMAGE_NAMES = word_set("imagepath imagename imagefile imagefilename imageid image images img imgpath filename file")
IMAGE_WORDS = word_set("image images img file filename path picture photo frame bild datei fichier imagen")
LABEL_NAMES = word_set("label labels class classes diagnosis target category groundtruth classlabel imagelabel")
LABEL_WORDS = word_set(
    "label labels class classes diagnosis diagnose diagnostic target category outcome truth gt y pathology finding"
    " status result klasse befund clase classe etiqueta"
)
# From the coarsest to the finest.
GROUP_LEVELS = (
    word_set("patient patients subject case person participant mrn"),
    word_set("study exam examination session visit"),
    word_set("video clip cine sequence series"),
)
SITE_WORDS = word_set("site hospital centre center")
GROUP_WORDS = SITE_WORDS.union(*GROUP_LEVELS)
IDENTIFIER_WORDS = word_set("id ids identifier no nr num number name code key uid uuid pseudonym anonymised anonymized")

LONGEST_NAME = 80
NAMED_FOR_DISEASE = "named for a disease"


def column_meaning(name: str) -> tuple[Meaning, str]:
    """Whether a column is named for health or for disease, and the word that says so.

    ``Healthy`` and ``is_normal`` are named for health; ``PCOS`` and ``not healthy`` for disease.
    """
    tokens = name_tokens(name)
    negated = any(token in {"non", "not", "no"} for token in tokens)
    for token in tokens:
        concept = "healthy" if token in {"health", "healthy"} else find_concept(token)
        meaning = find_meaning(concept)
        if meaning is not Meaning.NONE:
            return (find_meaning(f"not {concept}"), f"not {token}") if negated else (meaning, token)
    return Meaning.NONE, ""


def group_like(names: Sequence[str]) -> list[int]:
    """Columns whose name says that their values belong together (patient, clip, site, …)."""
    return [index for index, name in enumerate(names) if GROUP_WORDS & set(name_tokens(name))]


def group_level(name: str) -> int | None:
    """0 for a name that identifies patients, 1 for examinations, 2 for clips, else None.

    ``patient_id`` does, ``patient age`` does not.
    """
    tokens = set(name_tokens(name))
    if tokens - GROUP_WORDS - IDENTIFIER_WORDS:
        return None
    return next((level for level, words in enumerate(GROUP_LEVELS) if tokens & words), None)


def is_known_name(cell: str) -> bool:
    """Whether a cell reads like the name of an image, label or group column."""
    if len(cell) > LONGEST_NAME:
        return False
    return bool(image_name_weight(cell) or label_name_rank(cell)[0] or GROUP_WORDS & set(name_tokens(cell)))


def image_name_weight(name: str) -> int:
    """2 for a usual name of an image column, 1 for one with such a word in it, else 0."""
    if squeezed(name) in IMAGE_NAMES:
        return 2
    tokens = set(name_tokens(name))
    return int(bool(tokens & IMAGE_WORDS) and not tokens & LABEL_WORDS)


def label_name_rank(name: str) -> tuple[int, str]:
    """4 for a name of health, 3 for one that says label or names a disease, 2 for one with such a word in it."""
    meaning, _ = column_meaning(name)
    if meaning is Meaning.HEALTH:
        return 4, "named for health"
    if squeezed(name) in LABEL_NAMES:
        return 3, "named as label"
    if meaning is Meaning.DISEASE:
        return 3, NAMED_FOR_DISEASE
    if LABEL_WORDS & set(name_tokens(name)):
        return 2, "has a word for labels in its name"
    return 0, ""
