"""What the name of a column says about what it holds.

Names are compared word by word, whatever their case, accents and separators: ``PatientID``, ``patient id`` and
``Patient_ID `` have the same two words, and ``contest`` has not the word ``test``.
"""

from __future__ import annotations

import re

from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, name_tokens, squeezed, word_set

IMAGE_NAMES = word_set("imagepath imagename imagefile imagefilename imageid image images img imgpath filename file")
IMAGE_WORDS = word_set("image images img file filename path picture photo frame bild datei fichier imagen")
MASK_WORDS = word_set("mask masks segmentation annotation roi contour thumbnail overlay maske mascara masque")
LABEL_NAMES = word_set(
    "label labels class classes classification diagnosis target category groundtruth classlabel imagelabel"
)
LABEL_WORDS = word_set(
    "label labels class classes classification diagnosis diagnose diagnostic diagnostico diagnosi target category truth"
    " groundtruth gt pathology pathologie patologia klasse klassifikation kategorie clase classe clasificacion"
    " categoria categorie etiqueta etichetta etiquette classlabel imagelabel malignancy dignitat dignity"
    " 标签 类别 分类 诊断 诊断结果 病理 病理结果 良恶性"
)
# These need the company of words that say as much: a result may be that of a laboratory, a status that of a form.
VAGUE_LABEL_WORDS = word_set("y outcome finding status result befund ergebnis resultado resultat risultato 结果")
# What may be beside a word for labels and changes nothing: final diagnosis, class_id.
NEUTRAL_BESIDE_LABEL = word_set(
    "is the of a final overall true ground gold standard reference binary consensus id ids code codes nr num number"
    " name names text string type kind image img frame scan ultrasound us sonography histology histological"
    " histopathology main finale endgultige definitive de del di la el der die das"
)
NEGATIONS_BEFORE = word_set("non not no without kein keine nicht ohne sans pas sin senza sem")
NEGATIONS_AFTER = (("free",), ("absent",), ("frei",))
NEUTRAL_BESIDE_DISEASE = (
    word_set(
        "is has was the of a final overall true type status present presence image frame scan ultrasound us yes n y 19"
        " free frei de del di la el der die das"
    )
    | NEGATIONS_BEFORE
)
# With yes and no they may say whether the image can be used for a diagnosis, or that something is done.
LABELS_ONLY_WITH_WORDS = word_set("diagnostic status")
NEUTRAL_BESIDE_VAGUE = word_set("final overall true is the of disease health finale")
ORGANS = word_set(
    "breast ovary ovarian ovaries lung liver thyroid kidney renal gallbladder heart cardiac prostate uterus uterine"
    " pancreas pancreatic spleen nodule mass"
)
# From the coarsest to the finest.
GROUP_LEVELS = (
    word_set(
        "patient patients subject case person participant mrn patientid patientno patientnr patientnumber subjectid"
        " caseid patienten patientin patientennummer patnr patid pat pid subj subjects volunteer donor infant baby"
        " fallnummer fallnr dossier ipp nhc paciente pacientes paziente patiente 患者 患者编号 患者号"
        " 患者番号 病人 病人编号 病例号 住院号 病历号 пациент"
    ),
    word_set("study exam examination session visit studyid examid untersuchung estudio examen 检查 检查号"),
    word_set("video clip cine sequence series videoid clipid seriesid"),
)
SITE_WORDS = word_set("site hospital centre center")
GROUP_WORDS = SITE_WORDS.union(*GROUP_LEVELS)
IDENTIFIER_WORDS = word_set(
    "id ids identifier no nr num nummer numero number name code key uid uuid pseudonym pseudonymised pseudonymized"
    " anonymised anonymized hash record 编号"
)
# A position, a measure, a visit or a finding in names, though words for health or disease among values.
NOT_MEANT_IN_NAMES = word_set("pos neg norm control controls kontrolle controle lesion lasion")

MAX_NAME_LENGTH = 80
# 1 = yes, no: 0
_LEGEND = re.compile(r"\b(?=\d|\w+\s*[=:]\s*\d)(\w+)\s*[=:]\s*(\w+)")


