"""Encodings of csv files: found and right, or asked; never rubbish that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonoproof.data.spreadsheets.csvfile import read_csv_grid
from sonoproof.data.spreadsheets.encodings import find_encoding
from sonoproof.errors import SheetError


def sheet(header: str, *cells: str) -> str:
    return f"{header}\n" + "".join(f"p{number:03}_c1.jpg,{cells[number % len(cells)]}\n" for number in range(24))


TEXTS = {
    "Russian": (
        sheet("имя файла,диагноз", "доброкачественная", "злокачественная"),
        ("cp1251", "koi8-r", "cp866", "mac-cyrillic", "utf-16-le", "utf-16-be"),
    ),
    "Chinese": (sheet("文件名,诊断", "良性", "恶性"), ("gbk", "gb18030", "utf-16-le")),
    "Chinese, traditional": (sheet("檔名,診斷", "良性", "惡性"), ("big5", "gbk")),
    "Chinese file names": (sheet("image,label,file", "benign,图像01.jpg", "malignant,图像02.jpg"), ("gbk",)),
    "Japanese": (sheet("ファイル名,診断", "良性", "悪性"), ("shift-jis", "euc-jp")),
    "Korean": (sheet("파일,진단", "양성", "악성"), ("cp949",)),
    "Polish": (sheet("plik,rozpoznanie", "łagodna", "złośliwa"), ("cp1250", "iso8859-2")),
    "Czech": (sheet("soubor,diagnóza", "nezhoubný", "zhoubný"), ("cp1250",)),
    "German": (sheet("Bild,Diagnose", "gutartig", "bösartig"), ("cp1252", "mac-roman", "cp850", "cp437")),
    "French": (sheet("image,diagnostic", "bénin", "maligne"), ("cp1252", "mac-roman", "cp850")),
    "Spanish": (sheet("imagen,diagnóstico", "sí", "no"), ("cp1252", "mac-roman", "cp850")),
    "Portuguese": (sheet("imagem,saudável", "não", "sim"), ("cp1252", "mac-roman")),
    "Turkish": (sheet("dosya,tanı", "iyi huylu", "kötü huylu şüpheli"), ("cp1254",)),
    "Greek": (sheet("image,διάγνωση", "καλοήθης", "κακοήθης"), ("cp1253",)),
    "German names": (sheet("image,label,name", "0,Müller", "1,Jürgens"), ("cp1252", "cp850")),
    "Portuguese names": (sheet("image,label,name", "0,João", "1,Conceição"), ("cp1252",)),
    "names of many countries": (sheet("image,label,name", "0,Muñoz", "1,Ångström", "1,Lefèvre", "0,Weiß"), ("cp1252",)),
    "units": (sheet("image,label,note", "0,23 °C ± 2 µm", "1,½ · “quoted” — 3×4"), ("cp1252",)),
    "capitals": (sheet("BILD,Ärztin", "MÜLLER", "Öl-Größe"), ("cp1252", "mac-roman")),
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(text, encoding, id=f"{name}, {encoding}")
        for name, (text, all_) in TEXTS.items()
        for encoding in all_
    ],
)
def test_an_encoding_is_found(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    assert path.read_bytes().decode(find_encoding(path)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (sheet("image,label", "子宮内膜症", "卵巣のう腫"), "euc-jp"),
        (sheet("image,name", "Müller"), "mac-roman"),
        (sheet("image,name", "João"), "mac-roman"),
        (sheet("image,label", "złośliwa"), "mac-latin2"),
    ],
)
def test_what_is_not_clear_is_asked_and_settled_by_naming_it(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(SheetError, match="--encoding"):
        find_encoding(path)
    assert text.split("\n")[1].split(",")[1] in read_csv_grid(path, encoding=encoding).row(1)


def test_lines_in_different_encodings_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("a.jpg,bösartig\n".encode() + "b.jpg,bösartig\n".encode("cp1252"))
    with pytest.raises(SheetError, match="lines differ in encoding"):
        find_encoding(path)


@pytest.mark.parametrize(("encoding", "problem"), [("cp0815", "is not known"), ("utf-8", "is not text in utf-8")])
def test_an_encoding_that_does_not_fit_is_an_error(encoding: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("a.jpg,bösartig\n".encode("cp1252"))
    with pytest.raises(SheetError, match=problem):
        read_csv_grid(path, encoding=encoding)
