"""Answers that are measurements: performance, uncertainty, errors, explanations, robustness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sonoproof.explanation.survey import REGION_WORDS
from sonoproof.reporting.checklists.answer import Answer
from sonoproof.reporting.page.evidence import Evidence, PartEvidence
from sonoproof.reporting.sections.audit import measured_gap
from sonoproof.reporting.wording.captions import gate_method
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval, metric_label, metric_names
from sonoproof.wording import counted

__all__ = ["MEASURED"]

_ACCURACY = ("auc", "recall", "specificity", "precision", "npv", "accuracy")


def _evaluations(evidence: Evidence) -> tuple[str, ...]:
    return tuple(f"evaluation/{part.name}.json" for part in evidence.evaluated)


def _metrics(evidence: Evidence) -> Answer | None:
    if not evidence.evaluated:
        return None
    first = evidence.evaluated[0].evaluation
    names = ", ".join(metric_label(name) for name in metric_names(first))
    text = f"Of the class “{first['positive_class']}”: {names}; ROC, precision-recall, reliability and decision curves."
    return Answer(text, ("report.html#performance", *_evaluations(evidence)))


def _uncertainty(evidence: Evidence) -> Answer | None:
    if not evidence.evaluated:
        return None
    first = evidence.evaluated[0].evaluation
    text = (
        f"Intervals at {float(first['confidence']):.0%} for every metric: {first['interval_method']}; "
        f"{first['resamples']:,} resamples of the unit “{first['unit']}”, seed {first['seed']}."
    )
    return Answer(text, _evaluations(evidence))


def _performance(evidence: Evidence) -> Answer | None:
    return _listed(evidence, ("auc", "recall", "specificity", "precision", "brier"))


def _accuracy(evidence: Evidence) -> Answer | None:
    return _listed(evidence, _ACCURACY)


def _listed(evidence: Evidence, names: tuple[str, ...]) -> Answer | None:
    parts = [
        f"{PART_NAMES[part.name]}: " + ", ".join(
            f"{metric_label(name)} {format_interval(part.evaluation[name])}"
            for name in names
            if isinstance(part.evaluation.get(name), Mapping)
        )
        for part in evidence.evaluated
    ]  # fmt: skip
    sources = (*_evaluations(evidence), "evaluation/metrics.csv")
    return Answer(f"{'. '.join(parts)}.", sources) if parts else None


def _internal(evidence: Evidence) -> Answer | None:
    parts = [
        f"{PART_NAMES[part.name]} ({counted(int(part.evaluation['n']), 'frame')} of "
        f"{counted(int(part.evaluation['n_units']), 'group')}), none of them trained on"
        for part in evidence.evaluated
    ]
    return Answer(f"{'; '.join(parts)}.", (*_evaluations(evidence), "split.csv")) if parts else None


def _evaluation_data(evidence: Evidence) -> Answer | None:
    return _internal(evidence)


def _crosstab(evidence: Evidence) -> Answer | None:
    parts = [
        f"{PART_NAMES[part.name]}: {_counts(part)}" for part in evidence.evaluated if part.evaluation.get("confusion")
    ]
    return Answer(f"{'. '.join(parts)}.", _evaluations(evidence)) if parts else None


def _counts(part: PartEvidence) -> str:
    counts: Mapping[str, Any] = part.evaluation["confusion"]
    words = {"tp": "true positive", "fp": "false positive", "tn": "true negative", "fn": "false negative"}
    return ", ".join(f"{int(counts[key]):,} {word}" for key, word in words.items())


def _failures(evidence: Evidence) -> Answer | None:
    found = _crosstab(evidence)
    if found is None:
        return None
    return Answer(f"{found.text} The surest errors are listed and explained.", ("report.html#errors", *found.sources))


def _robustness(evidence: Evidence) -> Answer | None:
    gap = measured_gap(evidence.audit)
    if gap is None:
        return None
    text = (
        f"{metric_label(gap.metric)} of {gap.classifier} under a random split {format_interval(gap.naive)}, with "
        f"sources kept together {format_interval(gap.honest)}; probes for shortcuts."
    )
    return Answer(text, ("audit.json", "report.html#audit"))


def _explainability(evidence: Evidence) -> Answer | None:
    parts = [part for part in evidence.parts if part.explanations]
    if not parts:
        return None
    told = "; ".join(f"{PART_NAMES[part.name]}: {_gate(part)}{_looked(part)}" for part in parts)
    sources = tuple(f"explanations/{part.name}/explanations.json" for part in parts)
    text = f"Maps of the logit of the class predicted, each method tested by a trust gate. {told}."
    return Answer(text, ("report.html#explanations", *sources))


def _gate(part: PartEvidence) -> str:
    gate = part.explanations.get("gate")
    if not gate:
        return "gate not run"
    return ", ".join(_judged(judged) for judged in (gate, *(part.explanations.get("further_gates") or [])))


def _judged(gate: Mapping[str, Any]) -> str:
    """What the gate said of one method."""
    failed = [check["name"].replace("_", " ") for check in gate["checks"] if not check["passed"]]
    method = gate_method(gate)
    return (
        f"{method} failed ({', '.join(failed)})"
        if failed
        else f"{method} passed ({counted(len(gate['checks']), 'check')})"
    )


def _looked(part: PartEvidence) -> str:
    if not part.survey.get("frames_surveyed"):
        return ""
    places = [REGION_WORDS[name] for name in part.survey["looks_at"]]
    frames = counted(part.survey["frames_surveyed"], "frame")
    return (
        f", over {frames} the model looks at {' and '.join(places)}" if places else f", no shortcut seen over {frames}"
    )


MEASURED: Mapping[str, Callable[[Evidence], Answer | None]] = {
    "accuracy": _accuracy,
    "crosstab": _crosstab,
    "evaluation_data": _evaluation_data,
    "explainability": _explainability,
    "failures": _failures,
    "internal": _internal,
    "metrics": _metrics,
    "performance": _performance,
    "robustness": _robustness,
    "uncertainty": _uncertainty,
}
