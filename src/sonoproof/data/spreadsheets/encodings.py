"""The text encoding of a csv file: proved by what the text says, or a question.

Every byte string is some text in a one-byte encoding, so decoding without an error proves nothing. Encodings are
excluded whose text no one would write (letters of two scripts in a word, a symbol or a capital inside a word, letters
that no language uses together). Where several remain that give different texts, words for labels and columns decide,
and for scripts other than Latin the detector charset-normalizer; else the user is asked.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from sonoproof.errors import SheetError, SheetFault

CHUNK_CHARACTERS = 1 << 20
SAMPLE_LINES = 2000
SAMPLE_BYTES = 1 << 17
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Of encodings that give equal texts the first is taken; so it is of the first five, which have most letters in common.
NEARLY_EQUAL = 5
LATIN = ("cp1252", "cp1250", "cp1254", "cp1257", "iso8859-2", "mac-roman", "cp850", "cp852")
OTHER_SCRIPTS = (
    *("cp1251", "koi8-r", "cp866", "mac-cyrillic", "cp1253", "cp1255", "cp1256"),
    *("gb18030", "big5", "cp932", "euc-jp", "cp949"),
)
# Letters beside a to z that one language uses, as a rule.
_WESTERN = ("äöüßé", "àâæçéèêëîïôœùûü", "áéíóúüñçàèòï", "áâãàçéêíóôõúü", "àèéìòùî", "åäöæøé", "ëéèïöüáó")
_EASTERN = (
    *("ąćęłńóśźż", "áčďéěíňóřšťúůýžäĺľŕô", "áéíóöőúüű", "ăâîșțşţ", "čćđšž"),
    *("çğıöşüâîi̇", "āčēģīķļņšūž", "ąčęėįšųūž"),
)
ALPHABETS = [frozenset(letters) for letters in (*_WESTERN, *_EASTERN)]
# Names of several countries in one sheet: their letters together, in the most common encoding only.
_ALL_WESTERN = [frozenset("".join(_WESTERN))]
# What such a letter is not followed by, as a rule: Portuguese não is not Romanian năo.
_UNUSUAL = re.compile(r"ă[oe]|ã[^oe\W]|õ[^e\W]|œ[^uiq\W]")
_WORD = re.compile(r"[^\s,;|\"'()\[\]{}<>=:/\\&*#!?@%_.\d~^`$-]+")
_BESIDE_WORDS = "«»“”„‚‘’…–—°¹²³½¼¾µ±×÷§®©™€£ºª·•†"
# Words for labels and columns that are written with letters beside a to z.
_TELLING = """
    bösartig bösartige unauffällig auffällig läsion ungewöhnlich größe gerät bénin bénigne négatif contrôle lésion
    diagnóstico clínico sí saudável não lesão más diagnóstica fémina clínica résultat échographie patología categoría
    łagodny łagodna łagodne złośliwy złośliwa złośliwe zdjęcie nezhoubný zhoubný zdravý nemocný diagnóza nález štítek
    dobroćudan zloćudan sănătos iyi kötü hasta tanı sağlıklı etiket görüntü şüpheli huylu jóindulatú rosszindulatú
    норма киста диагноз пациент пациента доброкачественная доброкачественное доброкачественный злокачественная
    злокачественное злокачественный здоров здорова болен да нет метка файл изображение имя класс опухоль больной
    патология доброкачественно злокачественно положительный отрицательный положительно отрицательно снимок номер
    результат καλοήθης κακοήθης διάγνωση ασθενής εικόνα υγιής ναι όχι 良性 恶性 惡性 悪性 正常 异常 異常 诊断 診斷
    診断 患者 病人 文件名 檔名 图像 圖像 图片 画像 標籤 标签 ラベル 姓名 健康 疾病 是 否 有 无 無 はい いいえ 阳性
    阴性 陽性 陰性 类别 類別 分类 ファイル名 ファイル 患者番号 编号 編號 肿瘤 腫瘤 腫瘍 囊肿 病理 结果 結果 양성 악성
    정상 비정상 진단 환자 환자번호 파일 파일명 예 아니오 영상 라벨
"""
TELLING = frozenset(_TELLING.split())


@dataclass(frozen=True)
class _Reading:
    """The text of a file in one encoding.

    Attributes:
        encoding: The encoding.
        text: A sample of the text: the lines with characters beside ASCII.
        told: How many different `TELLING` words it has.
    """

    encoding: str
    text: str
    told: int


def find_encoding(path: Path) -> str:
    """Find the text encoding of a file.

    Raises:
        SheetError: The file is not text, its lines are in different encodings, or several encodings are possible.
    """
    with path.open("rb") as file:
        beginning = file.read(4096)
    for mark, encoding in BOMS:
        if beginning.startswith(mark):
            return require_encoding(path, encoding)
    if b"\0" in beginning:
        return require_encoding(path, _find_byte_order(beginning))
    if _decodes(path, "utf-8"):
        return "utf-8"
    return _choose(path, _read_sample(path))


def require_encoding(path: Path, encoding: str) -> str:
    """The encoding, if the whole file is text in it.

    Raises:
        SheetError: It is not, or there is no such encoding.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise SheetError(f"--encoding {encoding!r} is not known; encodings are utf-8, cp1251, gb18030, …") from error
    if not _decodes(path, encoding):
        raise SheetError(f"{path}: is not text in {encoding}; name its encoding with --encoding, or save it as xlsx")
    return encoding


