from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest
from PIL import Image, UnidentifiedImageError

from sonoproof.errors import ConfigError, RunFolderError
from sonoproof.phantom import PhantomCohort, PhantomConfig, write_cohort

CLEAN = PhantomConfig(patients=4, frames_per_patient=2, size_px=96, seed=5, workers=1)
SPOILT = PhantomConfig(
    patients=5, frames_per_patient=6, size_px=96, seed=6, workers=1,
    caliper=True, text=True, size_shortcut=True,
    wrong_labels=0.1, exact_duplicates=0.1, recrops=0.3, unreadable=0.2,
)  # fmt: skip


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> PhantomCohort:
    return write_cohort(tmp_path_factory.mktemp("clean") / "cohort", config=CLEAN)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> PhantomCohort:
    return write_cohort(tmp_path_factory.mktemp("spoilt") / "cohort", config=SPOILT)


def truth_of(cohort: PhantomCohort) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(cohort.truth.read_text(encoding="utf-8"))
    return content


def rows_of(cohort: PhantomCohort) -> list[dict[str, Any]]:
    header, *rows = openpyxl.load_workbook(cohort.sheet)["Sheet1"].iter_rows(values_only=True)
    return [dict(zip([str(name) for name in header], row, strict=True)) for row in rows]


def planted(cohort: PhantomCohort, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in truth_of(cohort)["planted"] if entry["kind"] == kind]


def frames_of(cohort: PhantomCohort) -> dict[str, dict[str, Any]]:
    """Truth of each simulated frame with its patient's, by image name."""
    return {
        frame["image"]: {**frame, "patient": patient, "clip": clip["clip"], "ovary": clip["ovary"]}
        for patient in truth_of(cohort)["patients"]
        for clip in patient["clips"]
        for frame in clip["frames"]
    }


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def decoded(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_sheet_images_masks_and_truth_name_the_same_frames(clean: PhantomCohort) -> None:
    rows = rows_of(clean)
    names = {row["imagePath"] for row in rows}

    assert list(rows[0]) == ["imagePath", "Healthy", "patient_id", "clip"]
    assert clean.rows == len(rows) == len(names) == 8
    assert names == {path.name for path in clean.images.iterdir()} == set(frames_of(clean))
    assert {Path(name).stem for name in names} == {path.stem for path in clean.masks.iterdir()}


def test_labels_groups_and_counts_of_the_sheet_are_the_truth(clean: PhantomCohort) -> None:
    frames = frames_of(clean)
    for row in rows_of(clean):
        frame = frames[row["imagePath"]]
        assert row["Healthy"] == (0 if frame["ovary"]["follicle_count"] >= 20 else 1)
        assert (row["patient_id"], row["clip"]) == (frame["patient"]["patient_id"], frame["clip"])
        assert frame["visible_follicles"] == sum(disc["diameter_mm"] >= 1.5 for disc in frame["sections"])
    assert truth_of(clean)["planted"] == []


def test_both_classes_have_their_share(clean: PhantomCohort) -> None:
    assert sum(patient["polycystic"] for patient in truth_of(clean)["patients"]) == 2


def test_masks_agree_with_the_frames_of_the_truth(clean: PhantomCohort) -> None:
    for name, frame in frames_of(clean).items():
        image, mask = decoded(clean.images / name), decoded(clean.masks / frame["mask"])
        assert image.shape[:2] == mask.shape
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1, 2}
        assert (mask == 1).any()
        assert (frame["visible_follicles"] > 0) == bool((mask == 2).any())


@pytest.mark.slow
def test_same_seed_same_bytes_with_one_process_or_two(clean: PhantomCohort, tmp_path: Path) -> None:
    again = write_cohort(tmp_path / "again", config=PhantomConfig(**{**vars(CLEAN), "workers": 2}))

    assert hashes(again.truth.parent) == hashes(clean.truth.parent)


def test_another_seed_gives_other_frames(clean: PhantomCohort, tmp_path: Path) -> None:
    other = write_cohort(tmp_path / "other", config=PhantomConfig(**{**vars(CLEAN), "seed": 7}))

    assert not set(hashes(other.images).values()) & set(hashes(clean.images).values())


def test_progress_ends_at_all_frames_and_truth_is_written_last(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    config = PhantomConfig(patients=3, frames_per_patient=2, size_px=48, workers=1)

    def progress(done: int, of: int) -> None:
        assert not (tmp_path / "out" / "truth.json").exists()
        seen.append((done, of))

    write_cohort(tmp_path / "out", config=config, progress=progress)
    assert seen == [(2, 6), (4, 6), (6, 6)]


def test_png_frames_are_lossless_and_named_so(tmp_path: Path) -> None:
    config = PhantomConfig(patients=1, frames_per_patient=1, size_px=64, image_format="png", workers=1)
    cohort = write_cohort(tmp_path / "png", config=config)
    (row,) = rows_of(cohort)

    assert row["imagePath"].endswith(".png")
    with Image.open(cohort.images / row["imagePath"]) as image:
        assert (image.format, image.mode, max(image.size)) == ("PNG", "RGB", 64)


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="not an empty folder"):
        write_cohort(tmp_path, config=CLEAN)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("patients", 0), ("frames_per_patient", 0), ("size_px", 8), ("polycystic_share", 1.5), ("seed", -1),
        ("wrong_labels", -0.1), ("unreadable", 1.01), ("workers", -1), ("image_format", "gif"),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=setting):
        PhantomConfig(**{setting: value})


def test_more_defects_than_frames_are_refused() -> None:
    with pytest.raises(ConfigError, match="together"):
        PhantomConfig(wrong_labels=0.6, unreadable=0.6)


