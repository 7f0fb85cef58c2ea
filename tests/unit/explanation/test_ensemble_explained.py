"""Maps of an ensemble are those of all its members, and the gate randomises them side by side."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.support.bundles import lively_bundle, lively_ensemble
from torch import nn

from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.catalogue import METHODS
from sonoproof.explanation.gate.randomisation import randomised_cascade
from sonoproof.explanation.methods import MethodSettings, explainer, network_input
from sonoproof.training.ensemble import Ensemble

SIZE = 64
COARSE = MethodSettings(steps=8, samples=4, patches=4)


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    classifier = lively_ensemble(size=SIZE).classifier
    assert isinstance(classifier, Ensemble)
    return classifier


@pytest.fixture(scope="module")
def frame() -> npt.NDArray[np.uint8]:
    levels = np.random.default_rng(3).integers(0, 200, (SIZE, SIZE, 1), dtype=np.uint8)
    levels[20:40, 10:30] //= 4
    return levels.repeat(3, axis=2)


def layers_from_the_output(member: nn.Module) -> list[nn.Module]:
    return [layer for layer in member.modules() if list(layer.parameters(recurse=False))][::-1]


def drawn_anew(before: Ensemble, after: nn.Module) -> list[list[bool]]:
    """Of each member, for each layer from the output downwards, whether its weights are others."""
    assert isinstance(after, Ensemble)
    pairs = [
        zip(layers_from_the_output(old), layers_from_the_output(new), strict=True)
        for old, new in zip(before.members, after.members, strict=True)
    ]
    return [[not torch.equal(next(old.parameters()), next(new.parameters())) for old, new in pair] for pair in pairs]


def test_members_are_randomised_side_by_side_from_the_output(ensemble: Ensemble) -> None:
    frames = torch.rand((2, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    depth, seen = len(layers_from_the_output(ensemble.members[0])), []
    for share, randomised in randomised_cascade(ensemble, frames=frames, stages=4, seed=0):
        changed = drawn_anew(ensemble, randomised)
        # Batch norms start from the weights that are drawn for them, and may be as they were: convolutions tell.
        reached = [max(place for place, is_new in enumerate(of_member) if is_new) + 1 for of_member in changed]
        assert len(set(reached)) == 1, reached
        assert all(of_member[0] for of_member in changed)
        assert reached[0] <= round(share * depth)
        seen.append(reached[0])
    assert all(low < high for low, high in pairwise(seen))
    assert seen[0] == 1  # the last layer of every member, and no other
    assert share == 1.0


def test_grad_cam_of_an_ensemble_is_made_of_all_members(ensemble: Ensemble, frame: npt.NDArray[np.uint8]) -> None:
    """By hand on the ensemble's own logit: gradients of the mean with respect to every member's last picture."""
    pictures: list[torch.Tensor] = []
    hooks = [
        member.network.get_submodule("mobilenet_v1.layer.25").register_forward_hook(
            lambda _layer, _inputs, output: pictures.append(output)
        )
        for member in ensemble.members
    ]
    logit = ensemble(network_input(frame[None], like=ensemble))
    gradients = torch.autograd.grad(logit.sum(), pictures)
    for hook in hooks:
        hook.remove()
    parts = [
        (gradient.mean(dim=(2, 3), keepdim=True) * picture).sum(dim=1, keepdim=True)
        for gradient, picture in zip(gradients, pictures, strict=True)
    ]
    coarse = torch.relu(sum(parts, torch.zeros(1)))
    expected = nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear", align_corners=False)[0, 0].detach()
    found = explainer("grad_cam")(ClassLogit(ensemble, positive=True), frame)
    assert float(expected.max()) > 0
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-7 + 1e-5 * float(expected.max()))
    of_the_last = explainer("grad_cam")(ClassLogit(ensemble.members[-1], positive=True), frame)
    assert not np.allclose(found, of_the_last, rtol=0.05)


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_methods_that_are_linear_in_the_logit_give_the_mean_of_the_members_maps(
    ensemble: Ensemble, frame: npt.NDArray[np.uint8], method: str
) -> None:
    explain = explainer(method, settings=COARSE)
    expected = np.mean([explain(ClassLogit(member, positive=True), frame) for member in ensemble.members], axis=0)
    found = explain(ClassLogit(ensemble, positive=True), frame)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_an_ensemble(ensemble: Ensemble, frame: npt.NDArray[np.uint8], method: str) -> None:
    found = explainer(method, settings=COARSE)(ClassLogit(ensemble, positive=False), frame)
    assert found.shape == (SIZE, SIZE)
    assert np.isfinite(found).all()


def test_one_network_is_randomised_as_before() -> None:
    network, frames = lively_bundle(size=SIZE).classifier, torch.rand((2, 3, SIZE, SIZE))
    shares = [share for share, _ in randomised_cascade(network, frames=frames, stages=3, seed=0)]
    depth = len(layers_from_the_output(network))
    assert shares[0] == pytest.approx(1 / depth)
    assert shares[-1] == 1.0
