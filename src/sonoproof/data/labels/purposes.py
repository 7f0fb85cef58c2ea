"""What a column is for, if it holds neither the images nor the labels nor groups.

People keep much in a label sheet that has two values: a split, an exclusion, the opinion of one reader. A column whose
name says so is never taken for the labels.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from sonoproof.data.labels.vocabulary import name_tokens, squeezed, word_set


@dataclass(frozen=True)
class Purpose:
    """What a column is for, if it is neither the image nor the label nor a group; it is never taken for the label.

    Attributes:
        title: In words that follow "it is named for".
        words: Words of a name that say so, with blanks between them.
        whole: Names that say so as a whole, in letters and digits only, with blanks between them.
        use: How it is used, in words for the user; "" if it is not.
    """

    title: str
    words: str
    whole: str = ""
    use: str = ""

    @functools.cached_property
    def word_set(self) -> frozenset[str]:
        """The words."""
        return word_set(self.words)

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The words, and the names that say so as a whole."""
        return self.word_set | word_set(self.whole)


SPLIT = Purpose(
    "a split",
    (
        "split splits subset partition fold folds kfold cv train training trainset validation testset holdout"
        " traintest trainval"
    ),
    "test istest val isval valid dev set phase intest inval datasplit istrain",
    "use it with --split-column",
)
EXCLUSION = Purpose(
    "exclusion",
    (
        "exclude excluded exclusion include included inclusion omit omitted drop dropped keep kept discard discarded"
        " eligible ineligible ausgeschlossen ausschluss eingeschlossen excluir excluido incluido exclu inclus"
        " exclure"
    ),
    "use used usable isused 排除",
)
READER = Purpose(
    "a reader",
    (
        "reader rater annotator observer radiologist examiner sonographer operator reviewer expert labeler labeller"
        " physician doctor clinician untersucher lector radiologo medico medecin arzt"
    ),
    "r1 r2 r3 r4 obs1 obs2",
)
# The first that a name has a word of; docs/data.md shows them as a table.
PURPOSES = (
    Purpose(
        "one option of a REDCap checkbox (`___1`, `(choice=…)`)",
        "",  # by its ending, see find_purpose
    ),
    SPLIT,
    EXCLUSION,
    READER,
    Purpose(
        "checks and completeness",
        (
            "review reviewed complete completed complet checked verified verify approved ok qc qa quality qualitat"
            " calidad qualite artefact artifact blurry todo done available availability missing consent redcap repeat"
            " flag known unsure certain uncertain ambiguous comment comments note notes remark remarks bemerkung"
            " kommentar"
        ),
        "valid isvalid ready good bad",
    ),
    Purpose(
        "a prediction",
        (
            "predicted prediction predictions pred prob probability probabilities confidence certainty logit logits ai"
            " model algorithm cad automatic auto suggested suggestion estimated"
        ),
    ),
    Purpose(
        "history or treatment",
        (
            "history familial family prior previous earlier former past hx anamnesis anamnese antecedentes treatment"
            " treated therapy medication surgery operated referral indication symptom symptoms suspected suspicion"
            " initial preliminary provisional admission secondary additional other self reported"
        ),
    ),
    Purpose(
        "a person",
        (
            "sex gender age birth dob menopause menopausal postmenopausal premenopausal menopausia pregnant pregnancy"
            " parity gravida ethnicity race smoker smoking bmi weight height geschlecht alter sexo edad sexe"
            " 性别 年龄"
        ),
    ),
    Purpose(
        "a place or a source",
        (
            "side laterality left right position location site center centre hospital institution country region"
            " quadrant segment lobe seite lado cote lato lateralite margin margins edge node nodes axillary"
            " source dataset cohort"
        ),
    ),
    Purpose(
        "a device",
        (
            "device machine scanner vendor manufacturer probe transducer equipment system preset gain doppler"
            " gerat geraet equipo appareil software version"
        ),
    ),
    Purpose(
        "a file",
        (
            "mask masks segmentation annotation roi contour thumbnail overlay maske mascara masque filename path url"
            " uri link dicom folder directory file files datei json xml report licence license"
        ),
    ),
    Purpose("a date or time", "date time year month day timestamp datum fecha duration when"),
    Purpose(
        "a measurement or a grade",
        (
            "size volume diameter length width area depth mm cm ml count level grade grades grading stage staging score"
            " birads tirads orads lirads pirads rads figo gleason tnm metavir severity percentage percent ratio"
        ),
    ),
)


def find_purpose(name: str) -> Purpose | None:
    """The purpose other than label, image or group that a name states, or None.

    A number at the end of a word makes no difference: ``reader1`` is a reader.
    """
    option, *others = PURPOSES
    words, joined = name_tokens(name), squeezed(name)
    if "___" in name or "(choice=" in name:
        return option
    plain = {word.rstrip("0123456789") or word for word in words} | set(words)
    for purpose in others:
        if plain & purpose.word_set or {joined, joined.rstrip("0123456789")} & purpose.names:
            return purpose
    return None
