"""Attributions against Captum's, and against what can be written down for a linear network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import LayerAttribution, LayerGradCam, NoiseTunnel, Occlusion
from captum.attr import Saliency as CaptumSaliency
from torch import nn

from sonoproof.explanation.attribution import ClassLogit, integrated_gradients, logit_gradients
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.catalogue import METHODS
from sonoproof.explanation.methods import MethodSettings, explainer, network_input

SIDE = 12


class Curved(nn.Module):
    """A small network with kinks and curvature, in float64: a difference is one of method, not of rounding."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 5, 3, stride=2), nn.ReLU6(), nn.Conv2d(5, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(36, 1)
            ).double()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = 4.0 * self.layers(frames.double()).squeeze(-1)
        return logits


class Linear(nn.Module):
    """w · x + b over all pixels and channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1.0, 2.0, 3 * SIDE * SIDE).reshape(3, SIDE, SIDE))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return (frames * self.weight).sum(dim=(1, 2, 3)) + 0.5


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    frame, baseline = 2 * torch.rand(2, 3, SIDE, SIDE, generator=generator, dtype=torch.float64) - 1
    return frame, baseline


@pytest.mark.parametrize("positive", [True, False])
def test_even_path_equals_captums_trapezoid(pair: tuple[torch.Tensor, torch.Tensor], positive: bool) -> None:
    frame, baseline = pair
    logit = ClassLogit(Curved().eval(), positive=positive)
    ours = integrated_gradients(logit, frame, baseline=baseline, steps=25)
    theirs = CaptumIntegratedGradients(logit).attribute(
        frame[None], baselines=baseline[None], n_steps=25, method="riemann_trapezoid"
    )[0]
    # Captum gives n points the weights of n parts, though there are n - 1 parts between them: its sum lacks 1 / n.
    torch.testing.assert_close(ours.attribution, theirs * 25 / 24, rtol=1e-6, atol=1e-9)


def test_refined_path_equals_captum_with_a_thousand_points(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    frame, baseline = pair
    logit = ClassLogit(Curved().eval(), positive=True)
    ours = integrated_gradients(logit, frame, baseline=baseline, steps=400, tolerance=1e-4)
    theirs, delta = CaptumIntegratedGradients(logit).attribute(
        frame[None], baselines=baseline[None], n_steps=1000, return_convergence_delta=True
    )
    assert ours.converged
    assert abs(float(delta)) < 1e-2 * abs(ours.logit_difference)
    scale = float(theirs.abs().max())
    torch.testing.assert_close(ours.attribution, theirs[0], rtol=0, atol=2e-3 * scale)


def test_saliency_equals_captums(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    frame, _ = pair
    logit = ClassLogit(Curved().eval(), positive=True)
    _, gradients = logit_gradients(logit, frame[None])
    torch.testing.assert_close(gradients.abs(), CaptumSaliency(logit).attribute(frame[None].requires_grad_()))


@pytest.mark.parametrize("positive", [True, False])
def test_linear_network_has_a_closed_form(pair: tuple[torch.Tensor, torch.Tensor], positive: bool) -> None:
    frame, baseline = (each.float() for each in pair)
    network = Linear().eval()
    weight = network.weight.detach() if positive else -network.weight.detach()
    result = integrated_gradients(ClassLogit(network, positive=positive), frame, baseline=baseline, steps=8)
    torch.testing.assert_close(result.attribution, weight * (frame - baseline))
    assert result.gap < 1e-5
    assert result.logit_difference == pytest.approx(float((weight * (frame - baseline)).sum()), rel=1e-5)


def test_every_method_on_the_linear_network(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    network = Linear().eval()
    logit = ClassLogit(network, positive=True)
    weight = network.weight.detach().numpy()
    moved = network_input(grey[None], like=network)[0] - network_input(make_baselines("blur", grey), like=network)[0]
    exact = (weight * moved.numpy()).sum(axis=0)
    settings = MethodSettings(patches=SIDE, samples=3)  # patches of one pixel
    maps = {name: explainer(name, settings=settings)(logit, grey) for name in METHODS if name != "grad_cam"}
    np.testing.assert_allclose(maps["integrated_gradients"], exact, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(maps["occlusion"], exact, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(maps["saliency"], np.abs(weight).max(axis=0), rtol=1e-5)
    np.testing.assert_allclose(maps["smoothgrad"], np.abs(weight).max(axis=0), rtol=1e-5)


def test_grad_cam_by_hand(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 2, 1)
            self.head = nn.Linear(2, 1)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.convolution(frames).mean(dim=(2, 3)))
            return logits

    network = Pooled().eval()
    map_ = explainer("grad_cam")(ClassLogit(network, positive=True), grey)
    features = network.convolution(network_input(grey[None], like=network)).detach()[0].numpy()
    # The gradient of a mean is the head's weight over the number of places.
    weights = network.head.weight.detach().numpy()[0] / SIDE**2
    np.testing.assert_allclose(map_, np.maximum(np.tensordot(weights, features, axes=1), 0), rtol=1e-4, atol=1e-7)


def test_smoothgrad_equals_captums_noise_tunnel(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    logit = ClassLogit(Curved().eval(), positive=True)
    frame = network_input(grey[None], like=logit)
    samples, share = 3000, 0.1
    ours = explainer("smoothgrad", settings=MethodSettings(samples=samples, noise_share=share))(logit, grey)
    spread = share * float(frame.max() - frame.min())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        tunnel = NoiseTunnel(CaptumSaliency(logit))
        theirs = tunnel.attribute(
            frame.clone().requires_grad_(), nt_type="smoothgrad", nt_samples=samples, stdevs=spread, abs=False
        )
    expected = theirs[0].abs().amax(dim=0).detach().numpy()
    # Two independent draws of the noise: they agree to its Monte Carlo error, a single gradient does not.
    np.testing.assert_allclose(ours, expected, atol=0.03 * expected.max())
    single = explainer("saliency")(logit, grey)
    assert np.abs(single - expected).max() > 0.1 * expected.max()


def test_grad_cam_equals_captums_on_the_last_convolution(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    network = Curved().eval()
    logit = ClassLogit(network, positive=True)
    frame = network_input(grey[None], like=logit)
    last = network.layers[3]  # after the second convolution, before the picture is flattened
    coarse = LayerGradCam(logit, last).attribute(frame, relu_attributions=True)
    expected = LayerAttribution.interpolate(coarse, (SIDE, SIDE), interpolate_mode="bilinear")[0, 0]
    np.testing.assert_allclose(explainer("grad_cam")(logit, grey), expected.detach().numpy(), rtol=1e-5, atol=1e-9)


def test_occlusion_equals_captums(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    logit = ClassLogit(Curved().eval(), positive=False)
    frame, black = network_input(grey[None], like=logit), network_input(make_baselines("black", grey), like=logit)
    with torch.no_grad():
        theirs = Occlusion(logit).attribute(frame, sliding_window_shapes=(3, 3, 3), strides=(3, 3, 3), baselines=black)
    ours = explainer("occlusion", settings=MethodSettings(baseline="black", patches=SIDE // 3))(logit, grey)
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), rtol=1e-5, atol=1e-7)


@pytest.fixture
def grey() -> np.ndarray[Any, np.dtype[np.uint8]]:
    levels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 1), dtype=np.uint8)
    return np.repeat(levels, 3, axis=2)
