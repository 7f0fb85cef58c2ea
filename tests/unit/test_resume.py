"""What makes a stage run again, what does not, and that the reader is told why."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from sonoproof import pipeline
from sonoproof.config import Config, load_config, override
from sonoproof.errors import ConfigError, RunFolderError
from sonoproof.manifest import Manifest
from sonoproof.pipeline import Stage
from sonoproof.progress import SILENT
from sonoproof.resume import changes, input_content, mask_content, settings
from sonoproof.runfolder import RECORD_COLUMNS, RunFolder, write_table, write_text
from sonoproof.stages.context import Inputs, RunContext


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, name: str) -> None:
        self.lines.append(name)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, done: int, total: int) -> None: ...


class Work:
    """A stage's work that writes one file and remembers how it was called."""

    def __init__(self, name: str) -> None:
        self.name, self.resumed, self.refuses, self.spoils = name, [], False, False  # type: ignore[var-annotated]

    def __call__(self, context: RunContext) -> list[Path]:
        self.resumed.append(context.resume)
        out = context.run.root / f"{self.name}.txt"
        if self.spoils:
            write_text(out, "half")
        if self.refuses:
            raise ConfigError("no")
        write_text(out, f"{self.name} {len(self.resumed)}")
        return [out]


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> tuple[Work, Work]:
    first, second = Work("audit"), Work("fit")
    stages = (Stage("audit", "first", first, ("frames",)), Stage("fit", "second", second, ("fit",), reads=mask_content))
    monkeypatch.setattr(pipeline, "STAGES", stages)
    return first, second


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.png").write_bytes(b"first")
    (images / "b.png").write_bytes(b"second")
    (tmp_path / "labels.csv").write_text("image,label\n")
    return Inputs(sheet=tmp_path / "labels.csv", images=images)


CONFIG = override(Config(), {"model": {"backbone": "random"}}, origin="test")


def go(out: Path, inputs: Inputs, *, config: Config = CONFIG) -> list[str]:
    told = Listener()
    stages = pipeline.STAGES
    pipeline.run(out, inputs=inputs, config=config, reporter=told, resume=out.exists(), stages_wanted=stages)
    return told.lines


def test_what_a_file_manager_leaves_and_new_times_do_nothing_again(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]
) -> None:
    go(tmp_path / "run", inputs)
    (inputs.images / ".DS_Store").write_bytes(b"\0")
    (inputs.images / "Thumbs.db").write_bytes(b"\0")
    os.utime(inputs.images / "a.png", (1, 1))
    os.utime(inputs.sheet, (1, 1))
    assert go(tmp_path / "run", inputs) == ["first: done before", "second: done before"]


def test_an_image_of_equal_size_and_time_is_noticed(tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]) -> None:
    go(tmp_path / "run", inputs)
    image = inputs.images / "a.png"
    times = image.stat()
    image.write_bytes(b"FIRST")
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert go(tmp_path / "run", inputs) == [
        "first: done again, because the images changed", "first",
        "second: done again, because an earlier stage was done again", "second",
    ]  # fmt: skip


def test_other_masks_do_again_what_reads_them_and_nothing_before(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "a.png").write_bytes(b"one")
    config = override(CONFIG, {"explain": {"masks": str(masks)}}, origin="test")
    go(tmp_path / "run", inputs, config=config)
    (masks / "a.png").write_bytes(b"two")
    again = go(tmp_path / "run", inputs, config=config)
    assert again == ["first: done before", "second: done again, because the masks changed", "second"]


def test_moved_folders_of_the_same_content_do_nothing_again_and_the_reader_is_told(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "a.png").write_bytes(b"one")
    go(tmp_path / "run", inputs, config=override(CONFIG, {"explain": {"masks": str(masks)}}, origin="test"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = [path.rename(elsewhere / path.name) for path in (inputs.images, masks)]
    config = override(CONFIG, {"explain": {"masks": str(moved[1])}}, origin="test")
    told = go(tmp_path / "run", replace(inputs, images=moved[0]), config=config)
    assert told == [
        f"images: now {moved[0]}, before {inputs.images}; what has the same content is not done again",
        "first: done before", "second: done before",
    ]  # fmt: skip
    (tmp_path / "run").rename(elsewhere / "run")
    told = go(elsewhere / "run", replace(inputs, images=moved[0]), config=config)
    assert told[0].startswith(f"run folder: now {elsewhere / 'run'}, before {tmp_path / 'run'}; what has")
    assert told[-1] == "second: done before"


def test_a_backbone_is_known_by_its_files_and_not_by_its_folder(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "same", "other")]
    for folder in folders:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"other" if folder.name == "other" else b"weights")
    one, same, other = (
        settings(override(CONFIG, {"model": {"backbone": str(folder)}}, origin="test"), ("model",))
        for folder in folders
    )
    assert one == same
    assert one != other


