"""When is a pair linked, when only suspected? The thresholds, and the measurements they rest on.

Pairs known to be unrelated, although the most similar of thousands (frames against mirrored frames, other patients of
one machine, phantom patients), reached a margin of 0.18 with 43 inliers, 0.16 with 50, and 66 inliers with a margin
below 0.05: the static noise of one machine agrees a little everywhere, and layered tissue matches features without
agreeing. Re-crops (zoom to 1.4, rotation, flips, JPEG) had margins from 0.7 and more than 100 inliers; frames of one
clip lie between. A link therefore needs both, more of one where there is less of the other.
"""

from __future__ import annotations

from sonoproof.data.lookalike.pair_check import Evidence

MIN_MARGIN = 0.10
MIN_INLIERS = 20
INLIERS_WITHOUT_MARGIN = 72
"""Inliers that a pair would need if its margin were 0; each hundredth of margin is worth `INLIERS_PER_HUNDREDTH`."""

INLIERS_PER_HUNDREDTH = 1.2
SUSPECT_MARGIN = 0.08


def is_link(evidence: Evidence) -> bool:
    """Whether the pair shows one source, beyond what unrelated frames of one machine reach."""
    needed = max(MIN_INLIERS, INLIERS_WITHOUT_MARGIN - 100 * INLIERS_PER_HUNDREDTH * evidence.margin)
    return evidence.margin >= MIN_MARGIN and evidence.inliers >= needed


def is_suspect(evidence: Evidence) -> bool:
    """Whether the pair is worth a person's look; every link is."""
    return evidence.margin >= SUSPECT_MARGIN


def strength(evidence: Evidence) -> tuple[float, int]:
    """Orders links, the strongest having the largest: by margin, then by inliers."""
    return evidence.margin, evidence.inliers