def test_recrops_need_a_sound_frame_to_copy(tmp_path: Path) -> None:
    config = PhantomConfig(patients=2, frames_per_patient=2, unreadable=1.0, recrops=0.5, workers=1)
    with pytest.raises(ConfigError, match="recrops"):
        write_cohort(tmp_path / "out", config=config)


def test_planted_defects_are_as_many_as_asked_for(spoilt: PhantomCohort) -> None:
    unhealthy = sum(patient["polycystic"] for patient in truth_of(spoilt)["patients"]) * 6

    assert len(planted(spoilt, "unreadable")) == 6
    assert len(planted(spoilt, "wrong label")) == 3
    assert len(planted(spoilt, "exact duplicate")) == 3
    assert len(planted(spoilt, "re-crop")) == 9
    assert len(planted(spoilt, "caliper")) == len(planted(spoilt, "text")) == unhealthy
    assert spoilt.rows == 30 + 3 + 9


def test_wrong_labels_are_wrong_and_all_others_right(spoilt: PhantomCohort) -> None:
    wrong = {entry["image"]: entry for entry in planted(spoilt, "wrong label")}
    healthy = {patient["patient_id"]: patient["healthy"] for patient in truth_of(spoilt)["patients"]}
    for row in rows_of(spoilt):
        is_wrong = row["Healthy"] != healthy[row["patient_id"]]
        assert is_wrong == (row["imagePath"] in wrong)
        if is_wrong:
            entry = wrong[row["imagePath"]]
            assert (entry["written"], entry["true"]) == (row["Healthy"], healthy[row["patient_id"]])


def test_unreadable_files_cannot_be_read_and_all_others_can(spoilt: PhantomCohort) -> None:
    unreadable = {entry["image"] for entry in planted(spoilt, "unreadable")}
    for row in rows_of(spoilt):
        path = spoilt.images / row["imagePath"]
        if row["imagePath"] in unreadable:
            with pytest.raises((OSError, UnidentifiedImageError)):
                decoded(path)
        else:
            assert decoded(path).ndim == 3


def test_duplicates_are_the_only_equal_files(spoilt: PhantomCohort) -> None:
    entries = planted(spoilt, "exact duplicate")
    by_hash: dict[str, list[str]] = {}
    unreadable = {entry["image"] for entry in planted(spoilt, "unreadable")}
    for name, digest in hashes(spoilt.images).items():
        if name not in unreadable:
            by_hash.setdefault(digest, []).append(name)

    twins = {frozenset(names) for names in by_hash.values() if len(names) > 1}
    assert twins == {frozenset((entry["image"], entry["source"])) for entry in entries}


def test_recrops_are_what_their_transform_says(spoilt: PhantomCohort) -> None:
    for entry in planted(spoilt, "re-crop"):
        source = decoded(spoilt.images / entry["source"]).astype(np.float32)
        copy = decoded(spoilt.images / entry["image"]).astype(np.float32)
        expected = cv2.warpAffine(source, np.array(entry["matrix"]), copy.shape[1::-1])
        lit = (np.asarray(expected) > 10).all(axis=2)
        rendered = np.clip(np.asarray(expected)[lit] * entry["contrast"] + entry["brightness"], 0, 255)

        assert np.abs(rendered - copy[lit]).mean() < 8  # what re-compression leaves
        assert np.abs(copy - source).mean() > 8  # and it is no mere duplicate


def test_copies_keep_patient_and_clip_of_their_source(spoilt: PhantomCohort) -> None:
    rows = {row["imagePath"]: row for row in rows_of(spoilt)}
    for entry in [*planted(spoilt, "exact duplicate"), *planted(spoilt, "re-crop")]:
        copy, source = rows[entry["image"]], rows[entry["source"]]
        assert [copy[name] for name in ("patient_id", "clip", "Healthy")] == [
            source[name] for name in ("patient_id", "clip", "Healthy")
        ]


def test_no_frame_has_two_defects_of_its_file(spoilt: PhantomCohort) -> None:
    defective = [entry["image"] for kind in ("unreadable", "wrong label") for entry in planted(spoilt, kind)]
    sources = {entry["source"] for entry in truth_of(spoilt)["planted"] if "source" in entry}

    assert len(defective) == len(set(defective))
    assert not set(defective) & sources


def test_shortcuts_follow_the_class_and_are_in_the_pixels(spoilt: PhantomCohort) -> None:
    unreadable = {entry["image"] for entry in planted(spoilt, "unreadable")}
    calipers = {entry["image"]: entry for entry in planted(spoilt, "caliper")}
    for name, frame in frames_of(spoilt).items():
        polycystic = frame["patient"]["polycystic"]
        assert (name in calipers) == polycystic
        if name in unreadable:
            continue
        image = decoded(spoilt.images / name).astype(int)
        assert max(image.shape) == (96 if polycystic else 84)
        yellow = (image[..., 0] - image[..., 2]) > 60
        assert bool(yellow.any()) == polycystic
        if polycystic:
            x, y = calipers[name]["from_px"]
            assert yellow[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].any()


def test_file_names_tell_nothing_of_the_class(clean: PhantomCohort, spoilt: PhantomCohort) -> None:
    for cohort in (clean, spoilt):
        for row in rows_of(cohort):
            patient, clip, frame = Path(row["imagePath"]).stem.split("_")
            assert (patient[0], clip[0], frame[0]) == ("p", "c", "f")
            assert (patient[1:] + clip[1:] + frame[1:]).isdigit()