def test_edits_of_the_settings_file_are_told_and_not_written_over(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]
) -> None:
    run = RunFolder(tmp_path / "run")
    go(run.root, inputs)
    edited = run.config.read_text().replace('aspect = "pad"', 'aspect = "stretch"')
    write_text(run.config, edited)
    expected = r"frames\.aspect is stretch there and pad in this command.*--config .*config\.toml"
    with pytest.raises(ConfigError, match=expected):
        go(run.root, inputs)
    assert run.config.read_text() == edited
    assert (
        go(run.root, inputs, config=load_config(run.config))[0]
        == "first: done again, because frames.aspect was pad, is stretch"
    )
    write_text(run.config, run.config.read_text() + "\n# a remark\n")
    assert go(run.root, inputs, config=load_config(run.config)) == ["first: done before", "second: done before"]


def test_images_are_found_where_they_are_now(tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    images = inputs.images.rename(place / "images")
    run = RunFolder(place / "run")
    go(run.root, replace(inputs, images=images))
    records = pd.DataFrame(dict.fromkeys(RECORD_COLUMNS, "1") | {"origin": "sheet"}, index=[0])
    records = records.assign(image_id="a.png", path=str(images / "a.png"))
    write_table(run.records, records, columns=RECORD_COLUMNS)
    moved = place.rename(tmp_path / "mount")
    beside = RunContext(RunFolder(moved / "run"), config=CONFIG)
    assert list(beside.located_records["path"]) == [str(moved / "images" / "a.png")]
    assert list(beside.records["path"]) == [str(images / "a.png")]
    (moved / "images").rename(tmp_path / "given")
    named = RunContext(beside.run, config=CONFIG, inputs=replace(inputs, images=tmp_path / "given"))
    assert list(named.located_records["path"]) == [str(tmp_path / "given" / "a.png")]


def test_a_changed_setting_is_named(tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]) -> None:
    go(tmp_path / "run", inputs)
    config = replace(CONFIG, fit=replace(CONFIG.fit, epochs=3))
    told = go(tmp_path / "run", inputs, config=config)
    assert told[1] == f"second: done again, because fit.epochs was {CONFIG.fit.epochs}, is 3"


def test_a_changed_output_is_named(tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]) -> None:
    go(tmp_path / "run", inputs)
    (tmp_path / "run" / "fit.txt").write_text("another")
    told = go(tmp_path / "run", inputs)
    assert told[1] == "second: done again, because fit.txt is missing or is not as this stage wrote it"


def test_a_killed_stage_goes_on_and_a_finished_one_begins_anew(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, second = RunFolder(tmp_path / "run"), works[1]
    go(run.root, inputs)
    for _ in range(2):
        pipeline.rerun(run, name="fit", config=CONFIG, reporter=SILENT)
    assert second.resumed == [False, False, False]
    write = second.__class__.__call__

    def killed(work: Work, context: RunContext) -> list[Path]:
        write(work, context)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Work, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.rerun(run, name="fit", config=CONFIG, reporter=SILENT)
    pipeline.rerun(run, name="fit", config=CONFIG, reporter=SILENT)
    assert second.resumed == [False, False, False, False, True]


def test_a_stage_that_refuses_leaves_the_manifest_as_it_was(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]
) -> None:
    run, second = RunFolder(tmp_path / "run"), works[1]
    go(run.root, inputs)
    before = run.manifest.read_bytes()
    second.refuses = True
    with pytest.raises(ConfigError):
        pipeline.rerun(run, name="fit", config=override(CONFIG, {"fit": {"epochs": 3}}, origin="test"))
    assert run.manifest.read_bytes() == before


def test_a_stage_that_refuses_after_it_changed_a_file_is_unfinished(
    tmp_path: Path, inputs: Inputs, works: tuple[Work, Work]
) -> None:
    run, second = RunFolder(tmp_path / "run"), works[1]
    go(run.root, inputs)
    second.refuses = second.spoils = True
    with pytest.raises(ConfigError):
        pipeline.rerun(run, name="fit", config=CONFIG)
    assert not Manifest(run).is_finished("fit")


def test_a_run_inside_the_image_folder_is_refused_before_anything_is_written(inputs: Inputs) -> None:
    out = inputs.images / "runs" / "a"
    with pytest.raises(RunFolderError, match="lies inside the images folder"):
        pipeline.run(out, inputs=inputs, config=CONFIG)
    assert not out.exists()


def test_content_is_of_names_and_bytes(inputs: Inputs) -> None:
    given = {"images": inputs.images}
    before = input_content(given)
    (inputs.images / "a.png").rename(inputs.images / "c.png")
    assert input_content(given) != before
    (inputs.images / "c.png").rename(inputs.images / "a.png")
    assert input_content(given) == before


def test_many_changes_are_counted() -> None:
    before = {f"fit.s{k}": 0 for k in range(6)}
    assert (
        changes(before, dict.fromkeys(before, 1))
        == "fit.s0 was 0, is 1, fit.s1 was 0, is 1, fit.s2 was 0, is 1, 3 more"
    )
    assert changes({"sheet.group_columns": ["a"]}, {"sheet.group_columns": ("a",)}) == ""
