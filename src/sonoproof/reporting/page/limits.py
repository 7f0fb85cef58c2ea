"""What the numbers of a run do not say, in plain words, each sentence derived from a fact of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sonoproof.parts import Part
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.captions import gate_method
from sonoproof.reporting.wording.tables import metric_label
from sonoproof.wording import counted

FEW_UNITS = 30
_ALWAYS = (
    "The labels are taken from the sheet as they are; nobody read the frames again.",
    "An explanation shows what moved this model's logit; it is no evidence of anatomy or disease. "
    "This is a research result, not a medical device.",
)


def limits(files: RunFiles) -> list[str]:
    """What a reader must not conclude, a sentence or two each."""
    rules: tuple[Callable[[RunFiles], Iterator[str]], ...] = (
        _test_set,
        _chosen_on_validation,
        _few_units,
        _undefined_metrics,
        _no_patients,
        _columns_not_used,
        _rows_left_out,
        _not_audited,
        _maps_that_failed,
    )
    return [*(sentence for rule in rules for sentence in rule(files)), *_ALWAYS]


def _test_set(files: RunFiles) -> Iterator[str]:
    if all(part.name != Part.TEST for part in files.evaluated):
        yield "No labelled test set was given: performance on frames from elsewhere was not measured."
    elif "test" not in files.cohort:
        yield (
            "The test frames were set aside from the same sheet as the training frames: performance on frames from "
            "elsewhere was not measured."
        )


def _chosen_on_validation(files: RunFiles) -> Iterator[str]:
    training = files.model.get("training") or {}
    if str(training.get("monitor") or "").startswith("val_"):
        yield "The checkpoint was chosen on the validation rows, so the validation results are somewhat optimistic."


def _few_units(files: RunFiles) -> Iterator[str]:
    for part in files.evaluated:
        units = part.evaluation.get("n_units")
        if units is not None and units < FEW_UNITS:
            yield (
                f"{part.title}: the intervals rest on only {counted(int(units), 'independent unit')} "
                f"({part.evaluation.get('unit', 'unit not recorded')}), and are wide for that reason."
            )


def _undefined_metrics(files: RunFiles) -> Iterator[str]:
    for part in files.evaluated:
        reasons: dict[str, str] = part.evaluation.get("undefined") or {}
        for reason in dict.fromkeys(reasons.values()):
            labels = ", ".join(metric_label(name) for name, why in reasons.items() if why == reason)
            yield f"{part.title}: undefined ({reason}): {labels}."


def _no_patients(files: RunFiles) -> Iterator[str]:
    inferred = files.cohort.get("inferred") or {}
    if inferred.get("unused_group_columns"):
        columns = ", ".join(map(str, inferred["unused_group_columns"]))
        yield f"Columns that may identify patients or clips were not used to keep frames together: {columns}."
    if inferred.get("group_columns") == []:
        yield (
            "The sheet identifies no patients or clips: frames of one patient that do not look alike may be in two "
            "parts, which would make the results optimistic."
        )


def _columns_not_used(files: RunFiles) -> Iterator[str]:
    unused: dict[str, str] = (files.cohort.get("inferred") or {}).get("unused_columns") or {}
    splits = [f"“{name}”" for name, what in unused.items() if what == "split"]
    if splits:
        yield (
            f"The sheet gives a split (column {' and '.join(splits)}), which was not used: the results cannot be "
            "compared with those of others on that split."
        )
    for name in (name for name, what in unused.items() if what == "exclusion"):
        yield f"The column “{name}” seems to say which rows to leave out; it was not heeded."


def _rows_left_out(files: RunFiles) -> Iterator[str]:
    unlabelled = 0 if files.records is None else int((files.records["label"] == "").sum())
    if unlabelled:
        yield f"{counted(unlabelled, 'frame')} without a label could be predicted but not evaluated."
    if quarantined := files.cohort.get("rows_quarantined"):
        yield f"{counted(quarantined, 'row')} could not be used; their effect on the results is unknown."


def _not_audited(files: RunFiles) -> Iterator[str]:
    if not files.audit:
        yield "The run has no audit.json: look-alike frames, conflicting labels and shortcuts were not looked for."


def _maps_that_failed(files: RunFiles) -> Iterator[str]:
    for part in files.parts:
        failed = [gate for gate in part.gates if not all(check["passed"] for check in gate["checks"])]
        if failed:
            methods = ", ".join(gate_method(gate) for gate in failed)
            yield f"{part.title}: maps that failed the trust gate and must not be relied on: {methods}."
