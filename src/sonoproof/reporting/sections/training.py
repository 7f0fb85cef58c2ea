"""Section "Model and training": the network, how it learned, which checkpoint was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from sonoproof.reporting.figures.curves import training_curves
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Section, Table
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.wording import counted, humanise

__all__ = ["training_section"]

_PARTS = (("fit", "Fit"), ("val", "Validation"), ("stop", "Rows set aside"))
# Of the network's own configuration, what a reader asks for; the rest stands in model.json.
_NETWORK = ("model_type", "depth_multiplier", "image_size")
_NOTE = "The rest of the network's configuration stands in model.json; what was chosen after training, in its sections."
# What the stage `calibrate` chose has sections of its own; the rest of model.json is shown here.
_SHOWN_ELSEWHERE = ("calibration", "operating_point", "abstention", "rows", "crosswise", "likeness_sha256")


def training_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """Settings of the model, and its metrics over the epochs."""
    return Section("training", "Model and training", (*_model(evidence.model), *_curves(evidence, easel)))


def _model(model: Mapping[str, Any]) -> list[Block]:
    if not model:
        return [Notice("The run holds no model/model.json.")]
    architecture = dict(model.get("architecture") or {})
    network = architecture.pop("transformers_config", None) or {}
    shown = {key: network[key] for key in _NETWORK if key in network} | architecture
    left_out = {"schema", "schema_version", "architecture", "training", *_SHOWN_ELSEWHERE}
    rest = {key: model[key] for key in model if key not in left_out}
    source = ("model/model.json",)
    tables = (
        Table("The model.", ("Property", "Value"), tuple(_flat(shown | rest)), sources=source, note=_NOTE),
        Table("How it was trained.", ("Setting", "Value"), tuple(_flat(_common(model))), sources=source),
    )
    return [*(table for table in tables if table.rows), *_members(model)]


def _common(model: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for every network of the model."""
    own = {"members", "epoch_chosen"} if model.get("members") else set()
    return {key: value for key, value in (model.get("training") or {}).items() if key not in own}


def _members(model: Mapping[str, Any]) -> list[Block]:
    """Of an ensemble: what each member learned from."""
    if not model.get("members"):
        return []
    training = model["training"]
    rows = tuple(
        (
            str(number),
            str(member["fold"]),
            f"{counted(member['train_frames'], 'frame')} of {counted(member['train_groups'], 'group')}",
            f"{counted(member['stop_frames'], 'frame')} of {counted(member['stop_groups'], 'group')}",
            str(epoch),
        )
        for number, (member, epoch) in enumerate(
            zip(training["members"], training["epoch_chosen"], strict=True), start=1
        )
    )
    header = ("Member", "Fold left out", "Learned from", "Checkpoint chosen on", "Epoch kept")
    note = (
        "The model answers with the mean of the members' logits. The folds are folds of the fit part: no member has "
        "seen a frame of its own fold, of the validation part or of the test part."
    )
    caption = f"The {model['members']} members of the ensemble."
    return [Table(caption, header, rows, sources=("model/model.json",), note=note)]


def _flat(content: Mapping[str, Any], *, above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        name = f"{above} › {key}" if above else str(key).capitalize()
        name = name.replace("_", " ")
        if isinstance(value, Mapping) and value:
            yield from _flat(value, above=name)
        else:
            yield name, humanise(value)


def _curves(evidence: Evidence, easel: FigureWriter) -> list[Block]:
    history = evidence.history
    if history is None or history.empty:
        return [Notice("The run holds no history.csv: there are no training curves.")]
    figure = training_curves(history, parts=_PARTS)
    alt = f"Training curves over {pd.to_numeric(history['epoch']).max():g} epochs. {chosen_epoch(history)}"
    caption = f"Metrics over the epochs. {chosen_epoch(history)}".strip()
    picture = easel.vector(figure, name="training", caption=caption, alt=alt, sources=("history.csv",))
    return [Gallery((picture,), wide=True)]


def chosen_epoch(history: pd.DataFrame) -> str:
    """Which epoch's checkpoint was kept, with its metrics, in a sentence; empty where it is not marked.

    Of an ensemble: the epochs that the members kept.
    """
    if "chosen" not in history:
        return ""
    chosen = history[pd.to_numeric(history["chosen"], errors="coerce") == 1]
    if chosen.empty:
        return ""
    if "fold" in history:
        kept = ", ".join(f"{float(epoch):g}" for epoch in chosen["epoch"])
        return f"A line for each member; the checkpoints of the epochs {kept} were kept."
    row = chosen.iloc[0]
    values = [
        f"{name.lower()} {label} {float(row[f'{part}_{key}']):.3f}"
        for part, name in _PARTS
        for key, label in (("loss", "loss"), ("auc", "AUC"))
        if str(row.get(f"{part}_{key}", ""))
    ]
    return f"The checkpoint of epoch {float(row['epoch']):g} was kept ({', '.join(values)})."
