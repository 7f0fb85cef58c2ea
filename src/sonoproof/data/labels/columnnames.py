"""What the name of a column says about what it holds."""

from __future__ import annotations

from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, name_tokens, squeezed, word_set

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

MAX_NAME_LENGTH = 80


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


def has_image_word(name: str) -> bool:
    """Whether a word of the name is used for images and none for labels."""
    tokens = set(name_tokens(name))
    return bool(tokens & IMAGE_WORDS) and not tokens & LABEL_WORDS


def has_label_word(name: str) -> bool:
    """Whether a word of the name is used for labels."""
    return not LABEL_WORDS.isdisjoint(name_tokens(name))


def has_group_word(name: str) -> bool:
    """Whether a word of the name says that equal values belong together (patient, clip, site, …)."""
    return not GROUP_WORDS.isdisjoint(name_tokens(name))


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
    return len(cell) <= MAX_NAME_LENGTH and (
        squeezed(cell) in IMAGE_NAMES | LABEL_NAMES
        or has_image_word(cell)
        or has_label_word(cell)
        or has_group_word(cell)
        or column_meaning(cell)[0] is not Meaning.NONE
    )
