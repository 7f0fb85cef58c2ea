"""What the pages say can be done: every command runs, every setting, file, link and test that is named exists."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from tests.support.shared import ROOT
from transformers import MobileNetV1Config, MobileNetV1ForImageClassification
from typer.main import get_command
from typer.testing import CliRunner

import sonoproof.api.runs
import sonoproof.demo
import sonoproof.pipeline
from sonoproof.cli import app
from sonoproof.config import Config, load_config
from sonoproof.data.cohort.cohort import build_cohort, build_test_cohort
from sonoproof.phantom import PhantomConfig, write_cohort
from sonoproof.runfolder import RunFolder
from sonoproof.stages.context import Inputs

PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))

# A fenced block: its language and its text.
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
TABLES = "sheet frames audit split model fit calibrate evaluate explain report"
SETTING = re.compile(rf"\b(?:{'|'.join(TABLES.split())})\.([a-z_]+)\b")
FILE_ENDINGS = {"onnx", "json", "csv", "html", "py", "xlsx", "toml", "md", "safetensors"}
# Names of a column and of a part that look like tests.
NO_TESTS = {"test_twin", "test_without_twins"}

# What makes a command of the pages small enough for a test; said last, it counts.
SMALL_RUN = [
    "frames.size=32", "fit.epochs=1", "fit.threads=1", "explain.top=1", "explain.errors=0",
    "explain.steps=8", "explain.dpi=50", "evaluate.resamples=100", "report.dpi=60",
]  # fmt: skip
SMALL_PHANTOM = ["--patients", "4", "--frames", "4", "--size", "64"]


@dataclass(frozen=True)
class Said:
    """A command as a page shows it."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def prose(page: Path) -> str:
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def shell_lines(page: Path) -> Iterator[list[str]]:
    for text in blocks(page, "sh", "console"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words:
                yield words


def commands() -> list[Said]:
    return [Said(page.name, tuple(words)) for page in PAGES for words in shell_lines(page) if words[0] == "sonoproof"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything that the pages name is there, and the README's first run is done."""
    folder = tmp_path_factory.mktemp("world")
    small = PhantomConfig(patients=16, frames_per_patient=2, size_px=72, workers=1)
    cohort = write_cohort(folder / "cohorts" / "plain", config=small)
    other = write_cohort(
        folder / "other", config=PhantomConfig(patients=4, frames_per_patient=2, size_px=72, workers=1, seed=7)
    )
    shutil.copytree(cohort.images, folder / "frames")
    shutil.copytree(cohort.masks, folder / "masks")
    shutil.copytree(other.images, folder / "test_frames")
    shutil.copytree(other.images, folder / "new_frames")
    shutil.copy(cohort.sheet, folder / "labels.xlsx")
    shutil.copy(other.sheet, folder / "test_labels.xlsx")
    (folder / "settings.toml").write_text(blocks(ROOT / "docs" / "index.md", "toml")[0])
    tiny = MobileNetV1ForImageClassification(MobileNetV1Config(depth_multiplier=0.25, image_size=32))
    tiny.save_pretrained(folder / "mobilenet_v1")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        invoke(first_run())
    shutil.copytree(folder / "runs" / "first", folder / "runs" / "classic")
    shutil.copytree(folder / "runs" / "first", folder / "untouched")
    _fill_in_review(folder)
    return folder


def first_run() -> list[str]:
    return next(list(said.words) for said in commands() if said.page == "README.md" and said.words[1] == "run")


def invoke(words: list[str]) -> str:
    """Run a command in this process, made small."""
    known = get_command(app).commands  # type: ignore[attr-defined]
    assert words[1] in known, f"{' '.join(words)}: there is no such command"
    flags = {flag for parameter in known[words[1]].params for flag in parameter.opts}
    more = [word for setting in SMALL_RUN for word in ("--set", setting)] if "--set" in flags else []
    more = SMALL_PHANTOM if words[1] == "phantom" else more
    result = CliRunner().invoke(app, [*words[1:], *more])
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}\n{result.exception!r}"
    return result.output


def _fill_in_review(folder: Path) -> None:
    workbook = load_workbook(folder / "runs" / "first" / "audit" / "label_review.xlsx")
    sheet = workbook.active
    assert sheet is not None
    columns = {str(cell.value): number for number, cell in enumerate(sheet[1], start=1)}
    present = sheet.cell(2, columns["present label"]).value
    sheet.cell(2, columns["reviewed label"]).value = "healthy" if present == "unhealthy" else "unhealthy"
    workbook.save(folder / "reviewed.xlsx")


@pytest.mark.slow
@pytest.mark.parametrize("said", commands(), ids=str)
def test_a_command_of_the_pages_runs(said: Said, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = list(said.words)
    if words[1:] == first_run()[1:]:
        assert (world / "runs" / "first" / "report.html").is_file()  # done when the world was made
        return
    monkeypatch.chdir(world)
    finished = RunFolder(world / "runs" / "first")
    # Of training runs one is done; of the others the settings, sheets and folders are read.
    monkeypatch.setattr(sonoproof.pipeline, "run", _reads_its_inputs(sonoproof.pipeline.run, finished))
    monkeypatch.setattr(sonoproof.demo, "run_demo", lambda _out, *, reporter: finished)
    for index, word in enumerate(words[:-1]):
        if word == "--out" and words[1] in ("audit", "phantom"):
            words[index + 1] = str(tmp_path / Path(words[index + 1]).name)
    assert invoke(words).strip()


def _reads_its_inputs(run: Callable[..., RunFolder], finished: RunFolder) -> Callable[..., RunFolder]:
    """In place of a run: whole audits are done; of what would be trained, sheets and folders are read."""

    def read(out: Path, *, inputs: Inputs, config: Config, **rest: Any) -> RunFolder:
        if "stages_wanted" in rest:
            return run(out, inputs=inputs, config=config, **rest)
        cohort = build_cohort(inputs.sheet, images=inputs.images, config=config.sheet)
        if inputs.test_images is not None:
            build_test_cohort(inputs.test_images, sheet=inputs.test_sheet, config=config.sheet, classes=cohort.classes)
        return finished

    return read


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_python_that_needs_no_run_works(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [text for text in blocks(ROOT / page, "python") if "runs/" not in text]
    assert lines
    exec(compile("\n".join(lines), page, "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_python_on_a_run_works(page: str, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    finished = RunFolder(world / "runs" / "first")
    monkeypatch.setattr(sonoproof.api.runs, "run_pipeline", _reads_its_inputs(sonoproof.pipeline.run, finished))
    for name in ("first", "second"):  # commands of the pages may have repeated stages of the runs
        shutil.rmtree(world / "runs" / name, ignore_errors=True)
        shutil.copytree(world / "untouched", world / "runs" / name)
    lines = [text for text in blocks(ROOT / page, "python") if "runs/" in text]
    assert lines
    exec(compile("\n".join(["import sonoproof as sp", *lines]), page, "exec"), {})


def test_the_pages_show_commands() -> None:
    shown = {said.words[1] for said in commands()}
    assert shown >= set(get_command(app).commands) - {"demo", "env"}  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_command_that_is_not_there_would_be_noticed(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    with pytest.raises(AssertionError, match="No such option"):
        invoke(["sonoproof", "evaluate", "runs/first", "--no-such-flag"])


@pytest.mark.slow
def test_the_files_that_the_readme_promises_are_there(world: Path) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## What comes out")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    promised = [name for row in rows for name in INLINE.findall(row)]
    assert len(promised) > 10
    assert [name for name in promised if not (world / "runs" / "first" / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestPage:
    def test_links_lead_to_files_and_headings(self, page: Path) -> None:
        broken = []
        for link in LINK.findall(prose(page)):
            path, _, heading = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if link.startswith(("https://", "mailto:")):
                continue
            if not target.exists() or (heading and heading not in _headings(target)):
                broken.append(link)
        assert broken == []

    def test_settings_exist(self, page: Path) -> None:
        for code in [*INLINE.findall(prose(page)), *blocks(page, "sh", "console")]:
            for match in SETTING.finditer(code):
                if match[1] in FILE_ENDINGS or code[match.start() - 1 : match.start()] in ("/", "."):
                    continue
                table, key = match[0].split(".")
                assert hasattr(getattr(load_config(), table), key), f"{match[0]} in {code}"

    def test_toml_is_a_configuration(self, page: Path, tmp_path: Path) -> None:
        for text in blocks(page, "toml"):
            (tmp_path / "settings.toml").write_text(text)
            load_config(tmp_path / "settings.toml")

    def test_make_targets_exist(self, page: Path) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        shown = [words[1] for words in shell_lines(page) if words[0] == "make"]
        shown += re.findall(r"`make ([\w-]+)`", prose(page))
        assert [target for target in shown if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []

    def test_tests_and_sources_that_are_named_exist(self, page: Path) -> None:
        named = INLINE.findall(prose(page))
        tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
        lost = [name for name in named if re.fullmatch(r"test_\w+", name) and f"def {name}(" not in tests]
        lost = [name for name in lost if name not in NO_TESTS]
        lost += [
            name
            for name in named
            if re.fullmatch(r"(?:src|tests|benchmarks|docs)/[\w/.-]+", name) and not (ROOT / name).exists()
        ]
        assert lost == []

    def test_no_path_of_a_machine_and_no_host_of_a_registry(self, page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"(?<![\w.])/(?:work|home|root|Users|tmp|mnt)/\S*", text)
        assert not re.findall(r"\b(?:localhost|127\.0\.0\.1|[\w-]+\.internal|pypi\.org|index-url)\b", text)


def _headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as they are made from their text."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
