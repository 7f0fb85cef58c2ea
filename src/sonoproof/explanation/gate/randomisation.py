"""Checks against random networks: with other weights, or other labels, the maps must change.

References:
    Adebayo et al. 2018, "Sanity checks for saliency maps", section 3: cascading randomisation.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sonoproof.explanation.gate.check import Check
from sonoproof.explanation.gate.trial import SEED, Trial
from sonoproof.explanation.methods import Explainer, network_input
from sonoproof.training.ensemble import ensemble_members
from sonoproof.training.layers import settle_batch_norm

_MAX_SIMILAR_TO_RANDOM = 0.5
# Randomised copies of the network, from the last layer alone to all layers.
_STAGES = 4


def model_randomisation(explain: Explainer, shown: Sequence[NDArray[Any]], *, trial: Trial) -> Check:
    """Whether the maps fall apart with the network's weights; the series shows it layer by layer."""
    shares, falls = [], []
    frames = network_input(trial.frames, like=trial.network)
    for share, randomised in randomised_cascade(trial.network, frames=frames, stages=_STAGES, seed=SEED):
        shares.append(share)
        falls.append(_mean_similarity(explain, shown, trial=trial, network=randomised))
    return Check.below(
        "model_randomisation",
        falls[-1],
        _MAX_SIMILAR_TO_RANDOM,
        "|rank correlation| of the map with that of the network with all layers randomised",
        series={"share_of_layers": shares, "similarity": falls},
    )


def label_randomisation(
    explain: Explainer, shown: Sequence[NDArray[Any]], *, trial: Trial, shuffled_labels: nn.Module
) -> Check:
    """Whether the maps differ from those of a network of the same kind that was trained on shuffled labels."""
    return Check.below(
        "label_randomisation",
        _mean_similarity(explain, shown, trial=trial, network=shuffled_labels),
        _MAX_SIMILAR_TO_RANDOM,
        "|rank correlation| with the maps of a network trained on shuffled labels",
    )


def _mean_similarity(explain: Explainer, shown: Sequence[NDArray[Any]], *, trial: Trial, network: nn.Module) -> float:
    return float(np.mean(np.abs(trial.similarity(shown, trial.maps(explain, network=network)))))


def randomised_cascade(
    network: nn.Module, *, frames: torch.Tensor, stages: int, seed: int
) -> Iterator[tuple[float, nn.Module]]:
    """Yield a copy of the network at stages, from its last layer randomised to all of them.

    The running statistics of randomised batch norms are taken from `frames`: with the trained ones, a random network is
    silent or saturated, its gradient zero, and any map would seem to change.

    The members of an ensemble are randomised side by side: a layer of all of them before the next layer of any.

    Args:
        network: The trained network, in evaluation mode; it is not changed.
        frames: Some frames in [-1, 1], shape (N, 3, H, W).
        stages: Number of stages, at least 1; each has the same factor more layers than the one before.
        seed: Seed of the weights.

    Yields:
        Share of the layers randomised, and the network; it is one network, which the next step changes further.
    """
    generator = torch.Generator().manual_seed(seed)
    randomised = copy.deepcopy(network)
    layers = list(zip(*map(_from_the_output, ensemble_members(randomised)), strict=True))
    powers = [stage / (stages - 1) if stages > 1 else 1.0 for stage in range(stages)]
    # Mirrored copies beside the frames: a batch norm needs two values to have a spread.
    settle = torch.cat([frames, frames.flip(-1)])
    done = 0
    for edge in sorted({math.ceil(len(layers) ** power) for power in powers}):
        for layer in itertools.chain(*layers[done:edge]):
            _draw(layer, generator)
        done = edge
        norms = [layer for layer in itertools.chain(*layers[:done]) if isinstance(layer, _BatchNorm)]
        settle_batch_norm(randomised, [settle], device=settle.device, norms=norms)
        yield done / len(layers), randomised


def _from_the_output(network: nn.Module) -> list[nn.Module]:
    """The layers that have weights, the last one first."""
    return [layer for layer in network.modules() if list(layer.parameters(recurse=False))][::-1]


@torch.no_grad()
def _draw(layer: nn.Module, generator: torch.Generator) -> None:
    for name, parameter in layer.named_parameters(recurse=False):
        if parameter.ndim > 1:  # He et al. 2015, equation 10: the size of the signal stays the same
            spread = math.sqrt(2.0 / parameter[0].numel())
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
        else:
            parameter.fill_(1.0 if name == "weight" else 0.0)
