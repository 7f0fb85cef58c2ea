"""How people write that a label is not known: words, marks, and numbers far from the labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sonoproof.data.labels.vocabulary import NOT_KNOWN, find_concept, folded

# Phrases of several languages; each is compared without marks and digits too, so that "99 = unknown" is one of them.
_PHRASES = frozenset(
    phrase.strip()
    for phrase in """
    not known|not sure|not certain|uncertain|undetermined|to be determined|inconclusive|equivocal|unspecified|undefined
    not specified|not stated|not given|not recorded|not reported|not documented|not available|not applicable|no data
    not assessed|not assessable|not evaluated|not evaluable|not examined|not tested|not done|not performed|not read
    no information|no info|no result|no answer|not answered|not classified|unclassified|unlabelled|unlabeled|ungraded
    no diagnosis|non diagnostic|nondiagnostic|not diagnostic|uninterpretable|unreadable|cannot tell|unkn
    can't tell|cannot say|cannot be assessed|don't know|dont know|do not know|idk|unk|ukn|n a
    pending|awaiting|awaited|in progress|to follow|to do|refused|refusal|declined|prefer not to say|withdrawn
    possible|possibly|probable|probably|suspected|questionable|perhaps|see report|see note|see comment|siehe befund
    möglich|vielleicht|wahrscheinlich|peut être|voir rapport|posible|quizás|possibile|forse|talvez|возможно|疑似
    lost to follow up|missing value|missing data|no label|blank|nat|none given
    keine angabe|keine angaben|keine daten|k a|nicht bekannt|nicht beurteilbar|nicht durchgeführt|nicht erhoben
    nicht verfügbar|ausstehend|unsicher|fraglich|weiss nicht|verweigert|nicht untersucht|nicht gemacht|ohne angabe
    inconnue|non connu|non renseigné|non renseignée|non fait|non réalisé|non disponible|en attente|incertain
    ne sait pas|refus|manquant|indéterminé|non déterminé|non évalué|non évaluable|à préciser|douteux|sans réponse
    desconocida|no sabe|ns nc|no contesta|sin datos|sin dato|s d|no disponible|no realizado|no hecho|pendiente|dudoso
    no consta|indeterminado|no evaluado|no evaluable|no se sabe|sin información|incierto|no aplica
    sconosciuto|sconosciuta|non noto|ignoto|non disponibile|non eseguito|in attesa|dubbio|incerto|mancante|non so
    desconhecido|desconhecida|ignorado|ignorada|não sabe|não informado|não disponível|não realizado|pendente|duvidoso
    sem informação|sem dados|não avaliado|não se aplica
    onbekend|niet bekend|niet gedaan|niet uitgevoerd|n v t|nvt|weet niet|ontbreekt|in afwachting|onduidelijk
    nieznany|nieznane|nieznana|brak danych|nie wiadomo|b d|nie dotyczy|niepewny|nie wykonano
    neznámý|neznámé|neuvedeno|nevyšetřeno|okänd|okänt|ej utfört|vet ej|ukendt|ukjent|tuntematon|ei tiedossa
    неизвестно|не известно|нет данных|н д|не определено|не проводилось|сомнительно|ожидается|неясно|отказ
    bilinmiyor|belirsiz|veri yok|yapılmadı|beklemede|άγνωστο|không rõ|không biết|غير معروف|غير متوفر
    未知|不详|不詳|不明|不清楚|不确定|不確定|待定|待查|待確認|缺失|未做|未查|未检查|未檢查|拒绝|拒絕|无法判断|無法判斷|未填
    未実施|未記入|未定|保留|判定不能|わからない|欠測|欠損|모름|미상|불명|미확인|보류|미시행
    """.replace("\n", "|").split("|")
    if phrase.strip()
)
_SAS_MISSING = re.compile(r"\.[a-z_]")
_ERROR_VALUE = re.compile(r"#[^\d\s].*[!?]|#(n/?a|n/?d|nv|num|ref)")
_LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_WHOLE = re.compile(r"-?\d{1,6}")
# A minus says "not known", except in a column with a plus.
SIGNS = {"+": "yes", "++": "yes", "(+)": "yes", "-": "no", "−": "no", "–": "no", "--": "no", "(-)": "no"}
# Single digits are codes only next to no and yes (and perhaps a third value).
_MAX_LABEL_BELOW_DIGIT_CODE = 2


def says_not_known(text: str) -> bool:
    """Whether a label says, in words or marks, that it is not known: ``NA``, ``cyst?``, ``9 = unknown``."""
    word = folded(text)
    if (
        "?" in word
        or word in NOT_KNOWN
        or word in _PHRASES
        or _ERROR_VALUE.fullmatch(word)
        or _SAS_MISSING.fullmatch(word)
    ):
        return True
    if not any(map(str.isalnum, word)):
        return "+" not in word
    letters = " ".join(_LETTERS.findall(word))
    has_digits = any(map(str.isdigit, word))
    return letters in _PHRASES | NOT_KNOWN and (len(letters) > 3 or not has_digits)


def are_signed(texts: Iterable[str]) -> bool:
    """Whether the values of a column include a plus, so that a minus is its opposite."""
    return any(SIGNS.get(text) == "yes" for text in texts)


@dataclass(frozen=True)
class Codes:
    """Numbers in a column of labels that look like codes for "not known".

    Attributes:
        certain: Codes; two or more other values remain.
        doubtful: They may be codes or labels; without them, fewer than two values remain.
    """

    certain: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()


def find_codes(texts: Iterable[str]) -> Codes:
    """Find the numbers that are codes for "not known" (-1, 9, 99, -9, 999, 88, …).

    They are negative among numbers that are not, or repeat one digit (9, 8, 7) and lie apart from the other numbers,
    or are such numbers among words.

    Args:
        texts: The different values of a label column that do not say in words that they are not known.
    """
    numbers: dict[int, list[str]] = {}
    words: set[str] = set()
    for text in texts:
        if _WHOLE.fullmatch(folded(text)):
            numbers.setdefault(int(folded(text)), []).append(text)
        else:
            words.add(find_concept(text))
    codes = _codes_among(sorted(numbers), has_words=bool(words))
    found = frozenset(text for number in codes for text in numbers[number])
    remaining = len(numbers) - len(codes) + len(words)
    return Codes(certain=found) if remaining > 1 else Codes(doubtful=found if remaining else frozenset())


def _codes_among(numbers: list[int], *, has_words: bool) -> list[int]:
    labels = [number for number in numbers if number >= 0 and not _has_form_of_code(number)]
    codes = [number for number in numbers if number < 0]
    for number in numbers:
        if number < 0 or number in labels:
            continue
        highest = max(labels, default=None)
        if highest is None and not has_words:
            labels.append(number)  # all numbers have this form: 7, 8 and 9 are a scale
        elif highest is not None and (
            number <= highest + 1 or (number in {7, 8} and highest > _MAX_LABEL_BELOW_DIGIT_CODE)
        ):
            labels.append(number)
        else:
            codes.append(number)
    return codes if labels or has_words else []


def _has_form_of_code(number: int) -> bool:
    digits = str(number)
    return set(digits) in ({"7"}, {"8"}, {"9"}) or number in {96, 97, 98, 996, 997, 998}
