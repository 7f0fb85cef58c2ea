"""The functions of the attribution methods: the logit of a named class and a frame give one map.

Positive values of a signed method push towards the class; those of an unsigned method are magnitudes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
from captum.attr import LayerGradCam, Occlusion
from numpy.typing import NDArray
from torch import nn

from sonoproof.errors import ConfigError
from sonoproof.explanation.attribution import ClassLogit, integrated_gradients, logit_gradients
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.catalogue import METHODS
from sonoproof.training.batches import to_network
from sonoproof.training.ensemble import ensemble_members
from sonoproof.types import UInt8Array

Explainer = Callable[[ClassLogit, UInt8Array], NDArray[Any]]
"""Gives the map, shape (H, W), of a logit and a frame, (H, W, 3)."""


@dataclass(frozen=True)
class MethodSettings:
    """Settings of the methods.

    Attributes:
        baseline: Baseline of integrated gradients and occlusion.
        references: Frames of the baseline ``references``, uint8, shape (R, H, W, 3).
        steps: Most points of the path of integrated gradients.
        tolerance: Completeness gap below which the path is fine enough.
        samples: Noisy copies of SmoothGrad.
        noise_share: Standard deviation of SmoothGrad's noise, as a share of the frame's own range of values.
        patches: Occluding patches along a side.
        seed: Seed of SmoothGrad's noise.
    """

    baseline: str = "blur"
    references: UInt8Array | None = None
    steps: int = 256
    tolerance: float = 0.01
    samples: int = 16
    noise_share: float = 0.1
    patches: int = 14
    seed: int = 0


def explainer(name: str, *, settings: MethodSettings | None = None) -> Explainer:
    """A method by name as a function of logit and frame.

    Raises:
        ConfigError: There is no such method.
    """
    if name not in METHODS:
        raise ConfigError(f"there is no explanation method {name!r}; there are {', '.join(METHODS)}")
    return partial(resolve_name(METHODS[name].function), settings=settings or MethodSettings())


def network_input(levels: NDArray[Any], *, like: nn.Module) -> torch.Tensor:
    """Frames as the network takes them, on its device.

    Args:
        levels: Grey levels in [0, 255], shape (N, H, W, 3).
        like: The network.

    Returns:
        float32 in [-1, 1], shape (N, 3, H, W).
    """
    device = next((parameter.device for parameter in like.parameters()), torch.device("cpu"))
    return to_network(np.ascontiguousarray(levels), device=device).contiguous()


def saliency(logit: ClassLogit, frame: UInt8Array, *, settings: MethodSettings) -> NDArray[Any]:  # noqa: ARG001
    """The largest absolute gradient over the channels, (H, W)."""
    _, gradients = logit_gradients(logit, network_input(frame[None], like=logit))
    return _array(gradients[0].abs().amax(dim=0))


def mean_integrated_gradients(logit: ClassLogit, frame: UInt8Array, *, settings: MethodSettings) -> NDArray[Any]:
    """Integrated gradients, summed over the channels and averaged over the baselines, (H, W)."""
    (target,) = network_input(frame[None], like=logit)
    maps = [
        integrated_gradients(logit, target, baseline=baseline, steps=settings.steps, tolerance=settings.tolerance)
        for baseline in _baselines(logit, frame, settings)
    ]
    return _array(torch.stack([result.attribution.sum(dim=0) for result in maps]).mean(dim=0))


def smoothgrad(logit: ClassLogit, frame: UInt8Array, *, settings: MethodSettings) -> NDArray[Any]:
    """Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise", equation 1; magnitudes as for saliency."""
    target = network_input(frame[None], like=logit)
    noise = torch.randn((settings.samples, *target.shape[1:]), generator=torch.Generator().manual_seed(settings.seed))
    spread = settings.noise_share * float(target.max() - target.min())
    _, gradients = logit_gradients(logit, target + spread * noise.to(target))
    return _array(gradients.mean(dim=0).abs().amax(dim=0))


def grad_cam(logit: ClassLogit, frame: UInt8Array, *, settings: MethodSettings) -> NDArray[Any]:  # noqa: ARG001
    """Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2, on the last layer whose output is still a picture.

    The map of an ensemble, before its negative part is cut, is the mean of its members' maps, as its logit is the mean
    of theirs.
    """
    target = network_input(frame[None], like=logit)
    members = [ClassLogit(member, positive=logit.sign > 0) for member in ensemble_members(logit.network)]
    maps = [LayerGradCam(member, _last_feature_layer(member, target)).attribute(target) for member in members]
    coarse = torch.relu(torch.stack(maps).mean(dim=0))
    fine = nn.functional.interpolate(coarse, size=target.shape[-2:], mode="bilinear", align_corners=False)
    return _array(fine[0].sum(dim=0))


def occlusion(logit: ClassLogit, frame: UInt8Array, *, settings: MethodSettings) -> NDArray[Any]:
    """Zeiler, Fergus 2014, "Visualizing and understanding convolutional networks": patches set to the baseline."""
    target = network_input(frame[None], like=logit)
    baseline = _baselines(logit, frame, settings).mean(dim=0, keepdim=True)
    patch = max(1, max(target.shape[-2:]) // settings.patches)
    with torch.no_grad():
        drops = Occlusion(logit).attribute(
            target,
            sliding_window_shapes=(3, patch, patch),
            strides=(3, patch, patch),
            baselines=baseline,
            perturbations_per_eval=16,
        )
    return _array(drops[0].mean(dim=0))


def _last_feature_layer(logit: ClassLogit, target: torch.Tensor) -> nn.Module:
    """The last module called once whose output is a picture of features: (1, C, H, W) with more than one place."""
    calls: dict[nn.Module, int] = {}
    layers: list[nn.Module] = []

    def record(module: nn.Module, _inputs: Any, output: Any) -> None:
        calls[module] = calls.get(module, 0) + 1
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[-2:].numel() > 1:
            layers.append(module)

    hooks = [module.register_forward_hook(record) for module in logit.network.modules()]
    try:
        with torch.no_grad():
            logit(target)
    finally:
        for hook in hooks:
            hook.remove()
    once = [layer for layer in layers if calls[layer] == 1]
    if not once:
        raise ConfigError("grad_cam needs a convolutional network; no layer of this one gives a picture of features")
    return once[-1]


def _baselines(logit: ClassLogit, frame: UInt8Array, settings: MethodSettings) -> torch.Tensor:
    return network_input(make_baselines(settings.baseline, frame, references=settings.references), like=logit)


def _array(values: torch.Tensor) -> NDArray[Any]:
    return values.detach().cpu().numpy()