def column_meaning(name: str) -> tuple[Meaning, str]:
    """Whether a column is named for health or for disease, and the word that says so.

    ``Healthy`` and ``is_normal`` are named for health; ``PCOS``, ``not healthy`` and ``without PCOS`` as they say.
    Nothing follows from a name for both (``PCOS negative``, ``normal/abnormal``), nor from one whose legend says more
    than that 1 is yes and 0 is no (``Healthy (1 = no)``).
    """
    tokens = name_tokens(_LEGEND.sub("", name))
    found = [(at, token) for at, token in enumerate(tokens) if _meaning_in_name(token) is not Meaning.NONE]
    if len({_meaning_in_name(token) for _, token in found}) != 1 or _turns_values(name):
        return Meaning.NONE, ""
    at, token = found[0]
    negated = (at > 0 and tokens[at - 1] in NEGATIONS_BEFORE) or tokens[at + 1 : at + 2] in NEGATIONS_AFTER
    word = f"not {token}" if negated else token
    return find_meaning(f"not {_concept_in_name(token)}" if negated else _concept_in_name(token)), word


def is_named_for_health_or_disease(name: str) -> bool:
    """Whether a name says health or disease, and nothing else beside it: ``has_pneumonia``, not ``tumour size``."""
    rest = {token for token in name_tokens(_LEGEND.sub("", name)) if _meaning_in_name(token) is Meaning.NONE}
    allowed = NEUTRAL_BESIDE_DISEASE | ORGANS | LABEL_WORDS | VAGUE_LABEL_WORDS
    return column_meaning(name)[0] is not Meaning.NONE and rest <= allowed


def is_label_name(name: str, *, yes_no: bool) -> bool:
    """Whether a name says label, and nothing else beside it: ``class``, ``Final diagnosis``, ``label 2``.

    Args:
        name: The name.
        yes_no: Whether the values are yes and no.
    """
    tokens = {token.rstrip("0123456789") for token in name_tokens(name)} - {""}
    if yes_no and tokens & LABELS_ONLY_WITH_WORDS:
        return False
    if squeezed(name) in LABEL_NAMES or (
        tokens & LABEL_WORDS and tokens <= LABEL_WORDS | NEUTRAL_BESIDE_LABEL | ORGANS
    ):
        return True
    return bool(tokens & VAGUE_LABEL_WORDS) and tokens <= VAGUE_LABEL_WORDS | NEUTRAL_BESIDE_VAGUE


def has_label_word(name: str) -> bool:
    """Whether a word of the name is used for labels and little else."""
    return not LABEL_WORDS.isdisjoint(name_tokens(name))


def has_image_word(name: str) -> bool:
    """Whether a word of the name is used for images, and none for labels or for what lies beside an image."""
    tokens = set(name_tokens(name))
    return bool(tokens & IMAGE_WORDS) and not tokens & (LABEL_WORDS | VAGUE_LABEL_WORDS | MASK_WORDS)


def group_level(name: str) -> int | None:
    """0 for a name that identifies patients, 1 for examinations, 2 for clips, else None.

    ``patient_id`` does, ``patient age`` does not.
    """
    tokens = set(name_tokens(name))
    if tokens - GROUP_WORDS - IDENTIFIER_WORDS:
        return None
    return next((level for level, words in enumerate(GROUP_LEVELS) if tokens & words), None)


def is_identifier(name: str) -> bool:
    """Whether a name says that values identify something, and not what: ``ID``, ``Pseudonym``."""
    tokens = name_tokens(name)
    return bool(tokens) and IDENTIFIER_WORDS.issuperset(tokens)


def is_known_name(cell: str) -> bool:
    """Whether a cell reads like the name of an image, label or group column."""
    return len(cell) <= MAX_NAME_LENGTH and (
        squeezed(cell) in IMAGE_NAMES | LABEL_NAMES
        or has_image_word(cell)
        or not (LABEL_WORDS | VAGUE_LABEL_WORDS).isdisjoint(name_tokens(cell))
        or not GROUP_WORDS.isdisjoint(name_tokens(cell))
        or column_meaning(cell)[0] is not Meaning.NONE
    )


def _turns_values(name: str) -> bool:
    """Whether a legend in a name gives its values another meaning than 1 for yes and 0 for no."""
    return any(find_concept(first) != find_concept(second) for first, second in _LEGEND.findall(name))


def _meaning_in_name(word: str) -> Meaning:
    return find_meaning(_concept_in_name(word))


def _concept_in_name(word: str) -> str:
    if word == "health":
        return "healthy"
    return "" if word in NOT_MEANT_IN_NAMES else find_concept(word)
