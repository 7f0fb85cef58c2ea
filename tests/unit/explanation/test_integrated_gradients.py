from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sonoproof.explanation.attribution import ClassLogit, integrated_gradients


class Kink(nn.Module):
    """Flat, then a short steep rise, then flat: what an even path misses."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return 50 * nn.functional.hardtanh(frames.mean(dim=(1, 2, 3)), 0.301, 0.304)


FRAME, BASELINE = torch.ones(3, 4, 4), torch.zeros(3, 4, 4)


def test_refinement_goes_where_the_logit_rises() -> None:
    coarse = integrated_gradients(Kink(), FRAME, baseline=BASELINE, steps=33)
    fine = integrated_gradients(Kink(), FRAME, baseline=BASELINE, steps=512)
    assert not coarse.converged
    assert coarse.gap > 0.5
    assert fine.converged
    assert fine.gap < 0.01
    assert float(fine.attribution.sum()) == pytest.approx(50 * 0.003, rel=0.01)
    assert bool((fine.path.alphas.diff() > 0).all())


def test_never_more_points_than_asked_for() -> None:
    for steps in (2, 5, 33, 34, 50):
        result = integrated_gradients(Kink(), FRAME, baseline=BASELINE, steps=steps, tolerance=1e-9)
        assert result.steps_used == len(result.path.alphas) == len(result.path.slopes) <= steps


def test_batch_size_changes_nothing() -> None:
    by_one = integrated_gradients(Kink(), FRAME, baseline=BASELINE, steps=33, batch=1)
    by_many = integrated_gradients(Kink(), FRAME, baseline=BASELINE, steps=33, batch=33)
    torch.testing.assert_close(by_one.attribution, by_many.attribution)


class Counting(nn.Module):
    """A curved logit that notes how many frames it is asked for, and how many at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.frames, self.most = 0, 0

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        self.frames, self.most = self.frames + len(frames), max(self.most, len(frames))
        return torch.sin(40 * frames.mean(dim=(1, 2, 3))) + frames[:, 0, 0, 0] ** 3


def test_many_points_cost_no_more_than_twice_their_number_and_a_batch_of_memory() -> None:
    model = Counting()
    result = integrated_gradients(model, FRAME, baseline=BASELINE, steps=400, tolerance=1e-12, batch=8)
    assert result.steps_used == 400
    assert model.frames <= 2 * 400 - 4 * 8
    assert model.most == 8


def test_the_attribution_is_that_of_all_gradients_at_once() -> None:
    model = Counting()
    result = integrated_gradients(model, FRAME, baseline=BASELINE, steps=90, tolerance=1e-12, batch=4)
    points = result.path.alphas
    frames = points.float()[:, None, None, None] * FRAME
    frames.requires_grad_()
    (gradients,) = torch.autograd.grad(model(frames).sum(), frames)
    torch.testing.assert_close(result.attribution, torch.trapezoid(gradients.double(), points, dim=0).float())
    torch.testing.assert_close(result.path.at_frame, gradients[-1])


def test_frame_like_its_baseline_has_no_gap_and_is_not_called_converged() -> None:
    result = integrated_gradients(Kink(), BASELINE, baseline=BASELINE, steps=33)
    assert math.isnan(result.gap)
    assert not result.converged
    assert float(result.attribution.abs().max()) == 0.0


def test_gap_is_recomputed_from_the_attribution() -> None:
    result = integrated_gradients(Kink(), FRAME, baseline=BASELINE, steps=60)
    rise = float(Kink()(FRAME[None]) - Kink()(BASELINE[None]))
    assert result.logit_difference == pytest.approx(rise, abs=1e-5)
    assert result.convergence_delta == pytest.approx(float(result.attribution.sum()) - rise, abs=1e-5)


def test_network_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        ClassLogit(Kink().train(), positive=True)


def test_no_gradient_is_left_in_the_network() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 1)).eval()
    integrated_gradients(ClassLogit(network, positive=True), FRAME, baseline=BASELINE, steps=4)
    assert all(parameter.grad is None for parameter in network.parameters())
