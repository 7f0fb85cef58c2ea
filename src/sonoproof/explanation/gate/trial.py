"""The frames that explainers are judged on, and what is the same for every explainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.display import shown_map
from sonoproof.explanation.gate.check import rank_similarity
from sonoproof.explanation.gate.patches import edge_map, patch_means, perturbation_score
from sonoproof.explanation.methods import Explainer, network_input
from sonoproof.types import UInt8Array

# Seed of the random weights, orders and noise.
SEED = 0
# Patches along a side for deletion and insertion, what a deleted one shows, and random orders to compare with.
_PATCHES, _BASELINE, _ORDERS = 14, "blur", 8


@dataclass(frozen=True, eq=False)
class Trial:
    """Frames of a network, on which explainers are judged.

    Attributes:
        network: The trained network, in evaluation mode: frames to logits of the positive class.
        frames: Frames, uint8, shape (N, H, W, 3); 3 or more.
        positive: Whether the positive class's logit is explained, for each frame.
        shuffled_labels: A network of the same kind trained on shuffled labels; None to leave that check out.
    """

    network: nn.Module
    frames: UInt8Array
    positive: Sequence[bool]
    shuffled_labels: nn.Module | None = None

    def maps(
        self, explain: Explainer, *, network: nn.Module | None = None, frames: Sequence[UInt8Array] | None = None
    ) -> list[NDArray[Any]]:
        """The maps of an explainer.

        Args:
            explain: The explainer.
            network: Another network than the trained one.
            frames: Other frames, in the place of these.
        """
        logits = [ClassLogit(network or self.network, positive=side) for side in self.positive]
        chosen = self.frames if frames is None else frames
        return [np.asarray(explain(logit, frame)) for logit, frame in zip(logits, chosen, strict=True)]

    def similarity(self, shown: Sequence[NDArray[Any]], maps: Sequence[NDArray[Any]]) -> list[float]:
        """Rank correlation of maps as a reader sees them with other maps of the same frames."""
        return [rank_similarity(one, shown_map(other)) for one, other in zip(shown, maps, strict=True)]

    def perturbation_scores(self, maps: Sequence[NDArray[Any]]) -> list[float]:
        """What deletion and insertion give for the maps, in logits."""
        return [self._score(k, patch_means(values, patches=_PATCHES)) for k, values in enumerate(maps)]

    @cached_property
    def edge_scores(self) -> list[float]:
        """What deletion and insertion give for an edge detector."""
        return self.perturbation_scores([edge_map(frame) for frame in self.frames])

    @cached_property
    def random_scores(self) -> list[list[float]]:
        """What deletion and insertion give for random orders of the patches, for each frame."""
        rng = np.random.default_rng(SEED)
        return [
            [self._score(k, order) for order in rng.random((_ORDERS, _PATCHES**2))] for k in range(len(self.frames))
        ]

    def _score(self, place: int, importance: NDArray[Any]) -> float:
        logit = ClassLogit(self.network, positive=self.positive[place])
        (frame,) = network_input(self.frames[place][None], like=logit)
        (baseline,) = network_input(make_baselines(_BASELINE, self.frames[place]), like=logit)
        return perturbation_score(logit, frame, baseline=baseline, importance=importance, patches=_PATCHES)
