"""The audit: each detector finds what was planted, is silent on the clean twin, and misses it when disabled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from sonoproof.classes import Classes
from sonoproof.config import AuditConfig, FramesConfig
from sonoproof.data.audit import AuditOutcome, Finding, add_to_audit, audit_cohort, examine_frames, write_audit
from sonoproof.data.audit.audit import DETECTORS
from sonoproof.data.audit.compression import jpeg_quality
from sonoproof.data.audit.duplicates import find_exact_duplicates
from sonoproof.data.audit.findings import Level
from sonoproof.data.audit.naming import series_of
from sonoproof.data.frames.facts import read_frame
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import open_store
from sonoproof.data.labels.quarantine import empty_quarantine
from sonoproof.data.lookalike import Link, LookalikeResult
from sonoproof.errors import AuditBlocked
from sonoproof.groups import effective_number
from sonoproof.runfolder import QUARANTINE_COLUMNS, RunFolder, read_json

Rgb = npt.NDArray[np.uint8]
Plant = Callable[["Cohort"], None]

PATIENTS, FRAMES = 30, 2
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


class Cohort:
    """Speckled sectors of 30 patients, half of them healthy, in memory until `audit` writes them."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.folder = folder
        self.frames: dict[str, Rgb] = {}
        self.labels: dict[str, str] = {}
        self.patients: dict[str, str] = {}
        self.origins: dict[str, str] = {}
        self.sources: dict[str, str] = {}
        self.columns: tuple[str, ...] = ("patient_id",)
        self.quality = 90
        self.qualities: dict[str, int] = {}
        self.config = AuditConfig()
        self.quarantine = empty_quarantine()
        for patient in range(PATIENTS):
            for frame in range(FRAMES):
                self.add(f"p{patient:02d}_{frame}.png", sector(rng), patient=f"p{patient:02d}")

    def add(self, name: str, pixels: Rgb, *, patient: str, label: str | None = None, origin: str = "sheet") -> None:
        self.frames[name] = pixels
        self.patients[name] = patient
        self.labels[name] = label if label is not None else ("healthy" if int(patient[1:]) % 2 else "unhealthy")
        self.origins[name] = origin

    @property
    def positives(self) -> list[str]:
        return [name for name, label in self.labels.items() if label == "unhealthy"]

    def audit(self, detectors: Mapping[str, Callable[..., list[Finding]]] = DETECTORS) -> AuditOutcome:
        records = self._write()
        work = self.folder.parent
        store = open_store(work / "store", preprocessing=Preprocessing(16), frames=FramesConfig(workers=1))
        examined = examine_frames(records, store=store, folder=work / "examined", lookalikes=False)
        unreadable = examined.unreadable
        source = {name: self.sources.get(name, name) for name in records["image_id"]}
        links = tuple(
            Link(of, name, IDENTITY, False, False, 30, 1.0, 0.9, 0.8) for name, of in self.sources.items() if of != name
        )
        return audit_cohort(
            replace(examined, lookalikes=LookalikeResult(links, (), source, len(links))),
            quarantine=pd.concat([self.quarantine, unreadable]) if len(unreadable) else self.quarantine,
            classes=Classes(negative="healthy", positive="unhealthy"),
            group_columns=self.columns,
            config=self.config,
            detectors=detectors,
        )

    def _write(self) -> pd.DataFrame:
        rows = []
        for number, (name, pixels) in enumerate(self.frames.items(), start=2):
            path = self.folder / name
            if pixels.size == 0:
                path.write_bytes(b"no picture")
            elif name in self.qualities:
                path = path.with_suffix(".jpg")
                Image.fromarray(pixels).save(path, "JPEG", quality=self.qualities[name], subsampling=0)
            else:
                Image.fromarray(pixels).save(path)
            row = {"image_id": name, "path": str(path), "origin": self.origins[name], "label": self.labels[name]}
            rows.append({**row, "patient_id": self.patients[name], "sheet_row": number, "reference": name})
        return pd.DataFrame(rows)


