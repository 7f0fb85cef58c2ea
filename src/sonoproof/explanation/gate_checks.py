"""The checks of the trust gate. Each takes maps or an explainer and says what it measured, and whether that is enough.

Maps are compared as a reader sees them, averaged over a small neighbourhood. What each threshold rests on is in
``docs/explanations.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import nn

from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.display import shown_map
from sonoproof.explanation.methods import Explainer, network_input
from sonoproof.explanation.perturbation import edge_map, patch_means, perturbation_score
from sonoproof.explanation.randomisation import randomised_cascade

__all__ = [
    "Check",
    "GateSettings",
    "OrdersWithoutAMap",
    "baseline_agreement",
    "completeness",
    "deletion_and_insertion",
    "finite_and_varied",
    "label_randomisation",
    "model_randomisation",
    "orders_without_a_map",
    "rank_similarity",
    "repeatability",
]

Frames = NDArray[np.uint8]

# Thresholds; measured error rates in docs/explanations.md.
_MAX_SIMILAR_TO_RANDOM = 0.5
_MIN_REPEATABLE = 0.5
_MIN_AGREEMENT = -0.25
_MIN_OVER_RANDOM = 2.0
_MIN_OVER_EDGES = -2.0


@dataclass(frozen=True)
class GateSettings:
    """How much work the gate does.

    Attributes:
        stages: Randomised copies of the network, from the last layer alone to all layers.
        patches: Patches along a side for deletion and insertion.
        orders: Random orders that deletion and insertion are compared with.
        noise_levels: Standard deviation of the imperceptible noise in grey levels of 255.
        baseline: What deleted patches show.
        seed: Seed of weights, orders and noise.
    """

    stages: int = 4
    patches: int = 14
    orders: int = 8
    noise_levels: float = 1.0
    baseline: str = "blur"
    seed: int = 0


@dataclass(frozen=True)
class Check:
    """One check of the gate.

    Attributes:
        name: Name of the check.
        passed: Whether the value is on the right side of the threshold.
        value: What was measured; NaN where it could not be.
        threshold: Where right and wrong part.
        passes: ``below`` or ``above`` the threshold.
        detail: What the value is, in a sentence.
        series: Further numbers behind the value.
    """

    name: str
    passed: bool
    value: float
    threshold: float
    passes: str
    detail: str
    series: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OrdersWithoutAMap:
    """What deletion and insertion give for orders of the patches that no map gave, in logits.

    Attributes:
        edges: Score of an edge detector on each frame.
        random: Scores of random orders on each frame.
    """

    edges: list[float]
    random: list[list[float]]


def rank_similarity(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's rank correlation of two maps, in [-1, 1]; 0 where one of them is constant or not finite."""
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    ranks = np.stack([rankdata(first), rankdata(second)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def label_randomisation(
    explain: Explainer,
    *,
    network: nn.Module,
    random_labels: nn.Module,
    frames: Frames,
    positive: Sequence[bool],
) -> Check:
    """Compare with the maps of a network of the same kind that was trained on shuffled labels (on request only).

    Args:
        explain: The explainer.
        network: The trained network.
        random_labels: The network trained on shuffled labels.
        frames: Frames, uint8, shape (N, H, W, 3).
        positive: Of each frame, whether the positive class's logit is explained.
    """
    similar = []
    for frame, side in zip(frames, positive, strict=True):
        pair = [shown_map(explain(ClassLogit(net, positive=side), frame)) for net in (network, random_labels)]
        similar.append(abs(rank_similarity(*pair)))
    return _below(
        "label_randomisation",
        float(np.mean(similar)),
        _MAX_SIMILAR_TO_RANDOM,
        "|rank correlation| with the maps of a network trained on shuffled labels",
    )


def finite_and_varied(maps: Sequence[NDArray[Any]]) -> Check:
    """Whether the maps can be maps at all."""
    usable = [bool(np.isfinite(values).all() and np.ptp(values) > 0) for values in maps]
    return _above(
        "finite_and_varied", float(np.mean(usable)), 1.0, "share of maps that are finite and not constant", equal=True
    )


def completeness(gaps: Sequence[float], tolerance: float) -> Check:
    """Whether the paths of the frames explained converged; the median, as each figure states its own gap."""
    finite = [gap if math.isfinite(gap) else math.inf for gap in gaps]
    median = float(np.median(finite))
    return _below(
        "completeness",
        median,
        tolerance,
        "median completeness gap of the frames explained",
        series={"gaps": list(gaps)},
    )


def model_randomisation(
    explain: Explainer,
    shown: Sequence[NDArray[Any]],
    *,
    network: nn.Module,
    frames: Frames,
    positive: Sequence[bool],
    settings: GateSettings,
) -> Check:
    """Whether the maps fall apart with the network's weights; the series shows it layer by layer."""
    shares, falls = [], []
    settle = network_input(frames, like=network)
    for share, randomised in randomised_cascade(network, frames=settle, stages=settings.stages, seed=settings.seed):
        similar = [
            abs(rank_similarity(original, shown_map(explain(ClassLogit(randomised, positive=side), frame))))
            for original, side, frame in zip(shown, positive, frames, strict=True)
        ]
        shares.append(share)
        falls.append(float(np.mean(similar)))
    return _below(
        "model_randomisation",
        falls[-1],
        _MAX_SIMILAR_TO_RANDOM,
        "|rank correlation| of the map with that of the network with all layers randomised",
        series={"share_of_layers": shares, "similarity": falls},
    )


def orders_without_a_map(*, logits: Sequence[ClassLogit], frames: Frames, settings: GateSettings) -> OrdersWithoutAMap:
    """Score random orders and an edge detector on every frame: the same for every method that is judged."""
    rng = np.random.default_rng(settings.seed)
    edges: list[float] = []
    chance: list[list[float]] = []
    for logit, frame in zip(logits, frames, strict=True):
        edges.append(_score(logit, frame, patch_means(edge_map(frame), patches=settings.patches), settings))
        random = rng.random((settings.orders, settings.patches**2))
        chance.append([_score(logit, frame, importance, settings) for importance in random])
    return OrdersWithoutAMap(edges, chance)


def deletion_and_insertion(
    maps: Sequence[NDArray[Any]],
    *,
    logits: Sequence[ClassLogit],
    frames: Frames,
    settings: GateSettings,
    others: OrdersWithoutAMap,
) -> list[Check]:
    """Whether the patches a map calls important move the logit: against chance and against an edge detector."""
    scores: dict[str, list[float]] = {
        "map": [
            _score(logit, frame, patch_means(values, patches=settings.patches), settings)
            for values, logit, frame in zip(maps, logits, frames, strict=True)
        ],
        "edges": others.edges,
    }
    chance = others.random
    own, edges, random_mean = (float(np.mean(values)) for values in (scores["map"], scores["edges"], chance))
    # Standard error of the mean over frames of the score of one random order a frame.
    spread = math.sqrt(float(np.mean(np.var(chance, axis=1, ddof=1))) / len(frames))
    series = {"map": scores["map"], "edges": scores["edges"], "random": chance}
    return [
        _above(
            "better_than_random",
            _in_spreads(own - random_mean, spread),
            _MIN_OVER_RANDOM,
            "area between insertion and deletion, over random orders, in their standard errors",
            series=series,
        ),
        _above(
            "no_worse_than_edges",
            _in_spreads(own - edges, spread),
            _MIN_OVER_EDGES,
            "area between insertion and deletion, over that of an edge detector, in the same standard errors",
        ),
    ]


def _in_spreads(difference: float, spread: float) -> float:
    return difference / spread if spread > 0 else math.nan


def _score(logit: ClassLogit, frame: NDArray[np.uint8], importance: NDArray[Any], settings: GateSettings) -> float:
    (target,) = network_input(frame[None], like=logit)
    (baseline,) = network_input(make_baselines(settings.baseline, frame), like=logit)
    return perturbation_score(logit, target, baseline=baseline, importance=importance, patches=settings.patches)


def repeatability(
    explain: Explainer,
    shown: Sequence[NDArray[Any]],
    *,
    logits: Sequence[ClassLogit],
    frames: Frames,
    settings: GateSettings,
) -> Check:
    """Whether noise that no eye sees leaves the maps as they are."""
    rng = np.random.default_rng(settings.seed)
    similar = []
    for original, logit, frame in zip(shown, logits, frames, strict=True):
        # The same noise on all channels: a grey frame stays grey.
        noise = settings.noise_levels * rng.standard_normal((*frame.shape[:2], 1))
        noisy = np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)
        similar.append(rank_similarity(original, shown_map(explain(logit, noisy))))
    return _above(
        "repeatability",
        float(np.mean(similar)),
        _MIN_REPEATABLE,
        f"rank correlation of the map with that of the frame under noise of {settings.noise_levels:g} grey level",
        series={"similarity": similar},
    )


def baseline_agreement(
    others: Mapping[str, Explainer], shown: Sequence[NDArray[Any]], *, logits: Sequence[ClassLogit], frames: Frames
) -> Check:
    """Whether other baselines contradict the map; that they tell another story is expected."""
    agreement = {
        name: [
            rank_similarity(original, shown_map(explain(logit, frame)))
            for original, logit, frame in zip(shown, logits, frames, strict=True)
        ]
        for name, explain in others.items()
    }
    return _above(
        "baseline_agreement",
        float(np.mean([np.mean(values) for values in agreement.values()])),
        _MIN_AGREEMENT,
        "rank correlation of the map with those from the other baselines",
        series=agreement,
    )


def _below(name: str, value: float, threshold: float, detail: str, *, series: Mapping[str, Any] | None = None) -> Check:
    return Check(name, value < threshold, value, threshold, "below", detail, series or {})


def _above(
    name: str,
    value: float,
    threshold: float,
    detail: str,
    *,
    equal: bool = False,
    series: Mapping[str, Any] | None = None,
) -> Check:
    passed = value >= threshold if equal else value > threshold
    return Check(name, passed, value, threshold, "above", detail, series or {})
