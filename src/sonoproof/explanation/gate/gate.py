"""The trust gate: whether an explanation method follows the model and the frame, or only seems to.

The gate takes any explainer, so that it can be tried on one that is known to be wrong. It judges the maps as a reader
sees them, averaged over a small neighbourhood. The basis of each threshold is in ``docs/explanations.md``.

References:
    Adebayo et al. 2018, "Sanity checks for saliency maps".
    Petsiuk, Das, Saenko 2018, "RISE: randomized input sampling for explanation", for deletion and insertion.
    Ghorbani, Abid, Zou 2019, "Interpretation of neural networks is fragile", for repeatability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonoproof.explanation.display import shown_map
from sonoproof.explanation.gate.check import Check
from sonoproof.explanation.gate.perturbation import deletion_and_insertion
from sonoproof.explanation.gate.randomisation import label_randomisation, model_randomisation
from sonoproof.explanation.gate.structural import baseline_agreement, completeness, finite_and_varied, repeatability
from sonoproof.explanation.gate.trial import Trial
from sonoproof.explanation.methods import Explainer


@dataclass(frozen=True)
class GateReport:
    """The verdict on one method.

    Attributes:
        method: Name of the method.
        passed: Whether every check passed.
        frames: Number of frames that it was judged on.
        checks: The checks.
    """

    method: str
    passed: bool
    frames: int
    checks: tuple[Check, ...]


def run_gate(
    explain: Explainer,
    *,
    method: str,
    trial: Trial,
    gaps: Sequence[float] = (),
    tolerance: float = 0.01,
    other_baselines: Mapping[str, Explainer] | None = None,
) -> GateReport:
    """Put an explainer to the gate.

    Args:
        explain: The explainer.
        method: Its name.
        trial: The frames that it is judged on.
        gaps: Completeness gaps of the explained frames; empty if the method promises no completeness.
        tolerance: Completeness gap below which a path has converged.
        other_baselines: The same method from other baselines.
    """
    maps = trial.maps(explain)
    checks = [finite_and_varied(maps)]
    if gaps:
        checks.append(completeness(gaps, tolerance))
    if checks[0].passed:
        shown = [shown_map(values) for values in maps]
        checks += [
            model_randomisation(explain, shown, trial=trial),
            *deletion_and_insertion(maps, trial=trial),
            repeatability(explain, shown, trial=trial),
        ]
        if other_baselines:
            checks.append(baseline_agreement(other_baselines, shown, trial=trial))
        if trial.shuffled_labels is not None:
            checks.append(label_randomisation(explain, shown, trial=trial, shuffled_labels=trial.shuffled_labels))
    return GateReport(method, all(check.passed for check in checks), len(trial.frames), tuple(checks))
