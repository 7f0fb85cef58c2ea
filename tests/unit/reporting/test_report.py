"""The report as its reader meets it: whole, safe, offline, and with the numbers of the files."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from PIL import Image

from sonoproof.config import ReportConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.reporting.figures.figure_writer import PICTURES_BYTES, FigureWriter, embedded
from sonoproof.reporting.report import build_report
from sonoproof.runfolder import QUARANTINE_COLUMNS, RunFolder, read_table, write_table

RunMaker = Callable[..., RunFolder]
VOID = {"meta", "link", "img", "br", "hr", "input", "col", "source", "wbr"}
HOSTILE = (
    '"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}{% raw %}\u202egnp.evil\u2066\x07&amp;' + "x" * 5000
)
MAX_BYTES = 15_000_000
QUICK = ReportConfig(dpi=60)
TITLED = ReportConfig(title="A title", dpi=60)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        found = [self] if self.tag == tag else []
        return found + [hit for child in self.children for hit in child.all(tag)]

    def full_text(self) -> str:
        return self.text + "".join(child.full_text() for child in self.children)


class StrictParser(HTMLParser):
    """Builds the tree, and fails on a tag that is not closed or closed out of turn."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def parsed(report: Path) -> Element:
    parser = StrictParser()
    parser.feed(report.read_text(encoding="utf-8"))
    parser.close()
    assert [element.tag for element in parser.open] == ["document"], "a tag is not closed"
    return parser.root


def everything(root: Element) -> list[Element]:
    return [root, *(hit for child in root.children for hit in everything(child))]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, make_report_run: RunMaker) -> Path:
    """One report that the tests which only read share."""
    run = make_report_run(tmp_path_factory.mktemp("read") / "run")
    return build_report(run, config=TITLED)


