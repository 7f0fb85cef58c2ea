"""One sentence on what the figures of a run may be claimed for: the weakest link of its evidence, named first."""

from __future__ import annotations

from sonoproof.data.labels.columnnames import group_level
from sonoproof.parts import Part
from sonoproof.reporting.page.limits import FEW_UNITS
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles

TOO_FEW_UNITS = 10
"""Independent groups below which the figures of a part say nothing about others."""
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def claim(files: RunFiles) -> str:
    """What may be claimed from the figures of the run."""
    part = _decisive(files)
    if not files.model:
        return "Nothing was trained here, so there are no figures to claim."
    if part is None:
        return "Nothing may be claimed: no labelled frames were kept out of the training and measured."
    units, named = int(part.evaluation.get("n_units") or 0), _named_groups(files)
    apart = (
        f"the frames come from {_count(units)} independent {'group' if named else 'source'}{'' if units == 1 else 's'}"
    )
    if units < TOO_FEW_UNITS:
        return f"These figures say nothing about new patients: {apart}."
    if str((files.model.get("training") or {}).get("monitor") or "").startswith("val_") and part.name == Part.VAL:
        return "These figures are too favourable for a claim: the checkpoint was chosen on the same frames."
    if not named and units == part.evaluation.get("n"):
        return (
            "These figures say nothing about new patients: the sheet names none and nothing shows which frames belong "
            "together, so the split is by chance."
        )
    if not named:
        return (
            "These figures say nothing certain about new patients: the sheet names none, and only frames that look "
            f"alike were kept together; {apart}."
        )
    return _for_patients(files, units=units, few=units < FEW_UNITS, columns=named)


def _for_patients(files: RunFiles, *, units: int, few: bool, columns: tuple[str, ...]) -> str:
    """The sentence for frames that were kept apart by columns of the sheet."""
    external = "test" in files.cohort and any(part.name == Part.TEST for part in files.evaluated)
    who = "patients" if any(group_level(column) == 0 for column in columns) else "groups"
    by = f"{_count(units)} groups of frames with the same {' or '.join(columns)}"
    if who == "groups":
        by += ", several of which may be of one patient,"
    ground = "a test folder" if external else "the sheet that also gave the training frames"
    strength = "are a first indication for" if few else "may be claimed for"
    limit = "" if external else ", not for another clinic"
    return f"These figures {strength} new {who} like those measured{limit}: they come from {by} in {ground}."


def _decisive(files: RunFiles) -> PartFiles | None:
    """The part that a claim rests on: test, if it was measured, else validation or out of fold."""
    measured = {part.name: part for part in files.evaluated if part.evaluation.get("n")}
    return next((measured[name] for name in (Part.TEST, Part.VAL, Part.OOF) if name in measured), None)


def _named_groups(files: RunFiles) -> tuple[str, ...]:
    """The sheet's columns that frames were kept together by."""
    inferred = files.cohort.get("inferred") or {}
    return tuple(map(str, inferred.get("group_columns") or files.cohort.get("group_columns") or ()))


def _count(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"