def sector(rng: np.random.Generator, *, side: int = 120) -> Rgb:
    """Speckle in a fan on black ground."""
    grey = np.clip(rng.gamma(4, 24, (side, side)), 40, 220)
    rows, columns = np.mgrid[:side, :side]
    depth, angle = np.hypot(rows + 34, columns - side / 2), np.arctan2(columns - side / 2, rows + 34)
    fan = (depth > 40) & (depth < side + 30) & (np.abs(angle) < 0.6)
    return np.repeat(np.where(fan, grey, 0).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    folder = tmp_path / "images"
    folder.mkdir()
    return Cohort(folder)


def ids(outcome: AuditOutcome, *, above: str = "") -> set[str]:
    return {finding.id for finding in outcome.findings if not above or finding.level != above}


def finding(outcome: AuditOutcome, name: str) -> Finding:
    return next(finding for finding in outcome.findings if finding.id == name)


def plant_copies(cohort: Cohort) -> None:
    cohort.add("copy.png", cohort.frames["p00_0.png"], patient="p00")


def plant_shared_source(cohort: Cohort) -> None:
    cohort.sources = {"p00_0.png": "p00_0.png", "p00_1.png": "p00_0.png"}


def plant_source_across(cohort: Cohort) -> None:
    cohort.sources = {"p00_0.png": "p00_0.png", "p02_0.png": "p00_0.png"}


def plant_wrong_label(cohort: Cohort) -> None:
    rng = np.random.default_rng(1)
    for number in range(3):
        cohort.add(f"p00_more{number}.png", sector(rng), patient="p00")
    cohort.labels["p00_0.png"] = "healthy"


def plant_unreadable(cohort: Cohort) -> None:
    cohort.add("broken.png", np.zeros((0, 0, 3), np.uint8), patient="p01")


def plant_blank(cohort: Cohort) -> None:
    cohort.frames["p00_0.png"] = np.full((120, 120, 3), 3, np.uint8)


def plant_tiny(cohort: Cohort) -> None:
    cohort.frames["p00_0.png"] = cohort.frames["p00_0.png"][:40, :40].copy()


def plant_colour(cohort: Cohort) -> None:
    for name in cohort.positives:
        cv2.drawMarker(cohort.frames[name], (60, 60), (255, 220, 40), cv2.MARKER_CROSS, 9, 1)


def plant_text(cohort: Cohort) -> None:
    for name in cohort.positives:
        cv2.putText(cohort.frames[name], "PCO", (1, 9), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (235, 235, 235), 1)


def plant_crops(cohort: Cohort) -> None:
    for name in cohort.positives:
        cohort.frames[name] = cv2.resize(cohort.frames[name][45:95, 35:85], (120, 120)).astype(np.uint8)


def plant_borders(cohort: Cohort) -> None:
    for name in cohort.positives:
        cohort.frames[name][-12:] = 128


def plant_size(cohort: Cohort) -> None:
    for name in cohort.positives:
        cohort.frames[name] = cv2.resize(cohort.frames[name], (105, 105)).astype(np.uint8)


def plant_quality(cohort: Cohort) -> None:
    cohort.qualities = {name: 95 if label == "healthy" else 60 for name, label in cohort.labels.items()}


def plant_scarcity(cohort: Cohort) -> None:
    for name in cohort.positives:
        if int(cohort.patients[name][1:]) > 8:
            for table in (cohort.frames, cohort.labels, cohort.patients, cohort.origins):
                table.pop(name)


def plant_names_only(cohort: Cohort) -> None:
    cohort.columns = ()


PLANTED: dict[str, tuple[Plant, str, str]] = {
    "exact-duplicates": (plant_copies, "exact duplicates", "warning"),
    "sources": (plant_shared_source, "sources", "info"),
    "sources-across-patient_id": (plant_source_across, "sources across groups", "warning"),
    "label-outliers-patient_id": (plant_wrong_label, "label outliers", "warning"),
    "unusable-rows": (plant_unreadable, "unreadable", "warning"),
    "blank-frames": (plant_blank, "blank", "warning"),
    "tiny-frames": (plant_tiny, "tiny", "warning"),
    "colour-overlays": (plant_colour, "appearances", "warning"),
    "burned-in-text": (plant_text, "appearances", "warning"),
    "cropped-frames": (plant_crops, "appearances", "warning"),
    "flat-borders": (plant_borders, "appearances", "warning"),
    "properties-by-class": (plant_size, "properties", "warning"),
    "class-balance": (plant_scarcity, "imbalance", "warning"),
    "name-series": (plant_names_only, "name series", "warning"),
}


def test_a_clean_cohort_has_no_finding_above_information(cohort: Cohort) -> None:
    outcome = cohort.audit()

    assert ids(outcome, above="info") == set()
    assert ids(outcome) == {"class-balance"}
    assert len(outcome.records) == PATIENTS * FRAMES
    assert outcome.summary["effective_sources"] == PATIENTS * FRAMES


@pytest.mark.parametrize("name", PLANTED)
def test_each_detector_finds_what_was_planted_and_only_when_enabled(cohort: Cohort, name: str) -> None:
    plant, detector, level = PLANTED[name]
    plant(cohort)

    assert finding(cohort.audit(), name).level == level
    without = cohort.audit({key: value for key, value in DETECTORS.items() if key != detector})
    assert name not in ids(without)


def test_blank_frames_join_no_patients_whatever_else_is_equal(cohort: Cohort) -> None:
    for patient in range(6):
        cohort.add(f"p{patient:02d}_black.png", np.zeros((120, 120, 3), np.uint8), patient=f"p{patient:02d}")
    cohort.add("black.png", np.zeros((120, 120, 3), np.uint8), patient="p99", label="unhealthy")
    outcome = cohort.audit()

    assert finding(outcome, "blank-frames").numbers["frames"] == 7
    assert outcome.records.groupby("group")["patient_id"].nunique().max() == 1
    assert outcome.records["blank"].tolist().count("yes") == 7
    assert len(outcome.quarantined) == 0
    assert "exact-duplicates" not in ids(outcome)


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("pat1_clip2__f0013.jpg", "./pat1_clip2"),
        ("a/scan (4).png", "a/scan"),
        ("p07-3.png", "./p07"),
        ("image0505.jpg", ""),
        ("0505.jpg", ""),
        ("left ovary.png", "./left ovary"),
    ],
)
def test_the_series_of_a_name_is_what_stands_before_its_last_number(name: str, series: str) -> None:
    assert series_of(name) == series


