"""The gate lets true gradients of a trained phantom model through, and nothing that only looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.display import shown_map
from sonoproof.explanation.gate.check import rank_similarity
from sonoproof.explanation.gate.gate import GateReport, run_gate
from sonoproof.explanation.gate.patches import edge_map
from sonoproof.explanation.gate.randomisation import label_randomisation
from sonoproof.explanation.gate.trial import Trial
from sonoproof.explanation.methods import Explainer, MethodSettings, explainer

pytestmark = pytest.mark.slow

Frame = npt.NDArray[np.uint8]
COARSE = MethodSettings(steps=16)


def _edges(_logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    return edge_map(frame)


def _edges_with_the_sign_of_the_class(logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    return logit.sign * edge_map(frame)


def _edges_with_the_size_of_the_logit(logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    with torch.no_grad():
        size = float(logit(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1))
    return size * edge_map(frame)


def _constant(_logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    return np.ones(frame.shape[:2])


def _nan(_logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    return np.full(frame.shape[:2], np.nan)


def _noise(_logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    return np.random.default_rng(int(frame.sum())).random(frame.shape[:2])


def _another_class(logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
    return explainer("integrated_gradients", settings=COARSE)(ClassLogit(logit.network, positive=logit.sign < 0), frame)


def _judge(phantom: Any, explain: Explainer, **options: Any) -> GateReport:
    right = phantom.predictions[phantom.predictions["label"] == phantom.predictions["predicted"]]
    sure = right.assign(size=right["logit"].abs()).sort_values("size", ascending=False)
    chosen = sure.drop_duplicates("group").head(3)
    positive = list(chosen["predicted"] == "unhealthy")
    trial = Trial(phantom.network, phantom.load(chosen["image_id"]), positive=positive)
    return run_gate(explain, method="under test", trial=trial, **options)


def test_true_gradients_pass(phantom: Any) -> None:
    report = _judge(
        phantom,
        explainer("integrated_gradients", settings=COARSE),
        gaps=[0.002, 0.009, 0.03],
        other_baselines={
            "black": explainer("integrated_gradients", settings=MethodSettings(steps=16, baseline="black"))
        },
    )
    assert report.passed, [check for check in report.checks if not check.passed]
    assert {check.name for check in report.checks} == {
        "finite_and_varied", "completeness", "model_randomisation", "better_than_random", "no_worse_than_edges",
        "repeatability", "baseline_agreement",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("impostor", "caught_by"),
    [
        (_edges, "model_randomisation"),
        (_edges_with_the_sign_of_the_class, "model_randomisation"),
        (_edges_with_the_size_of_the_logit, "model_randomisation"),
        (_constant, "finite_and_varied"),
        (_nan, "finite_and_varied"),
        (_noise, "repeatability"),
        (_another_class, "better_than_random"),
    ],
)
def test_impostor_fails(phantom: Any, impostor: Explainer, caught_by: str) -> None:
    report = _judge(phantom, impostor)
    assert not report.passed
    assert caught_by in {check.name for check in report.checks if not check.passed}


def test_one_nan_among_good_maps_fails(phantom: Any) -> None:
    true = explainer("integrated_gradients", settings=COARSE)

    def mostly_good(logit: ClassLogit, frame: Frame) -> npt.NDArray[Any]:
        values = true(logit, frame)
        values[0, 0] = np.nan
        return values

    assert not _judge(phantom, mostly_good).passed


def test_path_that_does_not_converge_fails(phantom: Any) -> None:
    report = _judge(phantom, explainer("integrated_gradients", settings=COARSE), gaps=[0.5, float("nan"), 0.001])
    assert [check.name for check in report.checks if not check.passed] == ["completeness"]


def test_gate_leaves_the_network_as_it_was(phantom: Any) -> None:
    before = {name: value.clone() for name, value in phantom.network.state_dict().items()}
    _judge(phantom, _edges)
    after = phantom.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not phantom.network.training


def test_gate_repeats_itself(phantom: Any) -> None:
    explain = explainer("saliency")
    assert _judge(phantom, explain) == _judge(phantom, explain)


def test_label_randomisation_sees_a_map_that_ignores_the_labels(phantom: Any) -> None:
    def passes(explain: Explainer) -> bool:
        trial = Trial(phantom.network, phantom.frames[:2], positive=[True, True])
        shown = [shown_map(values) for values in trial.maps(explain)]
        return label_randomisation(explain, shown, trial=trial, shuffled_labels=phantom.network).passed

    assert not passes(_edges)
    assert not passes(explainer("saliency"))  # the very same network: nothing has fallen


def test_similarity_of_nothing_is_zero() -> None:
    varied = np.arange(6.0).reshape(2, 3)
    assert rank_similarity(varied, varied**3) == pytest.approx(1.0)
    assert rank_similarity(varied, -varied) == pytest.approx(-1.0)
    assert rank_similarity(varied, np.ones((2, 3))) == 0.0
    assert rank_similarity(varied, np.full((2, 3), np.nan)) == 0.0
