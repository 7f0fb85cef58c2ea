"""A finished run to an ONNX file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sonoproof.config import load_config
from sonoproof.errors import BundleError
from sonoproof.inference.engine_selection import exported_engines
from sonoproof.inference.engines import Engine, TorchEngine
from sonoproof.inference.export import check_export_name, export_onnx, require_parity, to_onnx
from sonoproof.inference.quantise import Change, compare, quantise, require_small
from sonoproof.inference.scoring import score_rows
from sonoproof.runfolder import RunFolder, atomic_path
from sonoproof.sampling import evenly_spread
from sonoproof.stages.context import RunContext
from sonoproof.training.bundle import ModelBundle, load_bundle
from sonoproof.types import FloatArray, LoadFrames

CALIBRATION_FRAMES = 200


def export_run(folder: Path, *, out: Path, int8: bool = False) -> str:
    """Export the model of a run.

    Args:
        folder: The run folder, or the folder of a saved model.
        out: The file to write, ``.onnx``.
        int8: Whether in 8-bit integers; needs the run folder, for the ranges are taken from frames of the fit part
            and the gate is held on the validation part.

    Returns:
        What was checked, in a line.

    Raises:
        BundleError: The exported model answers differently; no file is written.
        SonoproofError: Anything else that the user can fix.
    """
    check_export_name(out)
    bundle = load_bundle(folder)
    if int8:
        changes = _export_int8(RunFolder(folder), bundle, out=out)
        return "; ".join(f"in {name}, {change}" for name, change in changes.items())
    parity = export_onnx(bundle, out=out)
    return f"differs from the saved model by at most {parity.logit:.1g} (logit) and {parity.probability:.1g}"


def _export_int8(run: RunFolder, bundle: ModelBundle, *, out: Path) -> dict[str, Change]:
    """Write the file if every engine that is installed passes the gate with it: each rounds in its own way."""
    if not run.split.is_file():
        raise BundleError(f"{run.root}: --int8 needs the run folder, to compare on the frames of its validation part")
    context = RunContext(run, config=load_config(run.config))
    table = context.split_records
    rows = table[table["part"] == "val"]
    if rows.empty:
        raise BundleError(f"{run.root}: --int8 is compared on validation frames, and this run has none; export without")
    load = context.frames
    learned = list(table.loc[table["part"] == "fit", "image_id"])
    some = [learned[k] for k in evenly_spread(len(learned), CALIBRATION_FRAMES)]
    single = to_onnx(bundle)
    require_parity(bundle, single)
    content = quantise(single, frames=load(some))
    before = _probabilities(TorchEngine(bundle, device="cpu"), rows, load=load)
    changes: dict[str, Change] = {}
    with atomic_path(out) as temporary:
        temporary.write_bytes(content)
        for name, engine in exported_engines(temporary).items():
            after = _probabilities(engine, rows, load=load)
            changes[name] = compare(before, after, positive=(rows["label"] == bundle.spec.classes.positive).to_numpy())
            require_small(changes[name], engine=name)
    return changes


def _probabilities(engine: Engine, rows: pd.DataFrame, *, load: LoadFrames) -> FloatArray:
    scores = score_rows(engine, list(rows["image_id"]), load=load)
    return engine.spec.decision.probability(scores.logits)