def test_names_of_classes_or_that_look_alikes_contradict_are_no_series(cohort: Cohort) -> None:
    cohort.columns = ()
    cohort.sources = {f"p{patient:02d}_0.png": "p00_0.png" for patient in range(25)}
    assert "name-series" not in ids(cohort.audit())
    cohort.sources = {}
    for number, name in enumerate(list(cohort.frames)):
        label, patient, pixels = cohort.labels.pop(name), cohort.patients.pop(name), cohort.frames.pop(name)
        cohort.add(f"{label} ({number}).png", pixels, patient=patient, label=label)
    assert "name-series" not in ids(cohort.audit())


def test_quality_of_jpeg_files_is_seen_by_class(cohort: Cohort) -> None:
    plant_quality(cohort)

    said = finding(cohort.audit(), "properties-by-class")
    assert "JPEG quality: median 95 in healthy, median 60 in unhealthy" in said.detail


def test_overlays_on_both_classes_alike_are_only_information(cohort: Cohort) -> None:
    for pixels in cohort.frames.values():
        cv2.drawMarker(pixels, (60, 60), (255, 220, 40), cv2.MARKER_CROSS, 9, 1)

    assert finding(cohort.audit(), "colour-overlays").level == "info"


@pytest.fixture
def conflicting(cohort: Cohort) -> Cohort:
    """A frame of an unhealthy patient stands in the sheet again as healthy."""
    cohort.add("copy.png", cohort.frames["p00_0.png"], patient="p00", label="healthy")
    cohort.sources = {"p00_0.png": "p00_0.png", "copy.png": "p00_0.png"}
    return cohort


