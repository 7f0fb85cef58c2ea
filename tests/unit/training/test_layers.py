"""The adapted layers against the same network as `transformers` gives it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers import (
    MobileNetV1Config,
    MobileNetV1ForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
)

from sonoproof.training.layers import batch_norms, patch_backbone

SIZES = [64, 65]


def network(kind: str) -> nn.Module:
    """A small network with batch norm statistics and weights that are not the start values, in evaluation mode."""
    torch.manual_seed(0)
    config: MobileNetV1Config | MobileNetV2Config
    if kind == "v1":
        config = MobileNetV1Config(depth_multiplier=0.25, image_size=64, classifier_dropout_prob=0.0)
        config.num_labels = 1
        built: nn.Module = MobileNetV1ForImageClassification(config)
    else:
        config = MobileNetV2Config(depth_multiplier=0.35, image_size=64, classifier_dropout_prob=0.0)
        config.num_labels = 1
        built = MobileNetV2ForImageClassification(config)
    for norm in batch_norms(built):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.3, 0.3)
        norm.momentum = 1.0  # the statistics of one batch, or the signal of a random network dies out on its way
    with torch.no_grad():
        built.train()(frames(96))
    for norm in batch_norms(built):
        norm.momentum = 0.1
    built.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return built.eval()


def adapted(kind: str) -> nn.Module:
    changed = copy.deepcopy(network(kind))
    patch_backbone(changed)
    return changed


def frames(size: int = 64) -> torch.Tensor:
    drawn = torch.rand((4, 3, size, size), generator=torch.Generator().manual_seed(1)) * 2 - 1
    return drawn.contiguous(memory_format=torch.channels_last)


def train(net: nn.Module, *, frozen: bool) -> None:
    net.train()
    for norm in batch_norms(net):
        norm.train(not frozen)


@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_the_answers_are_those_of_the_published_layers(kind: str, size: int) -> None:
    expected = network(kind)(frames(size)).logits
    assert expected.std() > 1e-4
    torch.testing.assert_close(adapted(kind)(frames(size)).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("frozen", [True, False])
def test_every_gradient_is_that_of_the_published_layers(kind: str, frozen: bool) -> None:
    ours, theirs = adapted(kind).double(), network(kind).double()
    for net in (ours, theirs):
        train(net, frozen=frozen)
        net(frames(96).double()).logits.square().sum().backward()
    expected = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(expected)
    for name, parameter in ours.named_parameters():
        wanted = expected[name].grad
        assert wanted is not None
        assert wanted.abs().max() > 0.0
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-7, atol=1e-9 * float(wanted.abs().max()))


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_statistics_that_are_learned_are_those_of_the_published_layers(kind: str) -> None:
    ours, theirs = adapted(kind), network(kind)
    for net in (ours, theirs):
        train(net, frozen=False)
        net(frames(96))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, expected in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], expected, rtol=1e-4, atol=1e-5)


def test_nothing_is_normalised_twice_or_not_at_all() -> None:
    net = adapted("v1")
    first = net.get_submodule("mobilenet_v1.layer.0")
    features = torch.rand((2, 8, 16, 16), generator=torch.Generator().manual_seed(2))
    norm = first.get_submodule("normalization")
    assert isinstance(norm, nn.BatchNorm2d)
    plain = nn.BatchNorm2d(8, eps=norm.eps).eval()
    plain.load_state_dict(norm.state_dict())
    convolution = first.get_submodule("convolution")
    weight = convolution.get_parameter("weight")
    expected = plain(torch.conv2d(features, weight, padding=1, groups=8)).clamp(0.0, 6.0)
    torch.testing.assert_close(first(features), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_copy_follows_its_own_batch_norm_and_the_weights_as_they_are() -> None:
    net = adapted("v1")
    before = net(frames()).logits
    other = copy.deepcopy(net)
    for norm in batch_norms(other):
        norm.weight.mul_(0.5)
    assert not torch.allclose(other(frames()).logits, before)
    assert torch.equal(net(frames()).logits, before)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(frames()).logits, before)


def test_frames_and_gradients_with_respect_to_them_are_not_touched() -> None:
    ours, theirs = adapted("v1"), network("v1")
    gradients = []
    for net in (ours, theirs):
        given = frames().requires_grad_()
        net(given).logits.sum().backward()
        assert torch.equal(given.detach(), frames())
        gradients.append(given.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


class _NormFirst(nn.Module):
    """A layer with parts of the same names in another order, as in networks that normalise before they convolve."""

    def __init__(self) -> None:
        super().__init__()
        self.normalization = nn.BatchNorm2d(3)
        self.convolution = nn.Conv2d(3, 3, 3, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.convolution(self.normalization(features))
        return changed


@torch.no_grad()
def test_a_layer_that_normalises_first_is_left_as_it_is() -> None:
    torch.manual_seed(3)
    layer = _NormFirst()
    nn.init.uniform_(layer.normalization.weight, 0.5, 1.5)
    layer.train()(frames())
    layer.eval()
    expected = layer(frames())
    patch_backbone(nn.Sequential(layer))
    assert torch.equal(layer(frames()), expected)
