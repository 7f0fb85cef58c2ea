"""Facts about the results: performance, uncertainty, errors, explanations, robustness, limits."""

from __future__ import annotations

from collections.abc import Mapping

from sonoproof.explanation.regions import REGIONS
from sonoproof.reporting.checklists.facts import Facts
from sonoproof.reporting.page.gap import measured_gap
from sonoproof.reporting.page.limits import limits
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.reporting.wording.captions import gate_method
from sonoproof.reporting.wording.tables import format_interval, metric_label
from sonoproof.types import Json
from sonoproof.wording import counted

fact = Facts()


@fact("performance", "EVALUATIONS", "evaluation/metrics.csv")
def _performance(files: RunFiles) -> str | None:
    return _values(files, ("auc", "recall", "specificity", "precision", "brier"))


@fact("accuracy", "EVALUATIONS", "evaluation/metrics.csv")
def _accuracy(files: RunFiles) -> str | None:
    return _values(files, ("auc", "recall", "specificity", "precision", "npv", "accuracy"))


def _values(files: RunFiles, names: tuple[str, ...]) -> str:
    told = []
    for part in files.evaluated:
        present = [name for name in names if isinstance(part.evaluation.get(name), Mapping)]
        values = ", ".join(f"{metric_label(name)} {format_interval(part.evaluation[name])}" for name in present)
        told.append(f"{part.title}: {values}.")
    return " ".join(told)


@fact("evaluation_data", "EVALUATIONS", "split.csv")
@fact("internal", "EVALUATIONS", "split.csv")
def _internal(files: RunFiles) -> str | None:
    parts = [
        f"{part.title} ({counted(int(part.evaluation['n']), 'frame')} of "
        f"{counted(int(part.evaluation['n_units']), 'group')})"
        for part in files.evaluated
    ]
    return f"{'; '.join(parts)}. None of them was used for training." if parts else None


@fact("crosstab", "EVALUATIONS")
def _crosstab(files: RunFiles) -> str | None:
    parts = [f"{part.title}: {_counts(part)}." for part in files.evaluated if part.evaluation.get("confusion")]
    return " ".join(parts)


def _counts(part: PartFiles) -> str:
    words = {"tp": "true positive", "fp": "false positive", "tn": "true negative", "fn": "false negative"}
    return ", ".join(counted(int(part.evaluation["confusion"][key]), word) for key, word in words.items())


@fact("failures", "report.html#errors", "EVALUATIONS")
def _failures(files: RunFiles) -> str | None:
    counts = _crosstab(files)
    return f"{counts} The most confident errors are listed and explained." if counts else None


@fact("robustness", "audit.json", "report.html#audit")
def _robustness(files: RunFiles) -> str | None:
    gap = measured_gap(files.audit)
    if gap is None:
        return None
    return (
        f"{metric_label(gap.metric)} of {gap.classifier}: with a random split {format_interval(gap.naive)}, with "
        f"sources kept together {format_interval(gap.honest)}; probes for shortcuts."
    )


@fact("limitations", "report.html#limits")
def _limitations(files: RunFiles) -> str | None:
    return " ".join(limits(files)) if files.evaluated else None


@fact("explainability", "report.html#explanations", "EXPLANATIONS")
def _explainability(files: RunFiles) -> str | None:
    parts = [part for part in files.parts if part.explanations]
    told = "; ".join(f"{part.title}: {_gates(part)}{_looked(part)}" for part in parts)
    return f"Maps of the logit of the predicted class, each method tested by a trust gate. {told}." if told else None


def _gates(part: PartFiles) -> str:
    return ", ".join(_verdict(gate) for gate in part.gates) or "gate not run"


def _verdict(gate: Json) -> str:
    """The gate's verdict on one method."""
    failed = [check["name"].replace("_", " ") for check in gate["checks"] if not check["passed"]]
    if failed:
        return f"{gate_method(gate)} failed ({', '.join(failed)})"
    return f"{gate_method(gate)} passed ({counted(len(gate['checks']), 'check')})"


def _looked(part: PartFiles) -> str:
    if not part.survey.get("frames_surveyed"):
        return ""
    places = " and ".join(REGIONS[name] for name in part.survey["looks_at"])
    frames = counted(part.survey["frames_surveyed"], "frame")
    return f", over {frames} the model looks at {places}" if places else f", no shortcut seen over {frames}"
