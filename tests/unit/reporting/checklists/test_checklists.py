"""The checklists: every item there, answered from files that exist or left to the authors, in formats that open."""

from __future__ import annotations

import json
import posixpath
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sonoproof.config import ReportConfig
from sonoproof.reporting.checklists import filled_checklists, write_checklists
from sonoproof.reporting.page.limits import limits
from sonoproof.reporting.page.runfiles import read_run_files
from sonoproof.reporting.report import build_report
from sonoproof.runfolder import RunFolder, read_json

RunMaker = Callable[..., RunFolder]
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def by_name(run: RunFolder) -> dict[str, list[tuple[str, str, str]]]:
    """Number, answer and rest of every item of every checklist."""
    return {
        checklist.name: [
            (item.number, item.answer.text if item.answer else "", item.for_authors) for item in checklist.items
        ]
        for checklist in filled_checklists(read_run_files(run))
    }


@pytest.mark.parametrize(
    ("name", "items", "rows"), [("claim-2024", 44, 44), ("tripod-ai", 27, 52), ("stard-ai", 40, 48)]
)
def test_every_item_of_the_publication_is_there_once(tmp_path: Path, name: str, items: int, rows: int) -> None:
    numbers = [number for number, _, _ in by_name(RunFolder(tmp_path))[name]]
    assert len(numbers) == len(set(numbers)) == rows
    assert list(dict.fromkeys(int(re.sub(r"\D", "", number)) for number in numbers)) == list(range(1, items + 1))


def test_of_an_empty_run_nothing_is_answered_and_all_is_left_to_the_authors(tmp_path: Path) -> None:
    for name, items in by_name(RunFolder(tmp_path)).items():
        assert [number for number, answer, _ in items if answer] == [], name
        assert all(rest for _, _, rest in items)


def test_what_no_file_can_know_is_left_to_the_authors(run_maker: RunMaker) -> None:
    found = by_name(run_maker())
    for name, numbers in {
        "claim-2024": ("3", "5", "11", "16", "34", "41", "44"),
        "tripod-ai": ("3c", "5b", "17", "18a", "18b", "19", "27c"),
        "stard-ai": ("6", "8", "10", "26a", "27", "32", "36", "39"),
    }.items():
        rows = {number: (answer, rest) for number, answer, rest in found[name]}
        assert all(rows[number][0] == "" and rows[number][1] for number in numbers)


@pytest.mark.slow
def test_answers_are_the_numbers_of_the_run_and_their_files_exist(run_maker: RunMaker) -> None:
    run = run_maker()
    build_report(run, config=ReportConfig(dpi=60))
    auc = read_json(run.evaluation("test"), schema="evaluation")["auc"]["value"]
    answers = {number: answer for number, answer, _ in by_name(run)["stard-ai"]}
    assert f"Test: Area under the ROC curve {auc:.3f} (" in answers["31"]
    assert "575 rows read, 570 used, 5 quarantined" in answers["24"]
    page = run.report.read_text(encoding="utf-8")
    for checklist in filled_checklists(read_run_files(run)):
        for item in checklist.items:
            for source in item.answer.sources if item.answer else ():
                path, _, section = source.partition("#")
                assert path == "model/weights.safetensors" or (run.root / path).is_file(), source
                assert not section or f'<section id="{section}"' in page, source


def test_a_map_that_failed_its_gate_is_told_in_checklist_and_limits(run_maker: RunMaker) -> None:
    run = run_maker()
    path = run.explanations("test") / "explanations.json"
    checks = [{"name": "model_randomisation", "passed": True}]
    content = json.loads(path.read_text()) | {
        "gate": {"method": "integrated_gradients, blur", "checks": checks},
        "further_gates": [{"method": "saliency", "checks": [checks[0] | {"passed": False}]}],
    }
    path.write_text(json.dumps(content))
    answers = {number: answer for number, answer, _ in by_name(run)["claim-2024"]}
    assert (
        "Integrated gradients (blurred baseline) passed (1 check), Saliency failed (model randomisation)"
        in answers["31"]
    )
    assert "Test: maps that failed the trust gate and must not be relied on: Saliency." in answers["40"]


def test_the_limits_say_that_a_test_part_is_of_the_same_sheet(run_maker: RunMaker) -> None:
    run = run_maker()
    said = "The test frames were set aside from the same sheet"
    assert any(said in sentence for sentence in limits(read_run_files(run)))
    cohort = json.loads(run.cohort.read_text()) | {"test": {"rows_used": 90}}
    run.cohort.write_text(json.dumps(cohort))
    assert not any(said in sentence for sentence in limits(read_run_files(run)))


def test_markdown_and_docx_hold_every_item_and_their_links_lead_into_the_run(run_maker: RunMaker) -> None:
    run = run_maker(hostile="|<b>&\u202e\x07")
    written = write_checklists(run, filled_checklists(read_run_files(run)))
    assert {path.suffix for path in written} == {".md", ".docx"}
    for checklist, (markdown, document) in zip(
        filled_checklists(read_run_files(run)), zip(written[::2], written[1::2], strict=True), strict=True
    ):
        rows = [line for line in markdown.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        assert len(rows) == len(checklist.items) + 2
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
        with zipfile.ZipFile(document) as archive:
            body = ElementTree.fromstring(archive.read("word/document.xml"))
            relations = ElementTree.fromstring(archive.read("word/_rels/document.xml.rels"))
            assert all(ElementTree.fromstring(archive.read(name)) is not None for name in archive.namelist())
        assert len(body.findall(f".//{WORD}tr")) == len(checklist.items) + 1
        targets = {entry.get("Id"): entry.get("Target") for entry in relations}
        for link in body.iter(f"{WORD}hyperlink"):
            path = posixpath.normpath(f"checklists/{targets[link.get(RELATION)]}".partition("#")[0])
            assert not path.startswith(".."), path
        text = "".join(run_.text or "" for run_ in body.iter(f"{WORD}t"))
        assert all(item.asks in text for item in checklist.items)


def test_the_same_run_gives_the_same_documents(run_maker: RunMaker) -> None:
    run = run_maker()
    checklists = filled_checklists(read_run_files(run))
    first = [path.read_bytes() for path in write_checklists(run, checklists)]
    assert [path.read_bytes() for path in write_checklists(run, checklists)] == first
