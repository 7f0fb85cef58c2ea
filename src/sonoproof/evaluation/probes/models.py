"""Shortcut probes: could a classifier succeed without looking at the tissue?

A probe sees only what has nothing to do with anatomy. If it can nevertheless tell the classes apart in groups that it
has not seen, then so can a network, and the network's score says little about the tissue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from sonoproof.data.audit.descriptors import BORDER_COLUMNS, STROKE_COLUMNS
from sonoproof.data.audit.findings import Finding, Level
from sonoproof.evaluation.intervals.intervals import Interval, metric_intervals
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.probes.cross_validation import forest, out_of_fold
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.groups import groups_of_rarer_class
from sonoproof.types import BoolArray, FloatArray

MIN_GROUPS: Final = 10
"""Groups of each class below which no probe is run: its interval would span everything."""

CLEARLY_ABOVE: Final = 0.6
"""AUC that the lower limit must exceed; chance is 0.5."""

_FAMILY_ALPHA: Final = 0.01
_FOLDS: Final = 5


@dataclass(frozen=True)
class Probe:
    """What a probe sees.

    Attributes:
        name: Short name.
        sees: What it sees, in words.
        advice: What to do if it succeeds.
        features: (N, D) numbers.
    """

    name: str
    sees: str
    advice: str
    features: FloatArray


@dataclass(frozen=True)
class ProbeResult:
    """How well a probe did.

    Attributes:
        probe: The probe.
        auc: Area under the ROC curve with its interval at the usual confidence; NaN with a reason if it was not run.
        cautious_low: Lower limit at a confidence that allows for the number of probes.
    """

    probe: Probe
    auc: Interval
    cautious_low: float

    @property
    def succeeds(self) -> bool:
        """Whether the probe is clearly better than chance."""
        return self.cautious_low > CLEARLY_ABOVE


def probe_inputs(records: pd.DataFrame, *, measures: pd.DataFrame) -> list[Probe]:
    """What each probe sees of the rows.

    Args:
        records: Columns ``width``, ``height``, ``format``, ``mode``, ``file_bytes``.
        measures: Measures of the same frames in the same order (`describe_frames`).
    """
    return [
        Probe(
            "metadata",
            "only the file: size, aspect ratio, format, compression, brightness",
            "Bring all frames to one size, format and compression, or collect both classes in the same way.",
            _metadata(records, measures),
        ),
        Probe(
            "border",
            "only the outer 4 % of the frame",
            "Crop the frames to the sector, or mask what lies outside it.",
            measures[list(BORDER_COLUMNS)].to_numpy(dtype=np.float64),
        ),
        Probe(
            "overlays",
            "only what was drawn over the frame: text, calipers, colour",
            "Use frames without annotations, or remove the overlays from both classes.",
            measures[["colour_share", "stroke_share", "cross", *STROKE_COLUMNS]].to_numpy(dtype=np.float64),
        ),
    ]


def run_probes(
    probes: Sequence[Probe], *, targets: BoolArray, groups: npt.NDArray[Any], bootstrap: Bootstrap = BOOTSTRAP
) -> list[ProbeResult]:
    """Cross-validate each probe by group.

    Args:
        probes: The probes.
        targets: True for the positive class, (N,).
        groups: Name of the group of each row, (N,).
        bootstrap: Level and resamples of the interval shown; its seed is also that of the folds and forests.
    """
    if groups_of_rarer_class(groups, targets=targets) < MIN_GROUPS:
        reason = f"not enough groups: fewer than {MIN_GROUPS} of one class"
        return [ProbeResult(probe, Interval(reason=reason), np.nan) for probe in probes]
    cautious = replace(bootstrap, confidence=1 - _FAMILY_ALPHA / max(len(probes), 1))
    results = []
    for probe in probes:
        logits = out_of_fold(
            probe.features, targets=targets, groups=groups, model=forest, folds=_FOLDS, seed=bootstrap.seed
        )
        shown, strict = (
            auc_interval(logits, targets=targets, groups=groups, bootstrap=each) for each in (bootstrap, cautious)
        )
        results.append(ProbeResult(probe, shown, strict.low))
    return results


def auc_interval(logits: FloatArray, *, targets: BoolArray, groups: npt.NDArray[Any], bootstrap: Bootstrap) -> Interval:
    """AUC with its cluster-bootstrap interval, without strata, even if the classes are separated perfectly.

    Then every resample is perfect, and the bootstrap has no lower limit. Instead, the lower limit is the smallest AUC
    under which the groups would be separated perfectly with a chance of half of 1 - confidence, see `_least_auc`.
    """
    rows, metrics = ScoredRows.from_logits(targets, logits=logits), {"auc": METRICS["auc"]}
    unstratified = replace(bootstrap, stratified=False)
    found = metric_intervals(rows, groups=groups, metrics=metrics, bootstrap=unstratified)["auc"]
    if found.value == 1.0 and np.isnan(found.low):
        positive, negative = len(np.unique(groups[targets])), len(np.unique(groups[~targets]))
        return Interval(1.0, _least_auc(positive, negative, chance=bootstrap.tails[0]), 1.0)
    return found


def _least_auc(positive: int, negative: int, *, chance: float) -> float:
    """The AUC at which all of `positive` groups score above all of `negative` ones with a given chance.

    With Lehmann's alternatives the odds theta = AUC / (1 - AUC) give that chance as the product of
    k theta / (k theta + m) over k = 1 … n; the less favourable of both orders is taken.

    References:
        Lehmann (1953), The power of rank tests, Ann. Math. Stat. 24:23.
    """

    def excess(log_theta: float) -> float:
        theta = float(np.exp(log_theta))
        products = [
            np.log(k * theta / (k * theta + m)).sum()
            for m, k in ((positive, np.arange(1, negative + 1)), (negative, np.arange(1, positive + 1)))
        ]
        return float(max(products)) - float(np.log(chance))

    return float(expit(brentq(excess, -50.0, 50.0)))


def probe_findings(results: Sequence[ProbeResult]) -> list[Finding]:
    """A finding for each probe that succeeds, and an informational one on how all of them did."""
    findings = [_finding(result) for result in results if result.succeeds]
    values = "; ".join(f"{result.probe.name}: {_in_words(result.auc)}" for result in results)
    numbers = {result.probe.name: _numbers(result) for result in results}
    detail = f"AUC, cross-validated by group, of classifiers that see only one aspect: {values}. 0.5 is chance."
    if results and results[0].auc.reason.startswith("not enough"):
        detail = f"The shortcut probes were not run: {results[0].auc.reason}."
    return [*findings, Finding("shortcut-probes", Level.INFO, "Shortcut probes", detail, numbers)]


def _finding(result: ProbeResult) -> Finding:
    probe = result.probe
    detail = (
        f"A classifier that sees {probe.sees}, but no tissue, tells the classes apart with an AUC of "
        f"{_in_words(result.auc)} in groups that it has not seen (0.5 is chance). A network trained on these frames "
        f"may do the same, and its score would then say little about the anatomy. {probe.advice}"
    )
    title = f"The {probe.name} of the frames gives the class away (AUC {result.auc.value:.2f})"
    return Finding(f"shortcut-{probe.name}", Level.SERIOUS, title, detail, _numbers(result))


def _numbers(result: ProbeResult) -> dict[str, Any]:
    return {"auc": result.auc.to_dict(), "cautious_low": result.cautious_low, "reason": result.auc.reason}


def _in_words(interval: Interval) -> str:
    if np.isnan(interval.value):
        return interval.reason
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _metadata(records: pd.DataFrame, measures: pd.DataFrame) -> FloatArray:
    width, height = (records[side].to_numpy(dtype=np.float64) for side in ("width", "height"))
    numbers = [
        width,
        height,
        width / height,
        8 * pd.to_numeric(records["file_bytes"]).to_numpy(dtype=np.float64) / (width * height),
        measures["jpeg_quality"].fillna(-1.0).to_numpy(dtype=np.float64),
        measures["brightness"].to_numpy(dtype=np.float64),
    ]
    names = pd.get_dummies(records[["format", "mode"]].reset_index(drop=True)).to_numpy(dtype=np.float64)
    return np.column_stack([*numbers, names])
