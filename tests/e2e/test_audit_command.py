"""What the audit finds is acted on: it blocks, drops, or reports with and without; seen from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.support.phantoms import MakePhantom
from tests.support.runs import FAST, Call

from sonoproof.phantom import PhantomCohort
from sonoproof.runfolder import RunFolder, read_json

pytestmark = pytest.mark.slow


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


@pytest.fixture(scope="module")
def contradictory(cohort: PhantomCohort, tmp_path_factory: pytest.TempPathFactory) -> PhantomCohort:
    """The cohort with one frame stored a second time, as PNG and under the opposite label."""
    folder = tmp_path_factory.mktemp("contradictory")
    images = shutil.copytree(cohort.images, folder / "images")
    rows = pd.read_excel(cohort.sheet, dtype=str, engine="calamine")
    first = rows.iloc[0].copy()
    Image.open(images / first["imagePath"]).save(images / "again.png")
    first["imagePath"], first["Healthy"] = "again.png", str(1 - int(first["Healthy"]))
    rows = pd.concat([rows, first.to_frame().T], ignore_index=True)
    rows.to_excel(folder / "labels.xlsx", index=False)
    return PhantomCohort(folder / "labels.xlsx", images, cohort.masks, cohort.truth, rows=len(rows))


def test_a_policy_that_blocks_stops_the_run_with_3_and_says_what_to_do(
    contradictory: PhantomCohort, tmp_path: Path, call: Call
) -> None:
    run = RunFolder(tmp_path / "run")
    words = ["run", contradictory.sheet, "--images", contradictory.images, "--out", run.root, *FAST]
    code, _, err = call(*words, "--set", "audit.duplicate_conflicts=block")
    assert code == 3
    assert "opposite labels" in err
    assert "audit.duplicate_conflicts" in err
    assert run.audit.is_file()
    assert len(table(run.records)) == contradictory.rows
    assert not run.split.exists()
    # The way out that the message names.
    code, _, err = call(*words, "--resume", "--set", "audit.duplicate_conflicts=drop")
    assert code == 0, err
    assert sorted(table(run.quarantine)["reference"]) == sorted(["again.png", table(run.quarantine)["reference"][0]])
    assert len(table(run.records)) == contradictory.rows - 2


@pytest.fixture(scope="module")
def twin_test_set(
    cohort: PhantomCohort, make_phantom: MakePhantom, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, int]:
    """A labelled test folder of other patients, and among them cut, enlarged and brightened frames of the sheet."""
    folder = tmp_path_factory.mktemp("test set")
    other = make_phantom(patients=6, seed=77)
    images = shutil.copytree(other.images, folder / "images")
    rows = pd.read_excel(other.sheet, dtype=str, engine="calamine")[["imagePath", "Healthy"]]
    taken = pd.read_excel(cohort.sheet, dtype=str, engine="calamine").iloc[::12]
    for name in taken["imagePath"]:
        frame = Image.open(cohort.images / name)
        width, height = frame.size
        cut = frame.crop((4, 4, width - 6, height - 3)).resize((120, 120), Image.Resampling.BICUBIC)
        Image.fromarray(np.clip(np.asarray(cut) * 1.1, 0, 255).astype(np.uint8)).save(images / f"twin_{name}")
    twins = taken.assign(imagePath="twin_" + taken["imagePath"])[["imagePath", "Healthy"]]
    pd.concat([rows, twins]).to_excel(folder / "test.xlsx", index=False)
    return images, folder / "test.xlsx", len(twins)


def test_test_frames_with_a_twin_in_the_sheet_are_reported_with_and_without(
    cohort: PhantomCohort, twin_test_set: tuple[Path, Path, int], tmp_path: Path, call: Call
) -> None:
    images, sheet, twins = twin_test_set
    run = RunFolder(tmp_path / "run")
    words = ["run", cohort.sheet, "--images", cohort.images, "--test-images", images, "--test-sheet", sheet]
    code, out, err = call(*words, "--out", run.root, *FAST)
    assert code == 0, err
    every, alone = (read_json(run.evaluation(part), schema="evaluation") for part in ("test", "test_without_twins"))
    assert every["n"] - alone["n"] == twins
    assert not any("twin_" in image_id for image_id in table(run.predictions("test_without_twins"))["image_id"])
    assert "without" in out
    finding = next(f for f in read_json(run.audit, schema="audit")["findings"] if f["id"] == "test-twins")
    assert finding["level"] != "info"


def test_twins_of_test_frames_can_be_left_out_of_training(
    cohort: PhantomCohort, twin_test_set: tuple[Path, Path, int], tmp_path: Path, call: Call
) -> None:
    images, _, twins = twin_test_set
    out = RunFolder(tmp_path / "audit")
    words = ["audit", cohort.sheet, "--images", cohort.images, "--against-images", images, "--out", out.root]
    code, said, err = call(*words, "--backbone", "random", "--set", "frames.size=32", "--set", "audit.test_twins=drop")
    assert code == 0, err
    dropped = table(out.quarantine)
    originals = {path.name.removeprefix("twin_") for path in images.glob("twin_*")}
    assert originals <= set(dropped["reference"])
    assert len(originals) == twins
    assert "twin" in said


def test_a_caliper_that_follows_the_class_is_reported_on_the_command_line(
    make_phantom: MakePhantom, tmp_path: Path, call: Call
) -> None:
    planted = make_phantom(patients=32, frames_per_patient=2, size_px=160, caliper=True)
    words = ["audit", planted.sheet, "--images", planted.images, "--out", tmp_path / "audit", "--backbone", "random"]
    code, said, err = call(*words, "--set", "frames.size=64")
    assert code == 0, err
    assert "serious" in said
    assert "overlays" in said
