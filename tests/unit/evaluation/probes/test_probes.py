"""Shortcut probes, naive against honest splits, and label noise, on numbers whose truth is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from sonoproof.classes import Classes
from sonoproof.data.audit.descriptors import BORDER_COLUMNS, STROKE_COLUMNS
from sonoproof.data.audit.findings import Level
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.probes.honesty import compare_splits
from sonoproof.evaluation.probes.label_noise import rank_label_doubts, reviewed_rows
from sonoproof.evaluation.probes.models import _least_auc, auc_interval, probe_findings, probe_inputs, run_probes
from sonoproof.evaluation.probes.probe import DOUBT_COLUMNS, probe_cohort

CLASSES = Classes(negative="healthy", positive="unhealthy")
SHORTCUTS = {"shortcut-metadata", "shortcut-border", "shortcut-overlays"}


def cohort(seed: int, *, patients: int = 40, frames: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and measures that depend on the patient but not on the class."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), frames)
    columns = ["colour_share", "stroke_share", "cross", "brightness", *STROKE_COLUMNS, *BORDER_COLUMNS]
    of_patient = rng.normal(size=(patients, len(columns)))[patient]
    measures = pd.DataFrame(of_patient + 0.1 * rng.normal(size=of_patient.shape), columns=columns)
    names = [f"{row:04d}.jpg" for row in range(len(patient))]
    measures.insert(0, "image_id", names)
    measures["jpeg_quality"] = 90.0
    width = rng.integers(280, 300, patients)[patient]
    records = pd.DataFrame(
        {
            "image_id": names,
            "path": names,
            "origin": "sheet",
            "label": np.where(rng.permutation(patients) < patients // 2, "healthy", "unhealthy")[patient],
            "group": [f"patient_id={number}" for number in patient],
            "width": width,
            "height": 300 - rng.integers(0, 20, patients)[patient],
            "format": "JPEG",
            "mode": "RGB",
            "file_bytes": width * 50 + rng.integers(0, 2000, len(patient)),
        }
    )
    return records, measures


def found(records: pd.DataFrame, measures: pd.DataFrame) -> set[str]:
    results = run_probes(
        probe_inputs(records, measures=measures),
        targets=(records["label"] == CLASSES.positive).to_numpy(),
        groups=records["group"].to_numpy(str),
        bootstrap=Bootstrap(resamples=200),
    )
    return {finding.id for finding in probe_findings(results)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_probes_are_silent_where_only_the_patient_shows(seed: int) -> None:
    assert found(*cohort(seed)) == {"shortcut-probes"}


@pytest.mark.slow
def test_each_planted_shortcut_is_found_by_its_probe_alone() -> None:
    records, measures = cohort(0)
    unhealthy = (records["label"] == "unhealthy").to_numpy()
    smaller = records.assign(width=np.where(unhealthy, 224, 300), height=np.where(unhealthy, 224, 300))
    marked = measures.assign(colour_share=np.where(unhealthy, 0.001, 0.0))
    framed = measures.assign(**{column: np.where(unhealthy, 0.0, 40.0) for column in BORDER_COLUMNS[:4]})

    assert found(smaller, measures) & SHORTCUTS == {"shortcut-metadata"}
    assert found(records, marked) & SHORTCUTS == {"shortcut-overlays"}
    assert found(records, framed) & SHORTCUTS == {"shortcut-border"}


@pytest.mark.slow
def test_frames_without_groups_would_have_been_taken_for_shortcuts() -> None:
    """The probe of the border knows each patient: held out by frame it succeeds where there is nothing to find."""
    records, measures = cohort(0, frames=6)

    assert "shortcut-border" in found(records.assign(group=records["image_id"]), measures)
    assert "shortcut-border" not in found(records, measures)


def test_too_few_groups_are_reported_and_raise_no_finding() -> None:
    records, measures = cohort(0, patients=12)
    measures["colour_share"] = (records["label"] == "unhealthy").to_numpy() * 0.01
    features = np.random.default_rng(0).normal(size=(len(records), 8)).astype(np.float32)
    outcome = probe_cohort(records, measures=measures, features=features, classes=CLASSES)

    assert {finding.level for finding in outcome.findings} == {Level.INFO}
    assert outcome.findings[0].id == "shortcut-probes"
    assert "not enough groups" in outcome.findings[0].detail


def test_a_class_of_one_group_has_neither_splits_to_compare_nor_doubts() -> None:
    records, measures = cohort(0, patients=12)
    one = np.unique(records.loc[records["label"] == "unhealthy", "group"])[0]
    kept = ((records["label"] == "healthy") | (records["group"] == one)).to_numpy()
    records, measures = records[kept].reset_index(drop=True), measures[kept].reset_index(drop=True)
    features = np.ones((len(records), 2), dtype=np.float32)
    outcome = probe_cohort(records, measures=measures, features=features, classes=CLASSES)
    assert [finding.id for finding in outcome.findings] == ["shortcut-probes"]
    assert outcome.doubts.empty


@pytest.mark.slow
def test_test_rows_and_unlabelled_rows_are_not_used() -> None:
    records, measures = cohort(0)
    records.loc[:2, "label"] = ""
    records.loc[3:5, "origin"] = "test"
    features = np.random.default_rng(0).normal(size=(len(records), 8)).astype(np.float32)
    outcome = probe_cohort(
        records, measures=measures, features=features, classes=CLASSES, bootstrap=Bootstrap(resamples=100)
    )

    assert set(outcome.doubts["image_id"]) == set(records["image_id"][6:])
    assert list(outcome.doubts.columns) == list(DOUBT_COLUMNS)
    assert outcome.doubts["doubt"].is_monotonic_decreasing


def test_faultless_separation_has_a_lower_limit_that_grows_with_the_groups() -> None:
    lows = []
    for groups in (10, 40):
        targets = np.arange(groups) < groups // 2
        limits = auc_interval(
            np.where(targets, 2.0, -2.0), targets=targets, groups=np.arange(groups).astype(str),
            bootstrap=Bootstrap(resamples=100),
        )  # fmt: skip
        assert (limits.value, limits.high) == (1.0, 1.0)
        lows.append(limits.low)
    assert 0.5 < lows[0] < lows[1] < 1


def test_least_auc_gives_the_chance_that_it_was_asked_for() -> None:
    auc = _least_auc(4, 4, chance=0.05)
    theta = auc / (1 - auc)
    rng = np.random.default_rng(0)
    positive, negative = rng.exponential(theta, (200_000, 4)), rng.exponential(1.0, (200_000, 4))

    assert (positive.min(axis=1) > negative.max(axis=1)).mean() <= 0.05
    assert np.mean(positive[:, 0] > negative[:, 0]) == pytest.approx(auc, abs=0.005)


def patients_with_features(
    seed: int, *, signal: float, patients: int = 40, frames: int = 5
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), frames)
    targets = (rng.permutation(patients) < patients // 2)[patient]
    features = rng.normal(size=(patients, 24))[patient] + 0.1 * rng.normal(size=(len(patient), 24))
    features[:, 0] += signal * targets
    return features.astype(np.float32), targets, patient.astype(str)


def test_a_random_split_credits_the_model_for_recognising_the_patient() -> None:
    features, targets, groups = patients_with_features(0, signal=0.0)
    compared = compare_splits(features, targets=targets, groups=groups, bootstrap=Bootstrap(resamples=300))

    assert compared.naive.value > 0.8
    assert compared.honest.low < 0.5 < compared.honest.high
    assert compared.difference.low > 0
    assert set(compared.to_dict(features_are="x")) >= {"metric", "naive", "honest"}


def test_independent_frames_show_no_gap() -> None:
    rng = np.random.default_rng(0)
    targets = np.arange(200) % 2 == 0
    features = rng.normal(size=(200, 10)) + targets[:, None] * 0.5
    compared = compare_splits(
        features, targets=targets, groups=np.arange(200).astype(str), bootstrap=Bootstrap(resamples=300)
    )

    assert abs(compared.difference.value) < 0.02
    assert compared.naive.value == pytest.approx(compared.honest.value, abs=0.02)


def flipped(targets: npt.NDArray[np.bool_], *, share: float, seed: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng(seed).choice(len(targets), round(share * len(targets)), replace=False)


def recall_of(order: npt.NDArray[np.intp], wrong: npt.NDArray[np.intp]) -> float:
    return len(set(order[: len(order) // 10]) & set(wrong)) / len(wrong)


@pytest.mark.parametrize("signal", [0.0, 2.0])
def test_flipped_labels_within_patients_stand_on_top_even_where_the_model_knows_nothing(signal: float) -> None:
    features, truth, groups = patients_with_features(1, signal=signal, frames=8)
    wrong = flipped(truth, share=0.05, seed=2)
    targets = truth.copy()
    targets[wrong] = ~targets[wrong]
    compared = compare_splits(features, targets=targets, groups=groups, bootstrap=Bootstrap(resamples=100))
    doubts = rank_label_doubts(compared.logits, targets=targets, groups=groups)

    assert recall_of(doubts.order, wrong) >= 0.8


def test_flipped_labels_of_single_frames_stand_on_top_by_the_model_alone() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(600) < 0.5
    features = (rng.normal(size=(600, 12)) + 1.2 * truth[:, None]).astype(np.float32)
    wrong = flipped(truth, share=0.05, seed=4)
    targets = truth.copy()
    targets[wrong] = ~targets[wrong]
    names = np.arange(600).astype(str)
    compared = compare_splits(features, targets=targets, groups=names, bootstrap=Bootstrap(resamples=100))
    doubts = rank_label_doubts(compared.logits, targets=targets, groups=names)

    assert recall_of(doubts.order, wrong) >= 0.8
    assert np.isnan(doubts.by_group).all()


def test_groups_that_say_nothing_of_the_label_are_not_listened_to() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(600) < 0.5
    logits = np.where(truth, 3.0, -3.0) + rng.normal(size=600)
    groups = rng.integers(0, 100, 600).astype(str)
    wrong = flipped(truth, share=0.05, seed=6)
    targets = truth.copy()
    targets[wrong] = ~targets[wrong]

    assert recall_of(rank_label_doubts(logits, targets=targets, groups=groups).order, wrong) >= 0.9


def test_a_review_lists_a_tenth_of_the_rows_within_bounds() -> None:
    assert [reviewed_rows(rows) for rows in (5, 50, 1000, 100_000)] == [5, 10, 100, 500]