def test_identical_frames_with_opposite_labels_are_dropped_by_default(conflicting: Cohort) -> None:
    outcome = conflicting.audit()

    assert set(outcome.quarantined["reference"]) == {"p00_0.png", "copy.png"}
    assert list(outcome.quarantined.columns) == list(QUARANTINE_COLUMNS)
    assert "opposite label: copy.png" in outcome.quarantined["reason"].str.cat()
    assert not {"p00_0.png", "copy.png"} & set(outcome.records["image_id"])
    assert len(outcome.records) + len(outcome.quarantined) == PATIENTS * FRAMES + 1
    said = finding(outcome, "duplicate-conflicts")
    assert said.level == "serious"
    assert "2 of 61 rows (3.3 %)" in said.detail
    assert "quarantined" in said.detail
    assert finding(outcome, "exact-duplicates").numbers["pairs_with_opposite_labels"] == 1
    outcome.require_clear()


def test_identical_frames_with_opposite_labels_can_be_kept(conflicting: Cohort) -> None:
    conflicting.config = AuditConfig(duplicate_conflicts="keep")
    outcome = conflicting.audit()

    assert len(outcome.quarantined) == 0
    assert "kept" in finding(outcome, "duplicate-conflicts").detail
    groups = outcome.records.set_index("image_id")["group"]
    assert groups["copy.png"] == groups["p00_0.png"]


@pytest.mark.parametrize("setting", ["duplicate_conflicts", "mixed_groups"])
def test_a_blocking_policy_stops_with_what_to_do_next(conflicting: Cohort, setting: str) -> None:
    conflicting.config = replace(AuditConfig(), **{setting: "block"})  # type: ignore[arg-type]
    outcome = conflicting.audit()

    with pytest.raises(AuditBlocked, match=f"audit.{setting}=") as caught:
        outcome.require_clear()
    assert caught.value.exit_code == 3
    assert "blocking" in {said.level for said in outcome.findings}


def test_groups_with_both_labels_are_grouped_by_default_and_dropped_on_request(cohort: Cohort) -> None:
    cohort.sources = {"p00_0.png": "p00_0.png", "p01_0.png": "p00_0.png"}
    grouped = cohort.audit()
    cohort.config = AuditConfig(mixed_groups="drop")
    dropped = cohort.audit()

    groups = grouped.records.set_index("image_id")["group"]
    assert groups["p00_0.png"] == groups["p01_0.png"] == groups["p01_1.png"]
    assert finding(grouped, "mixed-sources").numbers["minority_rows"] == 1
    assert set(dropped.quarantined["reference"]) == {"p00_0.png", "p01_0.png"}


@pytest.fixture
def with_test_folder(cohort: Cohort) -> Cohort:
    """A test folder with a copy of a frame, a re-crop of another, and a frame of its own."""
    rng = np.random.default_rng(5)
    cohort.add("test_same.png", cohort.frames["p00_0.png"], patient="", label="healthy", origin="test")
    cohort.add("test_crop.png", sector(rng), patient="", label="", origin="test")
    cohort.add("test_own.png", sector(rng), patient="", label="", origin="test")
    cohort.sources = dict.fromkeys(("p00_0.png", "test_same.png"), "p00_0.png")
    cohort.sources |= dict.fromkeys(("p03_1.png", "test_crop.png"), "p03_1.png")
    return cohort


