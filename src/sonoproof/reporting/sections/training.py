"""Section "Model and training": the network, how it learned, which checkpoint was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from sonoproof.parts import Part
from sonoproof.reporting.figures.curves import training_curves
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Section, Table
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.types import Json
from sonoproof.wording import counted, humanise

_ROWS = (("fit", Part.FIT.title), ("val", Part.VAL.title), ("stop", "Rows set aside"))
# The network's own configuration is long; a reader asks for these.
_NETWORK = ("model_type", "depth_multiplier", "image_size")
_NOTE = (
    "The rest of the network's configuration is in model.json; what was chosen after training has sections of its own."
)
_SHOWN_ELSEWHERE = {
    *("schema", "schema_version", "architecture", "training"),
    *("calibration", "operating_point", "abstention", "rows", "crosswise", "likeness_sha256"),
}
_SOURCE = ("model/model.json",)


def training_section(files: RunFiles, writer: FigureWriter) -> Section:
    """Settings of the model, and its metrics over the epochs."""
    blocks = (*_model(files.model), _curves(files.history, writer))
    return Section("training", "Model and training", blocks)


def _model(model: Json) -> Iterator[Block]:
    if not model:
        yield Notice("The run has no model/model.json.")
        return
    architecture = dict(model.get("architecture") or {})
    network = architecture.pop("transformers_config", None) or {}
    properties = {key: network[key] for key in _NETWORK if key in network} | architecture
    properties |= {key: value for key, value in model.items() if key not in _SHOWN_ELSEWHERE}
    own = {"members", "epoch_chosen"} if model.get("members") else set()
    training = {key: value for key, value in (model.get("training") or {}).items() if key not in own}
    for caption, header, content, note in (
        ("The model.", "Property", properties, _NOTE),
        ("How it was trained.", "Setting", training, ""),
    ):
        if rows := tuple(_flat(content)):
            yield Table(caption, (header, "Value"), rows, sources=_SOURCE, note=note)
    if model.get("members"):
        yield _members(model["training"])


def _members(training: Json) -> Table:
    """What each member of an ensemble learned from."""
    members = list(zip(training["members"], training["epoch_chosen"], strict=True))
    rows = tuple(
        (
            str(number),
            str(member["fold"]),
            *(
                f"{counted(member[f'{use}_frames'], 'frame')} of {counted(member[f'{use}_groups'], 'group')}"
                for use in ("train", "stop")
            ),
            str(epoch),
        )
        for number, (member, epoch) in enumerate(members, start=1)
    )
    header = ("Member", "Fold left out", "Learned from", "Checkpoint chosen on", "Epoch kept")
    note = (
        "The model's answer is the mean of its members' logits. The folds divide the fit part: no member has seen a "
        "frame of its own fold, of the validation part or of the test part."
    )
    return Table(f"The {len(rows)} members of the ensemble.", header, rows, sources=_SOURCE, note=note)


def _flat(content: Mapping[str, Any], *, above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        name = f"{above} › {key}" if above else str(key).capitalize()
        name = name.replace("_", " ").replace("sha256", "SHA-256")
        if isinstance(value, Mapping) and value:
            yield from _flat(value, above=name)
        else:
            yield name, humanise(value)


def _curves(history: pd.DataFrame | None, writer: FigureWriter) -> Block:
    if history is None or history.empty:
        return Notice("The run has no history.csv: there are no training curves.")
    kept = _kept_epoch(history)
    picture = writer.vector(
        training_curves(history, parts=_ROWS),
        name="training",
        caption=f"Metrics over the epochs. {kept}".strip(),
        alt=f"Training curves over {pd.to_numeric(history['epoch']).max():g} epochs. {kept}",
        sources=("history.csv",),
    )
    return Gallery((picture,), wide=True)


def _kept_epoch(history: pd.DataFrame) -> str:
    """Which epoch's checkpoint was kept, with its metrics, in a sentence; empty where it is not marked.

    For an ensemble: the epochs that the members kept.
    """
    if "chosen" not in history:
        return ""
    chosen = history[pd.to_numeric(history["chosen"], errors="coerce") == 1]
    if chosen.empty:
        return ""
    if "fold" in history:
        kept = ", ".join(f"{float(epoch):g}" for epoch in chosen["epoch"])
        return f"One line per member; the checkpoints of epochs {kept} were kept."
    row = chosen.iloc[0]
    values = []
    for rows, name in _ROWS:
        known = [(label, row.get(f"{rows}_{key}", "")) for key, label in (("loss", "loss"), ("auc", "AUC"))]
        told = ", ".join(f"{label} {float(value):.3f}" for label, value in known if str(value))
        values += [f"{name.lower()}: {told}"] if told else []
    return f"The checkpoint of epoch {float(row['epoch']):g} was kept ({'; '.join(values)})."
