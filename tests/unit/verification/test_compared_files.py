from __future__ import annotations

import json
from pathlib import Path

import pytest

from sonoproof.verification.files import compared, differing_places
from sonoproof.verification.page import page_texts


def pair(folder: Path, name: str, found: str, expected: str) -> list[str]:
    (folder / "found").mkdir(exist_ok=True)
    (folder / "found" / name).write_text(found, encoding="utf-8")
    (folder / name).write_text(expected, encoding="utf-8")
    return differing_places(folder / "found" / name, folder / name)


def test_numbers_have_a_tolerance_and_nothing_else_has(tmp_path: Path) -> None:
    one = {"auc": {"value": 0.9, "low": None}, "unit": "group", "n": 10, "bins": [1.0, 2.0]}
    near = {"auc": {"value": 0.9 + 1e-9, "low": None}, "unit": "group", "n": 10, "bins": [1.0, 2.0]}
    assert pair(tmp_path, "a.json", json.dumps(one), json.dumps(near)) == []
    far = {"auc": {"value": 0.9001, "low": 0.8}, "unit": "row", "bins": [1.0]}
    assert pair(tmp_path, "a.json", json.dumps(far), json.dumps(one)) == [
        "auc.value: 0.9001, should be 0.9", "auc.low: 0.8, should be null", "unit: row, should be group",
        "n: nothing, should be 10", "bins[1]: nothing, should be 2.0",
    ]  # fmt: skip


def test_undefined_is_not_zero(tmp_path: Path) -> None:
    assert pair(tmp_path, "a.json", '{"value": 0}', '{"value": null}') == ["value: 0, should be null"]
    assert pair(tmp_path, "a.json", '{"value": false}', '{"value": 0}') == ["value: false, should be 0"]


def test_a_table_is_compared_cell_by_cell(tmp_path: Path) -> None:
    assert pair(tmp_path, "a.csv", "m,v\nauc,0.50\n", "m,v\nauc,0.5\n") == []
    assert pair(tmp_path, "a.csv", "m,v\nauc,\n", "m,v\nauc,0.5\nloss,1\n") == [
        "line 2, v: , should be 0.5", "line 3, m: nothing, should be loss", "line 3, v: nothing, should be 1",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), [("a.json", "{"), ("a.csv", "a,b\n1\n"), ("a.xlsx", "no workbook")])
def test_a_damaged_file_is_a_difference(tmp_path: Path, name: str, content: str) -> None:
    whole = {"a.json": "{}", "a.csv": "a,b\n1,2\n"}
    if name in whole:
        (line,) = pair(tmp_path, name, content, whole[name])
    else:
        from openpyxl import Workbook

        Workbook().save(tmp_path / name)
        (tmp_path / "found.xlsx").write_text(content)
        (line,) = differing_places(tmp_path / "found.xlsx", tmp_path / name)
    assert line.startswith("cannot be read")


def test_another_version_may_word_its_sentences_differently_and_have_no_other_numbers(tmp_path: Path) -> None:
    old = {"auc": {"value": 0.9}, "unit": "group", "notes": ["10 rows stand alone"], "undefined": {"npv": "no row"}}
    new = {"auc": {"value": 0.9}, "unit": "group", "notes": ["Ten rows.", "One more."], "undefined": {"npv": "no one"}}
    for name, content in (("old.json", old), ("new.json", new)):
        (tmp_path / name).write_text(json.dumps(content))
    assert differing_places(tmp_path / "old.json", tmp_path / "new.json", sentences=False) == []
    assert len(differing_places(tmp_path / "old.json", tmp_path / "new.json")) == 3
    (tmp_path / "old.json").write_text(json.dumps(old | {"auc": {"value": 0.8}, "unit": "row"}))
    assert differing_places(tmp_path / "old.json", tmp_path / "new.json", sentences=False) == [
        "auc.value: 0.8, should be 0.9", "unit: row, should be group",
    ]  # fmt: skip
    assert compared(Path("evaluation/val.json"), sentences=False)
    assert not compared(Path("report.html"), sentences=False)


def test_a_picture_is_left_to_its_hash() -> None:
    assert not compared(Path("figure.png"))
    assert compared(Path("report.html"))


PAGE = """<html><head><title>t</title></head><body><header><h1>made {when}</h1></header>
<section id="performance"><p>AUC {auc}</p><svg><title>ROC</title><text>{auc}</text></svg>
<img alt="seen {auc}" src="data:"></section>
<section id="provenance"><p>{when}</p></section></body></html>"""


def test_what_the_page_prints_is_read_and_when_it_was_made_is_not(tmp_path: Path) -> None:
    texts = dict(page_texts(PAGE.format(auc="0.9", when="today")))
    assert list(texts.values()) == ["AUC 0.9", "ROC", "0.9", "seen 0.9"]
    one, other = PAGE.format(auc="0.9", when="today"), PAGE.format(auc="0.8", when="tomorrow")
    assert len(pair(tmp_path, "a.html", one, other)) == 3
    assert pair(tmp_path, "a.html", one, one.replace("today", "tomorrow")) == []
