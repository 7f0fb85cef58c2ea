"""The explanations of a part: which frames, their maps and curves, how far they converged; arrays and JSON.

Nothing is drawn here: `sonoproof.reporting.figures.explanation` draws from the files written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from sonoproof.classes import Classes
from sonoproof.config import ExplainConfig
from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.display import SCALE_PERCENTILE, colour_scale, display_sigma_px
from sonoproof.explanation.file_names import FILE_PATTERN
from sonoproof.explanation.frame import BaselineResult, ExplainedFrame, explain_frame
from sonoproof.explanation.gate import GateReport, run_gate
from sonoproof.explanation.gate_checks import GateSettings, orders_without_a_map
from sonoproof.explanation.methods import FURTHER_METHODS, Explainer, MethodSettings, explainer
from sonoproof.explanation.saturation import ToProbability
from sonoproof.explanation.selection import select_frames
from sonoproof.runfolder import atomic_path, write_json

__all__ = ["BaselineResult", "Classes", "ExplainedFrame", "explain_frame", "explain_part"]

Frames = NDArray[np.uint8]
Masks = Callable[[str], NDArray[np.bool_] | None]

# The gate judges the method, not each frame: a few frames and a coarse path tell it apart from an edge detector.
_GATE_FRAMES, _GATE_STEPS = 3, 16
_MAP_NAMES = ("saliency", "ig_", *FURTHER_METHODS)


def explain_part(
    predictions: pd.DataFrame,
    *,
    part: str,
    load: Callable[[Sequence[str]], Frames],
    model: nn.Module,
    classes: Classes,
    config: ExplainConfig,
    out: Path,
    references: Frames | None = None,
    masks: Masks | None = None,
    random_labels: nn.Module | None = None,
    to_probability: ToProbability = expit,
    progress: Callable[[int, int], None] | None = None,
) -> list[ExplainedFrame]:
    """Explain the top frames and the worst errors of a part, and write arrays and ``explanations.json``.

    Args:
        predictions: Predictions of the part (columns `PREDICTION_COLUMNS`).
        part: Name of the part.
        load: Returns the frames of image ids as the network sees them, uint8, shape (N, H, W, 3).
        model: Network in evaluation mode: frames (N, 3, H, W) in [-1, 1] to logits of the positive class.
        classes: Names of the classes.
        config: Numbers of frames, baselines, steps and tolerance.
        out: Folder of the part's explanations; what an earlier run explained is removed.
        references: Frames of the baseline ``references``, uint8, shape (R, H, W, 3).
        masks: Returns where the truth of an image id is, shape (H, W) as the network sees the frame, where known.
        random_labels: Network trained on shuffled labels, for the gate; None to leave that check out.
        to_probability: Turns logits of the positive class into its probability, for the curves.
        progress: Called with frames done and frames in all.

    Raises:
        RunFolderError: The predictions are of another model than `model`.
        ConfigError: A baseline is unknown or lacks its references.
    """
    explained: list[ExplainedFrame] = []
    maps: list[dict[str, NDArray[Any]]] = []
    rows = _chosen_rows(predictions, positive=classes.positive, config=config)
    for done, row in enumerate(rows):
        if progress is not None:
            progress(done, len(rows))
        item, arrays = explain_frame(
            load([row["image_id"]])[0], row=row, model=model, classes=classes, config=config, references=references,
            mask=masks(row["image_id"]) if masks is not None else None, to_probability=to_probability,
        )  # fmt: skip
        _save_arrays(out / item.arrays, arrays)
        explained.append(item)
        maps.append({name: arrays[name] for name in arrays if name.startswith(_MAP_NAMES)})
    if progress is not None:
        progress(len(rows), len(rows))
    gates = _gates(
        explained, load=load, model=model, classes=classes, config=config, references=references,
        random_labels=random_labels,
    )  # fmt: skip
    content = {"part": part, **_content(explained, classes=classes, config=config, gates=gates)}
    write_json(out / "explanations.json", {**content, "scale": _scales(maps)}, schema="explanations")
    _remove_earlier(out, keep={item.arrays.removesuffix(".npz") for item in explained})
    return explained


def _chosen_rows(predictions: pd.DataFrame, *, positive: str, config: ExplainConfig) -> list[dict[str, Any]]:
    """Rows of the predictions that are explained, each with its ``kind`` and ``rank``."""
    chosen = select_frames(predictions, positive=positive, top=config.top, errors=config.errors)
    rows = predictions.set_index("image_id", drop=False)
    return [rows.loc[choice["image_id"]].to_dict() | choice for choice in chosen.to_dict("records")]


def _content(
    explained: Sequence[ExplainedFrame], *, classes: Classes, config: ExplainConfig, gates: Sequence[GateReport]
) -> dict[str, Any]:
    """What ``explanations.json`` says beside the part's name and the colour scales."""
    return {
        "classes": dataclasses.asdict(classes),
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
    """Figures and arrays of frames that only an earlier run explained: nobody would tell them apart."""
    for path in out.iterdir():
        stem = path.name.partition(".")[0]
        if FILE_PATTERN.fullmatch(path.name) and stem not in keep:
            path.unlink()


def _save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _gates(
    explained: Sequence[ExplainedFrame],
    *,
    load: Callable[[Sequence[str]], Frames],
    model: nn.Module,
    classes: Classes,
    config: ExplainConfig,
    references: Frames | None,
    random_labels: nn.Module | None,
) -> list[GateReport]:
    """Judge every method on the first frames explained: integrated gradients from the main baseline, then the others.

    Empty where no frame was explained.
    """
    judged = explained[:_GATE_FRAMES]
    if not judged:
        return []
    main, *others = config.baselines
    frames, positive = load([item.image_id for item in judged]), [i.explained_class == classes.positive for i in judged]

    def method(name: str, baseline: str) -> Explainer:
        return explainer(name, settings=MethodSettings(baseline=baseline, references=references, steps=_GATE_STEPS))

    judge = partial(
        run_gate,
        network=model,
        frames=frames,
        positive=positive,
        random_labels=random_labels,
        others=orders_without_a_map(
            logits=[ClassLogit(model, positive=side) for side in positive], frames=frames, settings=GateSettings()
        ),
    )
    first = judge(
        method("integrated_gradients", main),
        method=f"integrated_gradients, {main}",
        gaps=[item.baselines[0].gap for item in explained],
        tolerance=config.tolerance,
        other_baselines={name: method("integrated_gradients", name) for name in others},
    )
    further = [name for name in config.methods if name != "integrated_gradients"]
    return [first, *(judge(method(name, main), method=name) for name in further)]


def _scales(maps: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, float]:
    """Where the colour scales of the set end, for maps as they are shown."""
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
