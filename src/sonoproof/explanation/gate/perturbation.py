"""Deletion and insertion: do the patches that a map calls important move the logit?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoproof.explanation.gate.check import Check
from sonoproof.explanation.gate.trial import Trial

_MIN_OVER_RANDOM = 2.0
_MIN_OVER_EDGES = -2.0


def deletion_and_insertion(maps: Sequence[NDArray[Any]], *, trial: Trial) -> list[Check]:
    """Compare the maps with random orders of the patches and with an edge detector."""
    own, edges, random = trial.perturbation_scores(maps), trial.edge_scores, trial.random_scores
    # Standard error of the mean over frames of the score of one random order per frame.
    spread = math.sqrt(float(np.mean(np.var(random, axis=1, ddof=1))) / len(maps))

    def over(scores: list[float] | list[list[float]]) -> float:
        difference = float(np.mean(own)) - float(np.mean(scores))
        return difference / spread if spread > 0 else math.nan

    return [
        Check.above(
            "better_than_random",
            over(random),
            _MIN_OVER_RANDOM,
            "area between insertion and deletion, minus that of random orders, in their standard errors",
            series={"map": own, "edges": edges, "random": random},
        ),
        Check.above(
            "no_worse_than_edges",
            over(edges),
            _MIN_OVER_EDGES,
            "area between insertion and deletion, minus that of an edge detector, in the same standard errors",
        ),
    ]