def test_page_is_well_formed_and_can_be_read_aloud(report: Path) -> None:
    page = parsed(report)
    elements = everything(page)
    assert page.all("html")[0].attributes["lang"] == "en"
    assert [element.full_text() for element in page.all("h1")] == ["A title"]
    levels = [int(element.tag[1]) for element in elements if re.fullmatch("h[1-6]", element.tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(element.attributes.get("alt") for element in page.all("img"))
    for table in page.all("table"):
        assert table.all("caption")
        assert all(cell.attributes.get("scope") in ("col", "row") for cell in table.all("th"))
    for drawing in page.all("svg"):
        assert drawing.attributes["role"] == "img"
        assert drawing.all("title")[0].text
        assert drawing.all("desc")[0].text
    assert {"header", "nav", "main", "section", "footer"} <= {element.tag for element in elements}


def test_ids_are_unique_and_references_lead_somewhere(report: Path) -> None:
    elements = everything(parsed(report))
    ids = Counter(element.attributes["id"] for element in elements if "id" in element.attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    for element in elements:
        for name in ("href", "xlink:href"):
            if element.attributes.get(name, "").startswith("#"):
                assert element.attributes[name][1:] in ids
        for target in element.attributes.get("aria-labelledby", "").split():
            assert target in ids
        for target in re.findall(r"url\(#([^)]+)\)", " ".join(element.attributes.values())):
            assert target in ids


def test_nothing_is_loaded_from_elsewhere(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    page = parsed(report)
    for element in everything(page):
        assert element.tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert "srcset" not in element.attributes
        assert element.attributes.get("src", "data:").startswith("data:")
        assert not any(name.startswith("on") for name in element.attributes)
    assert "@import" not in text
    assert not re.findall(r"url\(\s*[^#\s)]", text)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    policy = next(meta for meta in page.all("meta") if "http-equiv" in meta.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_every_link_leads_to_a_file_of_the_run(report: Path) -> None:
    folder = report.parent
    links = [link.attributes["href"] for link in parsed(report).all("a")]
    files = {unquote(link) for link in links if not link.startswith("#")}
    assert [file for file in files if not (folder / file).is_file()] == []
    assert {"audit/lookalikes.csv", "explanations/val/error-01.png"} <= files
    assert {"evaluation/val.json", "evaluation/test_curves.json", "quarantine.csv", "manifest.json"} <= files


def test_every_table_and_picture_names_its_source(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    sources = len(re.findall(r'<p class="source">(From|Finding)', text))
    assert sources >= len(re.findall("<table|<svg", text))


@pytest.mark.slow
def test_text_of_the_sheet_stays_text(run_maker: RunMaker) -> None:
    report = build_report(run_maker(hostile=HOSTILE), config=ReportConfig(title=f"Report {HOSTILE}", dpi=60))
    raw, page = report.read_text(encoding="utf-8"), parsed(report)
    assert not page.all("script")
    assert all(image.attributes["src"].startswith("data:") for image in page.all("img"))
    assert all("onerror" not in element.attributes for element in everything(page))
    shown = page.full_text()
    assert "<script>alert(1)</script>" in shown
    assert "{{7*7}}" in shown
    assert "&amp;" in shown
    for character, code in (("\u202e", "202E"), ("\u2066", "2066"), ("\x07", "0007")):
        assert character not in raw
        assert f"⟨U+{code}⟩" in shown
    assert max(len(cell.full_text()) for cell in page.all("td")) < 1000
    assert "more characters)" in shown
    assert any(HOSTILE[:20] in cell.full_text() for cell in page.all("td")), "the quarantined reference is not shown"


def test_metrics_table_says_what_the_files_say(report: Path) -> None:
    table = next(t for t in parsed(report).all("table") if "Metrics with" in t.all("caption")[0].full_text())
    rows = {row.all("th")[0].full_text(): [cell.full_text() for cell in row.all("td")] for row in table.all("tr")[1:]}
    for place, part in enumerate(("val", "test")):
        evaluation = json.loads((report.parent / "evaluation" / f"{part}.json").read_text())
        assert rows["Frames (positive class)"][place] == f"{evaluation['n']} ({evaluation['n_positive']})"
        for name, metric in METRICS.items():
            numbers = [float(number) for number in re.findall(r"[\d.]+", rows[metric.label][place])]
            assert numbers == [round(evaluation[name][key], 3) for key in ("value", "low", "high")]


def test_flow_accounts_for_every_row(report: Path) -> None:
    flow = next(f for f in parsed(report).all("figure") if f.attributes.get("class") == "flow")
    counts = [int(number.text.replace(",", "")) for number in flow.all("strong")]
    read, quarantined, used, *parts = counts
    assert read == used + quarantined
    assert used == sum(parts)
    assert parts == [360, 120, 90]


@pytest.mark.usefixtures("blank_figures")
def test_many_quarantined_rows_are_counted_by_reason(run_maker: RunMaker) -> None:
    run = run_maker()
    few = read_table(run.quarantine, columns=QUARANTINE_COLUMNS)
    missing = few.head(1).loc[[0] * 2000].assign(reason=[f"file not found: {number}.png" for number in range(2000)])
    write_table(run.quarantine, pd.concat([few, missing]), columns=QUARANTINE_COLUMNS)
    page = parsed(build_report(run, config=QUICK))
    (table,) = [t for t in page.all("table") if "could not be used" in t.all("caption")[0].full_text()]
    rows = [[cell.full_text() for cell in (*row.all("th"), *row.all("td"))] for row in table.all("tr")[1:]]
    assert [row[:2] for row in rows] == [
        ["file not found", "2,001"],
        ["listed twice with opposite labels", "2"],
        ["label not understood", "1"],
        ["image is damaged", "1"],
    ]
    assert rows[0][2] == ", ".join(["frames/gone.png (Sheet1!A17)"] * 3)


def test_report_opens_with_the_gap_where_it_was_measured(report: Path) -> None:
    summary = next(s for s in parsed(report).all("section") if s.attributes["id"] == "summary")
    text = summary.full_text()
    assert text.index("random split of these frames gives 0.974 (0.961–0.985)") < text.index("Validation: 120 frames")
    assert "one side gives 0.812 (0.745–0.871)" in text
    assert "The difference, 0.162," in text


def test_worst_errors_are_errors_and_the_surest_come_first(report: Path) -> None:
    tables = [t for t in parsed(report).all("table") if "most confident of" in t.all("caption")[0].full_text()]
    assert len(tables) == 2
    for table in tables:
        missed = []
        for row in table.all("tr")[1:]:
            _, label, predicted, probability = (cell.full_text() for cell in row.all("td"))
            assert label != predicted
            missed.append(abs((label == "unhealthy") - float(probability)))
        assert missed == sorted(missed, reverse=True)


def test_empty_run_folder_gives_a_report_that_says_what_is_missing(tmp_path: Path) -> None:
    text = parsed(build_report(RunFolder(tmp_path), config=QUICK)).full_text()
    for missing in ("no audit.json", "no split.csv", "no history.csv", "no manifest.json", "Nothing was evaluated"):
        assert missing in text


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize(
    "missing",
    [
        ("manifest.json", "records.csv", "evaluation/val_curves.json"),
        ("config.toml", "split.csv", "predictions"),
        ("cohort.json", "evaluation/test.json", "explanations/val/top-01.preview.png", "audit"),
        ("quarantine.csv", "history.csv", "evaluation"),
        ("audit.json", "model", "explanations"),
    ],
    ids=lambda missing: missing[0],
)
def test_missing_files_cost_their_sections_only(run_maker: RunMaker, missing: tuple[str, ...]) -> None:
    run = run_maker()
    for name in missing:
        gone = run.root / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    page = parsed(build_report(run, config=QUICK))
    assert len(page.all("section")) == 14
    assert ("No labelled test set was given." in page.full_text()) == ("evaluation/test.json" in missing)


@pytest.mark.usefixtures("blank_figures")
def test_damaged_file_is_an_error_and_leaves_the_old_report(run_maker: RunMaker) -> None:
    run = run_maker()
    run.report.write_text("old", encoding="utf-8")
    run.evaluation("val").write_text("{", encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"val\.json"):
        build_report(run, config=QUICK)
    assert run.report.read_text(encoding="utf-8") == "old"


@pytest.mark.slow
def test_same_run_gives_the_same_bytes(report: Path, run_maker: RunMaker) -> None:
    assert build_report(run_maker(), config=TITLED).read_bytes() == report.read_bytes()


def test_figures_have_the_resolution_of_the_settings(report: Path) -> None:
    for path in (report.parent / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.info["dpi"] == pytest.approx((60, 60), abs=0.1)


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.slow
def test_large_pictures_stay_under_the_limit(run_maker: RunMaker) -> None:
    run = run_maker(preview_side=760)  # noise: the worst that can be compressed
    folder_bytes = sum(path.stat().st_size for path in run.root.rglob("*.png"))
    assert folder_bytes > MAX_BYTES
    report = build_report(run, config=QUICK)
    assert report.stat().st_size < MAX_BYTES
    assert len(parsed(report).all("img")) == 11


@pytest.mark.parametrize("pictures", [1, 30, 1000])
def test_pictures_share_the_space(tmp_path: Path, pictures: int) -> None:
    writer = FigureWriter(RunFolder(tmp_path), pictures=pictures)
    assert writer.bytes_per_picture * pictures <= PICTURES_BYTES


def test_picture_that_is_no_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "fake.png").write_text("<svg onload=alert(1)>")
    assert embedded(tmp_path / "fake.png", max_bytes=10_000) is None


def test_no_picture_is_taken_from_outside_the_run(tmp_path: Path, run_maker: RunMaker) -> None:
    run = run_maker()
    shutil.copy(run.audit_folder / "groups.png", tmp_path / "outside.png")
    for path in ("../outside.png", str(tmp_path / "outside.png")):
        assert FigureWriter(run).photograph(path, caption="", alt="x").data_uri is None


@pytest.mark.usefixtures("blank_figures")
def test_a_network_that_the_cheap_classifier_outdoes_is_said_to_be(report: Path, run_maker: RunMaker) -> None:
    def warned(page: Path) -> bool:
        summary = next(s for s in parsed(page).all("section") if s.attributes["id"] == "summary")
        return "ranks frames no better than a cheap classifier" in summary.full_text()

    assert not warned(report)
    run = run_maker()
    evaluation = json.loads(run.evaluation("val").read_text())
    evaluation["auc"] = {"value": 0.7, "low": 0.6, "high": 0.8}
    run.evaluation("val").write_text(json.dumps(evaluation))
    assert warned(build_report(run, config=QUICK))
