"""Section "Limits": what these numbers do not say, in plain words, each drawn from a fact of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sonoproof.reporting.page.blocks import Points, Section
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.reporting.wording.captions import gate_method
from sonoproof.reporting.wording.tables import PART_NAMES, metric_label
from sonoproof.wording import counted

__all__ = ["limits", "limits_section"]

FEW_UNITS = 30


def limits_section(evidence: Evidence) -> Section:
    """What a reader must not conclude."""
    return Section("limits", "Limits", (Points(tuple(limits(evidence))),))


def limits(evidence: Evidence) -> list[str]:
    """The limits, a sentence or two each."""
    rules: tuple[Callable[[Evidence], list[str]], ...] = (
        _no_test_set,
        _test_of_the_same_sheet,
        _chosen_on_validation,
        _few_units,
        _undefined_metrics,
        _no_patients,
        _unlabelled,
        _quarantined,
        _not_audited,
        _maps_that_failed,
    )
    items = [sentence for rule in rules for sentence in rule(evidence)]
    items.append("The labels are taken from the sheet as they are; nobody read the frames again.")
    items.append(
        "An explanation shows what moved this model's logit; it is no evidence of anatomy or disease. "
        "This is a research result, not a medical device."
    )
    return items


def _no_test_set(evidence: Evidence) -> list[str]:
    if any(part.name == "test" for part in evidence.evaluated):
        return []
    return ["No labelled test set was given: how the model does on frames from elsewhere was not measured."]


def _test_of_the_same_sheet(evidence: Evidence) -> list[str]:
    if "test" in evidence.cohort or not any(part.name == "test" for part in evidence.evaluated):
        return []
    return [
        "The test frames were set aside from the same sheet as those learned from: how the model does on frames from "
        "elsewhere was not measured."
    ]


def _chosen_on_validation(evidence: Evidence) -> list[str]:
    training = evidence.model.get("training") or {}
    if not str(training.get("monitor") or "").startswith("val_"):
        return []
    return ["The checkpoint was chosen on the validation rows, so the validation numbers are somewhat too good."]


def _few_units(evidence: Evidence) -> list[str]:
    return [
        f"{PART_NAMES[part.name]}: only {counted(int(part.evaluation['n_units']), 'independent unit')} "
        f"({part.evaluation.get('unit', 'unit not said')}) stand behind the intervals; they are wide for that reason."
        for part in evidence.evaluated
        if part.evaluation.get("n_units") is not None and part.evaluation["n_units"] < FEW_UNITS
    ]


def _undefined_metrics(evidence: Evidence) -> list[str]:
    sentences = []
    for part in evidence.evaluated:
        reasons: Mapping[str, str] = part.evaluation.get("undefined") or {}
        for reason in dict.fromkeys(reasons.values()):
            labels = ", ".join(metric_label(name) for name, why in reasons.items() if why == reason)
            sentences.append(f"{PART_NAMES[part.name]}, not to be had ({reason}): {labels}.")
    return sentences


def _no_patients(evidence: Evidence) -> list[str]:
    inferred = evidence.cohort.get("inferred") or {}
    sentences = []
    if inferred.get("unused_group_columns"):
        columns = ", ".join(map(str, inferred["unused_group_columns"]))
        sentences.append(f"Columns that may name patients or clips were not used to keep frames together: {columns}.")
    if inferred.get("group_columns") == []:
        sentences.append(
            "The sheet names no patient or clip: frames of one patient that do not look alike may stand in two parts, "
            "and the numbers may be too good for that."
        )
    return sentences


def _unlabelled(evidence: Evidence) -> list[str]:
    records = evidence.records
    number = 0 if records is None else int((records["label"] == "").sum())
    return [f"{counted(number, 'frame')} without a label could be predicted but not measured."] if number else []


def _quarantined(evidence: Evidence) -> list[str]:
    number = evidence.cohort.get("rows_quarantined") or 0
    return [f"{counted(number, 'row')} could not be used; what they would have changed is not known."] if number else []


def _maps_that_failed(evidence: Evidence) -> list[str]:
    sentences = []
    for part in evidence.parts:
        gates = [part.explanations.get("gate"), *(part.explanations.get("further_gates") or [])]
        failed = [gate for gate in gates if gate and not all(check["passed"] for check in gate["checks"])]
        if failed:
            methods = ", ".join(gate_method(gate) for gate in failed)
            sentences.append(f"{PART_NAMES[part.name]}, maps that failed the trust gate and say nothing: {methods}.")
    return sentences


def _not_audited(evidence: Evidence) -> list[str]:
    return (
        []
        if evidence.audit
        else ["The run holds no audit.json: look-alike frames, conflicts and shortcuts were not reported on."]
    )
