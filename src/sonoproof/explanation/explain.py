"""The explanations of a part: which frames, their maps and curves, how far they converged; arrays and JSON.

Nothing is drawn here: `sonoproof.reporting.figures.explanation` draws from the files written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonoproof.explanation.catalogue import FURTHER_METHODS
from sonoproof.explanation.context import ExplanationContext
from sonoproof.explanation.display import SCALE_PERCENTILE, colour_scale, display_sigma_px
from sonoproof.explanation.file_names import FILE_PATTERN
from sonoproof.explanation.frame import ExplainedFrame, explain_frame
from sonoproof.explanation.gate.gate import GateReport, run_gate
from sonoproof.explanation.gate.trial import Trial
from sonoproof.explanation.methods import Explainer, MethodSettings, explainer
from sonoproof.explanation.selection import select_frames
from sonoproof.runfolder import atomic_path, write_json

# The gate judges the method, not each frame: a few frames and a coarse path tell it apart from an edge detector.
_GATE_FRAMES, _GATE_STEPS = 3, 16
_MAP_NAMES = ("saliency", "ig_", *FURTHER_METHODS)


def explain_part(
    predictions: pd.DataFrame, *, part: str, context: ExplanationContext, out: Path
) -> list[ExplainedFrame]:
    """Explain the top frames and the worst errors of a part, and write arrays and ``explanations.json``.

    Args:
        predictions: Predictions of the part (columns `PREDICTION_COLUMNS`).
        part: Name of the part.
        context: The model, the frames, and how to explain.
        out: Folder of the part's explanations; what an earlier run wrote there is removed.

    Raises:
        RunFolderError: The predictions are of another model than the context's.
        ConfigError: A baseline is unknown or lacks its references.
    """
    explained: list[ExplainedFrame] = []
    maps: list[dict[str, NDArray[Any]]] = []
    rows = _chosen_rows(predictions, context=context)
    for done, row in enumerate(rows):
        context.progress(done, len(rows))
        item, arrays = explain_frame(row, context=context)
        _save_arrays(out / item.arrays, arrays)
        explained.append(item)
        maps.append({name: arrays[name] for name in arrays if name.startswith(_MAP_NAMES)})
    context.progress(len(rows), len(rows))
    content = {"part": part, **_content(explained, context=context), "scale": _scales(maps)}
    write_json(out / "explanations.json", content, schema="explanations")
    _remove_earlier(out, keep={item.arrays.removesuffix(".npz") for item in explained})
    return explained


def _chosen_rows(predictions: pd.DataFrame, *, context: ExplanationContext) -> list[dict[str, Any]]:
    """Rows of the predictions that are explained, each with its ``kind`` and ``rank``."""
    config = context.config
    chosen = select_frames(predictions, positive=context.classes.positive, top=config.top, errors=config.errors)
    rows = predictions.set_index("image_id", drop=False)
    return [rows.loc[choice["image_id"]].to_dict() | choice for choice in chosen.to_dict("records")]


def _content(explained: Sequence[ExplainedFrame], *, context: ExplanationContext) -> dict[str, Any]:
    """The content of ``explanations.json`` besides the part's name and the colour scales."""
    config, gates = context.config, _gates(explained, context=context)
    return {
        "classes": dataclasses.asdict(context.classes),
        "asked": {"top": config.top, "error": config.errors},
        "found": {kind: sum(item.kind == kind for item in explained) for kind in ("top", "error")},
        "methods": list(config.methods),
        "baselines": list(config.baselines),
        "tolerance": config.tolerance,
        "gate": dataclasses.asdict(gates[0]) if gates else None,
        "further_gates": [dataclasses.asdict(gate) for gate in gates[1:]],
        "frames": [dataclasses.asdict(item) for item in explained],
    }


def _remove_earlier(out: Path, *, keep: set[str]) -> None:
    """Remove figures and arrays of frames that only an earlier run explained; nobody could tell them apart."""
    for path in out.iterdir():
        stem = path.name.partition(".")[0]
        if FILE_PATTERN.fullmatch(path.name) and stem not in keep:
            path.unlink()


def _save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _gates(explained: Sequence[ExplainedFrame], *, context: ExplanationContext) -> list[GateReport]:
    """Judge every method on the first explained frames: integrated gradients from the main baseline, then the others.

    Empty if no frame was explained.
    """
    config, judged = context.config, explained[:_GATE_FRAMES]
    if not judged:
        return []
    main, *others = config.baselines
    trial = Trial(
        context.classifier,
        context.frames([item.image_id for item in judged]),
        positive=[item.explained_class == context.classes.positive for item in judged],
        shuffled_labels=context.shuffled_labels,
    )

    def method(name: str, baseline: str) -> Explainer:
        settings = MethodSettings(baseline=baseline, references=context.references, steps=_GATE_STEPS)
        return explainer(name, settings=settings)

    first = run_gate(
        method("integrated_gradients", main),
        method=f"integrated_gradients, {main}",
        trial=trial,
        gaps=[item.baselines[0].gap for item in explained],
        tolerance=config.tolerance,
        other_baselines={name: method("integrated_gradients", name) for name in others},
    )
    further = [name for name in config.methods if name != "integrated_gradients"]
    return [first, *(run_gate(method(name, main), method=name, trial=trial) for name in further)]


def _scales(maps: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, float]:
    """The ends of the colour scales of the set, for maps as they are shown."""
    side = max((max(m["saliency"].shape) for m in maps), default=0)
    signed = [m[name].sum(axis=0) for m in maps for name in m if name.startswith("ig_")]
    further = [name for name in FURTHER_METHODS if maps and name in maps[0]]
    return {
        "percentile": SCALE_PERCENTILE,
        "sigma_px": display_sigma_px(side),
        "integrated_gradients": colour_scale(signed),
        "saliency": colour_scale([m["saliency"] for m in maps]),
        **{name: colour_scale([m[name] for m in maps]) for name in further},
    }
