"""Several trained networks as one: the mean of their logits.

References:
    Lakshminarayanan, Pritzel, Blundell 2017, "Simple and scalable predictive uncertainty estimation using deep
    ensembles"; here the members differ in the rows that they learned from, and their logits are averaged, so that one
    logit stays the thing that is calibrated, explained and exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from sonoproof.training.model import Architecture, BinaryClassifier


class Ensemble(nn.Module):
    """Networks of one architecture side by side.

    Args:
        members: The networks, two at least.

    Raises:
        ValueError: There are fewer than two, or they are not of one architecture.
    """

    def __init__(self, members: Sequence[BinaryClassifier]) -> None:
        super().__init__()
        if len(members) < 2:
            raise ValueError(f"an ensemble needs at least two members, not {len(members)}")
        if any(member.architecture != members[0].architecture for member in members):
            raise ValueError("the members of an ensemble must be of one architecture")
        self.networks = nn.ModuleList(members)

    @property
    def members(self) -> tuple[BinaryClassifier, ...]:
        """The networks."""
        return cast("tuple[BinaryClassifier, ...]", tuple(self.networks))

    @property
    def architecture(self) -> Architecture:
        """How to build one member again; it is the same for all."""
        return self.members[0].architecture

    def forward(self, frames: Tensor) -> Tensor:
        """Logit of the positive class: the mean of the members' logits.

        Args:
            frames: (N, 3, H, W) float in [-1, 1].

        Returns:
            (N,) logits.
        """
        return torch.stack([member(frames) for member in self.members]).mean(dim=0)


# What a saved model may hold: both have `members` and `architecture`, and give one logit per frame.
Classifier = BinaryClassifier | Ensemble


def ensemble_members(network: nn.Module) -> tuple[nn.Module, ...]:
    """The members of an ensemble, or the network itself."""
    return network.members if isinstance(network, Ensemble) else (network,)
