from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from sonoproof.errors import ConfigError
from sonoproof.explanation.attribution import ClassLogit, GradientPath
from sonoproof.explanation.baselines import BASELINES, make_baselines
from sonoproof.explanation.methods import MethodSettings, explainer
from sonoproof.explanation.saturation import mean_curve, saturation_curve, share_saturated

Frame = npt.NDArray[np.uint8]


@pytest.fixture
def follicle() -> tuple[Frame, npt.NDArray[np.bool_]]:
    rows, columns = np.mgrid[:48, :48]
    inside = (rows - 24) ** 2 + (columns - 24) ** 2 < 36
    frame = np.where(inside, 0, 120).astype(np.uint8)
    return np.repeat(frame[..., None], 3, axis=2), inside


class Darkness(nn.Module):
    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return -frames.sum(dim=(1, 2, 3))


def test_black_follicle_gets_zero_from_black_and_not_from_blur(follicle: tuple[Frame, npt.NDArray[np.bool_]]) -> None:
    frame, inside = follicle
    logit = ClassLogit(Darkness().eval(), positive=True)
    maps = {
        name: explainer("integrated_gradients", settings=MethodSettings(baseline=name))(logit, frame)
        for name in ("black", "blur", "mean")
    }
    assert np.abs(maps["black"][inside]).max() == 0.0
    assert maps["blur"][inside].min() > 0.1
    assert maps["mean"][inside].min() > 0.1


def test_mean_is_of_the_tissue_and_not_of_the_background(follicle: tuple[Frame, npt.NDArray[np.bool_]]) -> None:
    frame, _ = follicle
    assert np.unique(make_baselines("mean", frame)) == pytest.approx([120.0])
    assert np.unique(make_baselines("mean", np.zeros_like(frame))) == pytest.approx([0.0])


def test_references_are_averaged(follicle: tuple[Frame, npt.NDArray[np.bool_]]) -> None:
    frame, _ = follicle
    references = np.stack([np.full_like(frame, level) for level in (10, 50)])
    settings = MethodSettings(baseline="references", references=references)
    found = explainer("integrated_gradients", settings=settings)(ClassLogit(Darkness().eval(), positive=True), frame)
    np.testing.assert_allclose(found, -(frame.astype(float) - 30).sum(axis=2) / 127.5, atol=1e-4)


def test_unknown_and_incomplete_baselines_are_refused(follicle: tuple[Frame, npt.NDArray[np.bool_]]) -> None:
    frame, _ = follicle
    with pytest.raises(ConfigError, match=r"blurr.*blur, black, mean, references"):
        make_baselines("blurr", frame)
    with pytest.raises(ConfigError, match="references"):
        make_baselines("references", frame)
    assert {name: make_baselines(name, frame, references=frame[None]).shape for name in BASELINES} == dict.fromkeys(
        BASELINES, (1, 48, 48, 3)
    )


def test_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="saliency"):
        explainer("salience")


def _path(logits: list[float], sizes: list[float]) -> GradientPath:
    values, gradients = torch.tensor(logits).double(), torch.tensor(sizes).double()
    alphas = torch.linspace(0, 1, len(logits), dtype=torch.float64)
    return GradientPath(alphas, values, torch.zeros_like(values), gradients, torch.ones(3, 1, 2))


def test_curve_holds_probability_and_mean_absolute_gradient() -> None:
    curve = saturation_curve(_path([0.0, 100.0], [2.0, 0.5]), positive=True)
    np.testing.assert_allclose(curve.probability, [0.5, 1.0])
    np.testing.assert_allclose(curve.mean_absolute_gradient, [2.0, 0.5])


def test_calibrated_probability_of_the_negative_class() -> None:
    # A calibration that adds to the positive logit takes from the negative class.
    def calibrated(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1 / (1 + np.exp(-(2 * logits + 1)))

    curve = saturation_curve(_path([3.0], [1.0]), positive=False, to_probability=calibrated)
    np.testing.assert_allclose(curve.probability, 1 - calibrated(np.array([-3.0])))


def test_share_saturated() -> None:
    rising = saturation_curve(_path([0.0, 1.0, 1.0], [1.0, 0.0, 0.0]), positive=True)
    assert share_saturated(rising) == pytest.approx(0.55, abs=0.01)
    assert share_saturated(saturation_curve(_path([0.0, 1.0], [1.0, 1.0]), positive=True)) == 0.0


def test_mean_curve_is_on_the_points_of_all() -> None:
    first = saturation_curve(_path([0.0, 0.0], [1.0, 1.0]), positive=True)
    second = saturation_curve(_path([0.0, 0.0, 0.0], [3.0, 5.0, 3.0]), positive=True)
    mean = mean_curve([first, second])
    np.testing.assert_allclose(mean.alphas, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(mean.mean_absolute_gradient, [2.0, 3.0, 2.0])
