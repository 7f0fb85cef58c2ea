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
_KEPT_BATCHES = 4
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
        alphas: Points of the path, ascending, float64, shape (S,).
        logits: Logit of the explained class at each point, float64, shape (S,).
        slopes: Derivative of that logit along the path, float64, shape (S,).
        mean_absolute_gradient: Mean over pixels and channels of the absolute gradient, float64, shape (S,).
        at_frame: Gradient of the logit with respect to the input at the last point, shape (3, H, W).
    """

    alphas: torch.Tensor
    logits: torch.Tensor
    slopes: torch.Tensor
    mean_absolute_gradient: torch.Tensor
    at_frame: torch.Tensor


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
        path: Those points.
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
    misses most are halved until the sum over the whole path agrees to `tolerance`, or `steps` points are spent. The
    gradients of four batches are kept; those of further points are computed again at the end, when their weights are
    known, so that the memory does not grow with the points.

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
    line = _Line(model, frame, baseline, batch)
    path = line.walk(torch.linspace(0.0, 1.0, min(_FIRST_POINTS, steps), dtype=torch.float64))
    while len(path.alphas) < steps and not _summary(path, tolerance)[2]:
        worst = _misses(path).abs().topk(min(batch, len(path.alphas) - 1, steps - len(path.alphas))).indices
        path = _merge(path, line.walk((path.alphas[worst] + path.alphas[worst + 1]) / 2))
    delta, gap, converged = _summary(path, tolerance)
    return IntegratedGradients(
        attribution=line.integral(path.alphas),
        logit_difference=float(path.logits[-1] - path.logits[0]),
        convergence_delta=delta,
        gap=gap,
        converged=converged,
        steps_used=len(path.alphas),
        path=path,
    )


class _Line:
    """The straight line from a baseline to a frame, and the gradients on it that are kept."""

    def __init__(self, model: Logit, frame: torch.Tensor, baseline: torch.Tensor, batch: int) -> None:
        self._model, self._frame, self._baseline, self._batch = model, frame, baseline, batch
        self._kept: dict[float, torch.Tensor] = {}

    def walk(self, alphas: torch.Tensor) -> GradientPath:
        """Logits and what is known of the gradients at some points."""
        direction = (self._frame - self._baseline).double()
        logits, slopes, sizes = [], [], []
        gradients = self._frame.new_zeros((1, *self._frame.shape))
        for part in torch.split(alphas, self._batch):
            values, gradients = self._gradients(part)
            logits.append(values.double().cpu())
            slopes += [(gradient.double() * direction).sum().cpu() for gradient in gradients]
            sizes.append(gradients.abs().mean(dim=(1, 2, 3)).double().cpu())
            if len(self._kept) + len(part) <= _KEPT_BATCHES * self._batch:
                self._kept |= zip(part.tolist(), gradients, strict=True)
        return GradientPath(alphas, torch.cat(logits), torch.stack(slopes), torch.cat(sizes), gradients[-1].clone())

    def integral(self, alphas: torch.Tensor) -> torch.Tensor:
        """Integrated gradients by the trapezoid rule, the points ascending, shape (3, H, W)."""
        weights = dict(zip(alphas.tolist(), _trapezoid_weights(alphas).tolist(), strict=True))
        total = torch.zeros_like(self._frame)
        for alpha, gradient in self._kept.items():
            total += weights[alpha] * gradient
        rest = [alpha for alpha in weights if alpha not in self._kept]
        for part in torch.split(torch.tensor(rest, dtype=torch.float64), self._batch) if rest else ():
            _, gradients = self._gradients(part)
            shares = torch.tensor([weights[alpha] for alpha in part.tolist()]).to(gradients)
            total += torch.einsum("s,schw->chw", shares, gradients)
        return (self._frame - self._baseline) * total

    def _gradients(self, alphas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # x' + α (x − x') loses the frame itself to rounding at α = 1; this form meets both ends exactly.
        share = alphas.to(self._frame)[:, None, None, None]
        return logit_gradients(self._model, (1 - share) * self._baseline + share * self._frame)


def _merge(first: GradientPath, second: GradientPath) -> GradientPath:
    """Both paths as one; the first has the frame itself."""
    alphas = torch.cat([first.alphas, second.alphas])
    order = alphas.argsort()
    return GradientPath(
        alphas[order],
        torch.cat([first.logits, second.logits])[order],
        torch.cat([first.slopes, second.slopes])[order],
        torch.cat([first.mean_absolute_gradient, second.mean_absolute_gradient])[order],
        first.at_frame,
    )


def _misses(path: GradientPath) -> torch.Tensor:
    """What the trapezoid rule gives too much over each part of the path, in logits, shape (S - 1,)."""
    return path.alphas.diff() * (path.slopes[:-1] + path.slopes[1:]) / 2 - path.logits.diff()


def _trapezoid_weights(alphas: torch.Tensor) -> torch.Tensor:
    widths = alphas.diff()
    ends = torch.zeros(1, dtype=alphas.dtype)
    return (torch.cat([ends, widths]) + torch.cat([widths, ends])) / 2


def _summary(path: GradientPath, tolerance: float) -> tuple[float, float, bool]:
    """Convergence delta in logits, relative gap, and whether it is below the tolerance."""
    delta = float(_misses(path).sum())
    difference = abs(float(path.logits[-1] - path.logits[0]))
    if difference <= _ROUNDING * max(1.0, float(path.logits.abs().max())):
        return delta, float("nan"), False
    gap = abs(delta) / difference
    return delta, gap, gap < tolerance