def _find_byte_order(beginning: bytes) -> str:
    return "utf-16-le" if beginning[1::2].count(0) > beginning[::2].count(0) else "utf-16-be"


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(CHUNK_CHARACTERS):
                pass
    except UnicodeError:
        return False
    return True


def _read_sample(path: Path) -> bytes:
    """Different lines with bytes beside ASCII."""
    lines: dict[bytes, None] = {}
    size = 0
    with path.open("rb") as file:
        for line in file:
            if not line.isascii() and line not in lines:
                lines[line] = None
                size += len(line)
                if len(lines) >= SAMPLE_LINES or size > SAMPLE_BYTES:
                    break
    return b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)


def _choose(path: Path, sample: bytes) -> str:
    """The one encoding in which the sample is text that someone would write."""
    readings = _merge_equal(
        _read_plausibly(sample, (*LATIN, *OTHER_SCRIPTS), ALPHABETS) or _read_plausibly(sample, LATIN[:1], _ALL_WESTERN)
    )
    readings = [reading for reading in readings if _decodes(path, reading.encoding)]
    if not readings:
        raise _no_encoding(path, sample)
    most = max(reading.told for reading in readings)
    best = [reading for reading in readings if reading.told == most]
    if len(best) == 1:
        return best[0].encoding
    if best[0].encoding == LATIN[0] or all(reading.encoding in LATIN[:NEARLY_EQUAL] for reading in best):
        return best[0].encoding
    detected = _detect(sample, best)
    if detected:
        return detected
    raise _several_encodings(path, best)


def _read_plausibly(sample: bytes, encodings: Sequence[str], alphabets: Sequence[frozenset[str]]) -> list[_Reading]:
    readings = []
    for encoding in encodings:
        try:
            text = unicodedata.normalize("NFC", sample.decode(encoding))
        except UnicodeDecodeError:
            continue
        words = {word.strip(_BESIDE_WORDS) for word in _WORD.findall(text) if not word.isascii()} - {""}
        if _is_written(words, text) and (encoding not in LATIN or _is_of_one_language(words, alphabets)):
            readings.append(_Reading(encoding, text, len({word.casefold() for word in words} & TELLING)))
    return readings


def _is_written(words: set[str], text: str) -> bool:
    """Whether someone would write these words: no control characters, and no symbols or scripts mixed in a word."""
    if any(unicodedata.category(letter) in {"Cc", "Co", "Cn"} and letter not in "\t\r\n" for letter in set(text)):
        return False
    return all(word.isalpha() and _is_one_script(word) and _is_cased(word) for word in words)


def _is_of_one_language(words: set[str], alphabets: Sequence[frozenset[str]]) -> bool:
    used = {letter for word in words for letter in word.casefold() if not letter.isascii()}
    fits = any(used <= alphabet for alphabet in alphabets)
    return fits and not any(_UNUSUAL.search(word.casefold()) for word in words)


def _is_one_script(word: str) -> bool:
    """Whether all letters are of one script; Chinese characters, kana and prolonged sounds go together."""
    scripts = {_find_script(letter) for letter in word}
    return len(scripts) == 1 or scripts <= {"CJK", "KATAKANA", "HIRAGANA", "KATAKANA-HIRAGANA"}


def _find_script(letter: str) -> str:
    return unicodedata.name(letter, "NONE").split(" ")[0]


def _is_cased(word: str) -> bool:
    """Whether capitals are where people write them; half-width kana come of a wrong encoding."""
    return "HALFWIDTH" not in map(_find_script, word) and (word[1:].islower() or word.isupper() or not _has_case(word))


def _has_case(word: str) -> bool:
    return any(letter.lower() != letter.upper() for letter in word[1:])


def _merge_equal(readings: Iterable[_Reading]) -> list[_Reading]:
    """One reading for each text."""
    by_text: dict[str, _Reading] = {}
    for reading in readings:
        by_text.setdefault(reading.text, reading)
    return list(by_text.values())


def _detect(sample: bytes, readings: list[_Reading]) -> str:
    """The encoding that the detector prefers to all others, "" if it has no preference."""
    names = [reading.encoding for reading in readings]
    found = list(charset_normalizer.from_bytes(sample, cp_isolation=names, enable_fallback=False))
    if not found or found[0].coherence == 0 or any(match.coherence >= found[0].coherence for match in found[1:]):
        return ""
    text = unicodedata.normalize("NFC", str(found[0]))
    return next((reading.encoding for reading in readings if reading.text == text), "")


def _no_encoding(path: Path, sample: bytes) -> SheetError:
    first = sample.partition(b"\n")[0]
    fault = SheetFault("is not UTF-8", path.name, value=first[:80].decode("utf-8", "replace").strip())
    return SheetError(
        f"{path}: is not text, or not in a clear encoding, or its lines differ in encoding; name it with --encoding, or"
        " save the sheet as xlsx, or as csv in UTF-8",
        faults=[fault],
    )


def _several_encodings(path: Path, readings: Iterable[_Reading]) -> SheetError:
    def example(reading: _Reading) -> str:
        return next(iter(word for word in _WORD.findall(reading.text) if not word.isascii()), "")

    return SheetError(
        f"{path}: its text may be in several encodings; name the right one with --encoding",
        faults=[SheetFault(f"in {reading.encoding}", path.name, value=example(reading)) for reading in readings],
    )
