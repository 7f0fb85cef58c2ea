"""Gradients of a class's logit: saliency and integrated gradients, each with its error made public.

Every function takes the network as a callable that returns the logit to be explained; `ClassLogit` names the class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

Logit = Callable[[torch.Tensor], torch.Tensor]

# An even path first: it shows the shape of the curves, and the refinement goes where it misses the logit.
_FIRST_POINTS = 33
# Below this share of the logits' size a difference of logits is float32 rounding, and a relative gap means nothing.
_ROUNDING = 1e-5


class ClassLogit(nn.Module):
    """The logit of one named class of a two-class network.

    Args:
        network: Returns the logit of the positive class, shape (N,) or (N, 1); in evaluation mode.
        positive: Whether the class explained is the positive one; the negative class's logit is minus the output.
    """

    def __init__(self, network: nn.Module, *, positive: bool) -> None:
        super().__init__()
        if network.training:
            raise ValueError("the network must be in evaluation mode: dropout and batch norm would change the map")
        self.network = network
        self.sign = 1.0 if positive else -1.0
        self.eval()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Logits, shape (N,), of frames of shape (N, 3, H, W) in [-1, 1]."""
        return self.sign * cast(torch.Tensor, self.network(frames)).reshape(len(frames))


@dataclass(frozen=True)
class GradientPath:
    """Logit and gradient on the straight line from a baseline (alpha 0) to the frame (alpha 1).

    Attributes:
        alphas: Points of the path, ascending, shape (S,).
        logits: Logit of the explained class at each point, float64, shape (S,).
        gradients: Gradient of that logit with respect to the input, shape (S, 3, H, W).
    """

    alphas: torch.Tensor
    logits: torch.Tensor
    gradients: torch.Tensor


@dataclass(frozen=True)
class IntegratedGradients:
    """Integrated gradients of one frame.

    Attributes:
        attribution: Share of each input value in the logit difference, in logits, float32, shape (3, H, W).
        logit_difference: Logit of the frame minus logit of the baseline.
        convergence_delta: Sum of the attribution minus the logit difference.
        gap: |convergence_delta| / |logit_difference|; NaN where frame and baseline have the same logit.
        converged: Whether the gap is below the tolerance asked for.
        steps_used: Number of points of the path at which a gradient was taken.
        path: Those points, with logits and gradients.
    """

    attribution: torch.Tensor
    logit_difference: float
    convergence_delta: float
    gap: float
    converged: bool
    steps_used: int
    path: GradientPath


def logit_gradients(model: Logit, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and their gradients with respect to the input.

    Args:
        model: The logit to be explained.
        frames: Frames in [-1, 1], float32, shape (N, 3, H, W).

    Returns:
        Logits, shape (N,), and gradients, shape (N, 3, H, W), both detached.

    References:
        Simonyan, Vedaldi, Zisserman 2014, "Deep inside convolutional networks", section 3: its saliency map is the
        gradient's magnitude.
    """
    inputs = frames.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        logits = model(inputs).reshape(len(inputs))
        (gradients,) = torch.autograd.grad(logits.sum(), inputs)
    return logits.detach(), gradients


def integrated_gradients(
    model: Logit,
    frame: torch.Tensor,
    *,
    baseline: torch.Tensor,
    steps: int = 256,
    tolerance: float = 0.01,
    batch: int = 16,
) -> IntegratedGradients:
    """Integrated gradients by the trapezoid rule, its points placed where the completeness gap arises.

    The sum of the integral over a part of the path must equal the logit's rise over that part. The parts where it
    misses most are halved until the sum over the whole path agrees to `tolerance`, or `steps` points are spent.

    Args:
        model: The logit to be explained.
        frame: The frame in [-1, 1], shape (3, H, W).
        baseline: Where the path starts, same shape.
        steps: Most points of the path, at least 2; 33 or fewer gives an even path without refinement.
        tolerance: Completeness gap, relative to the logit difference, below which the path counts as converged.
        batch: Points evaluated at a time.

    References:
        Sundararajan, Taly, Yan 2017, "Axiomatic attribution for deep networks", equation 1 and proposition 1.
    """
    alphas = torch.linspace(0.0, 1.0, min(_FIRST_POINTS, steps), dtype=torch.float64)
    path = _walk(model, frame, baseline=baseline, alphas=alphas, batch=batch)
    slopes = _slopes(path, frame - baseline)
    while len(path.alphas) < steps and not _summary(path, slopes, tolerance)[2]:
        misses = _misses(path, slopes).abs()
        worst = misses.topk(min(batch, len(misses), steps - len(path.alphas))).indices
        middles = (path.alphas[worst] + path.alphas[worst + 1]) / 2
        refined = _walk(model, frame, baseline=baseline, alphas=middles, batch=batch)
        path = _merge(path, refined)
        slopes = _slopes(path, frame - baseline)
    delta, gap, converged = _summary(path, slopes, tolerance)
    weights = _trapezoid_weights(path.alphas).to(path.gradients)
    return IntegratedGradients(
        attribution=(frame - baseline) * torch.einsum("s,schw->chw", weights, path.gradients),
        logit_difference=float(path.logits[-1] - path.logits[0]),
        convergence_delta=delta,
        gap=gap,
        converged=converged,
        steps_used=len(path.alphas),
        path=path,
    )


def _walk(
    model: Logit, frame: torch.Tensor, *, baseline: torch.Tensor, alphas: torch.Tensor, batch: int
) -> GradientPath:
    logits, gradients = [], []
    for part in torch.split(alphas, batch):
        # x' + α (x − x') loses the frame itself to rounding at α = 1; this form meets both ends exactly.
        share = part.to(frame)[:, None, None, None]
        values, slopes = logit_gradients(model, (1 - share) * baseline + share * frame)
        logits.append(values.double().cpu())
        gradients.append(slopes)
    return GradientPath(alphas=alphas, logits=torch.cat(logits), gradients=torch.cat(gradients))


def _merge(first: GradientPath, second: GradientPath) -> GradientPath:
    alphas = torch.cat([first.alphas, second.alphas])
    order = alphas.argsort()
    return GradientPath(
        alphas=alphas[order],
        logits=torch.cat([first.logits, second.logits])[order],
        gradients=torch.cat([first.gradients, second.gradients])[order.to(first.gradients.device)],
    )


def _slopes(path: GradientPath, direction: torch.Tensor) -> torch.Tensor:
    """Derivative of the logit along the path, float64, shape (S,)."""
    return torch.stack([(gradient.double() * direction.double()).sum().cpu() for gradient in path.gradients])


def _misses(path: GradientPath, slopes: torch.Tensor) -> torch.Tensor:
    """What the trapezoid rule gives too much over each part of the path, in logits, shape (S - 1,)."""
    return path.alphas.diff() * (slopes[:-1] + slopes[1:]) / 2 - path.logits.diff()


def _trapezoid_weights(alphas: torch.Tensor) -> torch.Tensor:
    widths = alphas.diff()
    ends = torch.zeros(1, dtype=alphas.dtype)
    return (torch.cat([ends, widths]) + torch.cat([widths, ends])) / 2


def _summary(path: GradientPath, slopes: torch.Tensor, tolerance: float) -> tuple[float, float, bool]:
    """Convergence delta in logits, relative gap, and whether it is below the tolerance."""
    delta = float(_misses(path, slopes).sum())
    difference = abs(float(path.logits[-1] - path.logits[0]))
    if difference <= _ROUNDING * max(1.0, float(path.logits.abs().max())):
        return delta, float("nan"), False
    gap = abs(delta) / difference
    return delta, gap, gap < tolerance
