import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.evaluate.evaluate import evaluate_part
from sonoproof.evaluation.scores.aggregate import Aggregation, aggregate

CLASSES = Classes(negative="healthy", positive="unhealthy")


def frames(logits: list[float], *, exams: list[str], labels: list[str]) -> pd.DataFrame:
    z = np.array(logits)
    return pd.DataFrame(
        {
            "image_id": [f"{i}.png" for i in range(len(z))],
            "path": "",
            "group": exams,
            "source": "",
            "label": labels,
            "target": [{"unhealthy": 1.0, "healthy": 0.0}.get(label, np.nan) for label in labels],
            "logit": z,
            "probability": expit(z),
            "predicted": np.where(z >= 0, "unhealthy", "healthy"),
            "video": exams,
        }
    )


@pytest.fixture
def two_exams() -> pd.DataFrame:
    return frames([2.0, -1.0, 0.8, -3.0], exams=["b", "b", "b", "a"], labels=["unhealthy"] * 3 + ["healthy"])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean_logit", expit(0.6)),
        ("mean_probability", (expit(2.0) + expit(-1.0) + expit(0.8)) / 3),
        ("max", expit(2.0)),
        ("vote", 2.5 / 4),
    ],
)
def test_each_aggregation_equals_a_computation_by_hand(
    two_exams: pd.DataFrame, how: Aggregation, expected: float
) -> None:
    exams = aggregate(two_exams, by="video", classes=CLASSES, how=how).set_index("image_id")
    assert list(exams.index) == ["b", "a"]
    assert exams.loc["b", "probability"] == pytest.approx(expected)
    assert exams.loc["b", "logit"] == pytest.approx(np.log(expected / (1 - expected)))
    assert list(exams["label"]) == ["unhealthy", "healthy"]
    assert list(exams["n_frames"]) == [3, 1]


def test_exams_are_evaluated_like_frames() -> None:
    rng = np.random.default_rng(0)
    exams = [f"e{i // 6}" for i in range(240)]
    labels = ["unhealthy" if i // 6 % 2 else "healthy" for i in range(240)]
    logits = rng.normal(0, 2, 240) + np.where(np.array(labels) == "unhealthy", 0.8, -0.8)
    table = aggregate(frames(list(logits), exams=exams, labels=labels), by="video", classes=CLASSES)
    result = evaluate_part(table, classes=CLASSES, config=EvaluateConfig(resamples=200))
    assert (result["n"], result["n_units"]) == (40, 40)
    assert result["auc"]["low"] < result["auc"]["value"] < result["auc"]["high"]


def test_an_exam_of_both_classes_is_an_error(two_exams: pd.DataFrame) -> None:
    table = two_exams.assign(label=["unhealthy", "healthy", "healthy", "healthy"])
    with pytest.raises(RunFolderError, match=r"1 of 2 exams have frames of both classes \(first: b\)"):
        aggregate(table, by="video", classes=CLASSES)


def test_an_exam_without_labels_stays_unlabelled(two_exams: pd.DataFrame) -> None:
    exams = aggregate(two_exams.assign(label=["unhealthy", "", "", ""]), by="video", classes=CLASSES)
    assert list(exams["label"]) == ["unhealthy", ""]
    assert np.isnan(exams["target"].iloc[1])


def test_a_frame_without_an_exam_is_an_error(two_exams: pd.DataFrame) -> None:
    with pytest.raises(RunFolderError, match=r"1 frames have no video \(first: 0.png\)"):
        aggregate(two_exams.assign(video=["", "b", "b", "a"]), by="video", classes=CLASSES)
    with pytest.raises(RunFolderError, match="no column 'clip'"):
        aggregate(two_exams, by="clip", classes=CLASSES)


def test_an_exam_across_groups_is_an_error(two_exams: pd.DataFrame) -> None:
    with pytest.raises(RunFolderError, match="video b has frames of 2 groups"):
        aggregate(two_exams.assign(group=["1", "2", "1", "3"]), by="video", classes=CLASSES)