def test_test_frames_with_a_twin_in_the_sheet_are_counted_and_marked(with_test_folder: Cohort) -> None:
    outcome = with_test_folder.audit()

    said = finding(outcome, "test-twins")
    assert said.level == "serious"
    assert said.numbers["test_frames"] == 2
    assert said.numbers["identical"] == 1
    assert said.numbers["opposite_labels"] == 1
    twins = outcome.records.set_index("image_id")["test_twin"]
    assert set(twins.index[twins == "yes"]) == {"test_same.png", "test_crop.png"}
    assert len(outcome.quarantined) == 0
    assert finding(outcome, "exact-duplicates").numbers["pairs_across"] == 1


def test_twins_can_be_left_out_of_training_or_stop_the_run(with_test_folder: Cohort) -> None:
    with_test_folder.config = AuditConfig(test_twins="drop")
    outcome = with_test_folder.audit()
    assert set(outcome.quarantined["reference"]) == {"p00_0.png", "p03_1.png"}
    assert {"test_same.png", "test_crop.png"} <= set(outcome.records["image_id"])

    with_test_folder.config = AuditConfig(test_twins="block")
    with pytest.raises(AuditBlocked, match=r"audit\.test_twins=drop"):
        with_test_folder.audit().require_clear()


def test_a_test_folder_of_other_sources_raises_nothing(cohort: Cohort) -> None:
    cohort.add("test_own.png", sector(np.random.default_rng(9)), patient="", label="", origin="test")

    assert ids(cohort.audit(), above="info") == set()


@pytest.mark.parametrize("quality", [30, 50, 75, 92])
def test_jpeg_quality_is_read_from_the_table(tmp_path: Path, quality: int) -> None:
    path = tmp_path / "frame.jpg"
    Image.fromarray(sector(np.random.default_rng(0))).save(path, "JPEG", quality=quality)

    assert jpeg_quality(read_frame(path, max_pixels=10**6).jpeg_luminance) == pytest.approx(quality, abs=1)


def test_jpeg_quality_of_other_files_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    Image.fromarray(sector(np.random.default_rng(0))).save(path)

    assert np.isnan(jpeg_quality(read_frame(path, max_pixels=10**6).jpeg_luminance))


def test_effective_sources_are_the_number_of_equal_ones() -> None:
    assert effective_number(pd.Series([5, 5, 5, 5])) == pytest.approx(4)
    assert effective_number(pd.Series([97, 1, 1, 1])) == pytest.approx(100**2 / (97**2 + 3))


def test_pairs_of_larger_sets_are_all_counted(cohort: Cohort) -> None:
    for number in range(2):
        cohort.add(f"copy{number}.png", cohort.frames["p00_0.png"], patient="p00", label="healthy" if number else None)

    (said,) = find_exact_duplicates(cohort.audit().material)
    assert said.numbers["pairs"] == 3
    assert said.numbers["pairs_with_opposite_labels"] == 2


def test_audit_json_is_written_and_added_to_once(conflicting: Cohort, tmp_path: Path) -> None:
    run, outcome = RunFolder(tmp_path / "run"), conflicting.audit()
    picture = run.audit_folder / "pair.png"
    written = write_audit(run, outcome, pictures={"duplicate-conflicts": [picture]})
    added = Finding("shortcut-border", Level.WARNING, "Border", "It gives the class away.")
    for _ in range(2):
        add_to_audit(run, [added], summary={"gap": 1})

    audit = read_json(run.audit, schema="audit")
    names = [said["id"] for said in audit["findings"]]
    assert names.count("shortcut-border") == 1
    assert names[0] == "duplicate-conflicts"
    assert audit["findings"][0]["files"] == ["audit/pair.png"]
    assert audit["summary"]["gap"] == 1
    assert audit["summary"]["rows_quarantined_by_policy"] == 2
    assert all(path.is_file() for path in written)
    frames = pd.read_csv(run.audit_folder / "frames.csv")
    assert list(frames["image_id"]) == list(outcome.records["image_id"])
