"""Facts about data and training: where the data come from, what was left out, how they were divided and used."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sonoproof.parts import REPORTED, Part
from sonoproof.reporting.checklists.facts import Facts
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.tables import reason_counts
from sonoproof.wording import counted, humanise

fact = Facts()


@fact("data_source", "manifest.json", "cohort.json")
def _data_source(files: RunFiles) -> str | None:
    inputs = files.manifest.get("inputs") or []
    named = [f"{entry['name']} (SHA-256 {entry['sha256'][:12]}…)" for entry in inputs if entry.get("sha256")]
    if not named or "rows_read" not in files.cohort:
        return None
    return f"A label sheet and a folder of frames: {', '.join(named)}; {files.cohort['rows_read']:,} rows."


@fact("exclusions", "quarantine.csv")
def _exclusions(files: RunFiles) -> str | None:
    table = files.quarantine
    if table is None:
        return None
    if table.empty:
        return "The run excluded no row of the sheet."
    reasons = "; ".join(f"{count:,} × {reason}" for reason, count in reason_counts(table["reason"]).items())
    return f"The run excluded {counted(len(table), 'row')} ({reasons})."


@fact("preprocessing", "model/model.json")
def _preprocessing(files: RunFiles) -> str | None:
    found = files.model.get("preprocessing")
    if not found:
        return None
    ways = {"pad": "aspect ratio kept, padded with black", "stretch": "stretched", "crop": "longer side cropped"}
    way = ways.get(found["aspect"], found["aspect"])
    return f"Frames of {found['size']} × {found['size']} pixels, {way}; grey levels scaled by {found['scaling']}."


@fact("quality", "model/model.json", "AUDIT")
def _quality(files: RunFiles) -> str | None:
    first = _preprocessing(files)
    if first is None or not files.audit:
        return first
    return f"{first} The data were audited before training ({counted(len(files.findings), 'finding')})."


@fact("input", "model/model.json")
def _input(files: RunFiles) -> str | None:
    found = _preprocessing(files)
    return f"The pixels of one frame, nothing else. {found}" if found else None


@fact("training", "model/model.json", "config.toml", "history.csv")
def _training(files: RunFiles) -> str | None:
    training = files.model.get("training")
    if not training:
        return None
    told = {key.replace("_", " "): humanise(value) for key, value in training.items() if key != "members"}
    settings = "; ".join(f"{key} {value}" for key, value in told.items())
    return f"{settings}. All other settings are in config.toml."


@fact("selection", "model/model.json", "history.csv")
def _selection(files: RunFiles) -> str | None:
    training = files.model.get("training") or {}
    if "epoch_chosen" not in training:
        return None
    if not training.get("monitor"):
        return (
            f"No checkpoint was chosen: the weights are those of epoch {humanise(training['epoch_chosen'])}, the last."
        )
    where = {"stop": "rows set aside from the fit part", "val": "the validation rows"}
    chosen = where.get(str(training.get("chosen_on")), str(training.get("chosen_on")))
    if files.model.get("members"):
        chosen = "rows set aside from what each member learned from"
    epochs = training["epoch_chosen"]
    kept = f"epochs {humanise(epochs)}, one per member" if isinstance(epochs, list) else f"epoch {epochs}"
    return f"The checkpoint of {kept}, chosen by {training.get('monitor')} on {chosen}."


@fact("missing", "quarantine.csv", "records.csv")
def _missing(files: RunFiles) -> str | None:
    if files.quarantine is None or files.records is None:
        return None
    unlabelled = int((files.records["label"] == "").sum())
    return (
        f"Nothing was imputed. {counted(len(files.quarantine), 'row')} that could not be used are in quarantine.csv "
        f"with their reasons; {counted(unlabelled, 'frame')} without a label could be predicted but not evaluated."
    )


@fact("image_sizes", "records.csv")
def _image_sizes(files: RunFiles) -> str | None:
    records = files.records
    if records is None or records.empty:
        return None
    sizes = records.groupby(["width", "height"]).size().sort_values(ascending=False)
    width, height = sizes.index[0]
    most = f"the most frequent is {width:.0f} × {height:.0f} pixels ({counted(int(sizes.iloc[0]), 'frame')})"
    return f"Images of {counted(len(sizes), 'size')}; {most}."


@fact("labels", "cohort.json")
def _labels(files: RunFiles) -> str | None:
    inferred = files.cohort.get("inferred") or {}
    coding, column = inferred.get("coding"), inferred.get("label_column")
    name = column.get("name") if isinstance(column, Mapping) else column
    if not name:
        return None
    return f"Labels are those of the sheet's column “{name}”, unchanged{f' ({humanise(coding)})' if coding else ''}."


@fact("partitions", "split.csv", "config.toml")
def _partitions(files: RunFiles) -> str | None:
    parts = [f"{name} {len(rows):,} frames of {rows['group'].nunique():,} groups" for name, rows in _by_part(files)]
    if not parts:
        return None
    is_given = files.split is not None and "given" in files.split
    how = "As the sheet gives them, whole groups only" if is_given else "By whole groups, drawn at random by class"
    return f"{how}: {'; '.join(parts)}."


@fact("disjoint", "split.csv", "records.csv")
def _disjoint(files: RunFiles) -> str | None:
    if files.split is None:
        return None
    astride = int((files.split.groupby("group")["part"].nunique() > 1).sum())
    columns = files.cohort.get("group_columns") or []
    level = f"the sheet's {', '.join(columns)} and look-alike source" if columns else "look-alike source"
    return f"Disjoint by group ({level}); groups in more than one part: {astride}."


@fact("sample_size", "split.csv", "records.csv")
def _sample_size(files: RunFiles) -> str | None:
    counts = _counts_by_part(files)
    return f"As available: {counts}." if counts else None


@fact("characteristics", "split.csv", "records.csv", "report.html#split")
def _characteristics(files: RunFiles) -> str | None:
    counts = _counts_by_part(files)
    return f"By class: {counts}." if counts else None


@fact("training_data", "split.csv", "records.csv")
def _training_data(files: RunFiles) -> str | None:
    if files.split is None:
        return None
    rows = files.split[files.split["part"] == Part.FIT]
    return f"The fit part: {len(rows):,} frames of {counted(rows['group'].nunique(), 'group')}."


def _by_part(files: RunFiles) -> list[tuple[str, pd.DataFrame]]:
    """Name and rows of each part of the split, in order."""
    split = files.labelled_split()
    if split is None:
        return []
    parts = [(part.title.lower(), split[split["part"] == part]) for part in (Part.FIT, *REPORTED)]
    return [(name, rows) for name, rows in parts if len(rows)]


def _counts_by_part(files: RunFiles) -> str:
    positive = files.class_names[1]
    return "; ".join(
        f"{name} {counted(len(rows), 'frame')} of {counted(rows['group'].nunique(), 'group')}, "
        f"{int((rows['label'] == positive).sum()):,} of them {positive}"
        for name, rows in _by_part(files)
    )
