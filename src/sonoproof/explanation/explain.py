"""The explanations of a part: which frames, their maps and curves, how far they converged; arrays and JSON.

Nothing is drawn here: `sonoproof.reporting.explanation_figure` draws from the files written.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from sonoproof.config import ExplainConfig
from sonoproof.errors import RunFolderError
from sonoproof.explanation.attribution import ClassLogit, IntegratedGradients, integrated_gradients
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.display import SCALE_PERCENTILE, colour_scale, display_sigma_px
from sonoproof.explanation.saturation import ToProbability, mean_curve, saturation_curve, share_saturated
from sonoproof.explanation.selection import select_frames
from sonoproof.runfolder import atomic_path, write_json

__all__ = ["BaselineResult", "Classes", "ExplainedFrame", "explain_frame", "explain_part", "network_input"]

Frames = NDArray[np.uint8]

# Most that the logit explained may differ from the one in the predictions, relative to max(1, |logit|).
_LOGIT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Classes:
    """Names of the two classes."""

    negative: str
    positive: str


@dataclass(frozen=True)
class BaselineResult:
    """How well integrated gradients did from one baseline.

    Attributes:
        name: Name of the baseline.
        logit_difference: Logit of the explained class at the frame minus at the baseline.
        convergence_delta: Sum of the attribution minus that difference.
        gap: |convergence_delta| / |logit_difference|; NaN where the difference is zero.
        converged: Whether the gap is below the tolerance.
        steps_used: Points of the path.
        share_saturated: Share of the path on which the gradient is under a tenth of its largest value.
    """

    name: str
    logit_difference: float
    convergence_delta: float
    gap: float
    converged: bool
    steps_used: int
    share_saturated: float


@dataclass(frozen=True)
class ExplainedFrame:
    """One frame explained: everything a figure's title and caption say, and the names of its files.

    Attributes:
        image_id: Key of the frame.
        kind: ``top`` or ``error``.
        rank: Place within its kind, from 1.
        group: Group of the frame.
        label: Class name, "" where unknown.
        predicted: Class name.
        explained_class: The class whose logit is explained: the predicted one.
        probability: Probability of the explained class, from the predictions.
        logit: Logit of the explained class.
        baselines: The result of each baseline, the drawn one first.
        arrays: File name of the arrays (npz).
        png: File name of the figure at full resolution.
        pdf: File name of the vector figure.
        preview: File name of the reduced figure.
    """

    image_id: str
    kind: str
    rank: int
    group: str
    label: str
    predicted: str
    explained_class: str
    probability: float
    logit: float
    baselines: tuple[BaselineResult, ...]
    arrays: str
    png: str
    pdf: str
    preview: str


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
        out: Folder of the part's explanations; files of an earlier run are replaced.
        references: Frames of the baseline ``references``, uint8, shape (R, H, W, 3).
        to_probability: Turns logits of the positive class into its probability, for the curves.
        progress: Called with frames done and frames in all.

    Raises:
        RunFolderError: The predictions are of another model than `model`.
        ConfigError: A baseline is unknown or lacks its references.
    """
    chosen = select_frames(predictions, positive=classes.positive, top=config.top, errors=config.errors)
    rows = predictions.set_index("image_id", drop=False)
    explained: list[ExplainedFrame] = []
    maps: list[dict[str, NDArray[Any]]] = []
    for done, choice in enumerate(chosen.to_dict("records")):
        if progress is not None:
            progress(done, len(chosen))
        row = rows.loc[choice["image_id"]].to_dict()
        frame = load([row["image_id"]])[0]
        item, arrays = explain_frame(
            frame,
            row=row | choice,
            model=model,
            classes=classes,
            config=config,
            references=references,
            to_probability=to_probability,
        )
        _save_arrays(out / item.arrays, arrays)
        explained.append(item)
        maps.append({name: arrays[name] for name in arrays if name.startswith(("saliency", "ig_"))})
    if progress is not None:
        progress(len(chosen), len(chosen))
    _write_index(out, part=part, explained=explained, maps=maps, classes=classes, config=config)
    return explained


def explain_frame(
    frame: Frames,
    *,
    row: Mapping[str, Any],
    model: nn.Module,
    classes: Classes,
    config: ExplainConfig,
    references: Frames | None = None,
    to_probability: ToProbability = expit,
) -> tuple[ExplainedFrame, dict[str, NDArray[Any]]]:
    """Maps and curves of one frame, for the logit of the class predicted.

    Args:
        frame: The frame as the network sees it, uint8, shape (H, W, 3).
        row: The frame's row of the predictions, with ``kind`` and ``rank``.
        model: Network in evaluation mode.
        classes: Names of the classes.
        config: Baselines, steps and tolerance.
        references: Frames of the baseline ``references``.
        to_probability: Turns logits of the positive class into its probability.

    Returns:
        The frame's record, and its arrays: ``frame`` (uint8, (H, W, 3)), ``saliency`` (float32, (H, W): largest
        absolute gradient over the channels), and for each baseline B ``ig_B`` (float32, (3, H, W), logits of the
        explained class) with ``alpha_B``, ``probability_B`` and ``gradient_B`` (float64, (S,)).
    """
    is_positive = row["predicted"] == classes.positive
    logit = ClassLogit(model, positive=is_positive)
    arrays: dict[str, NDArray[Any]] = {"frame": frame}
    results = []
    for name in config.baselines:
        paths = _integrate(logit, frame, make_baselines(name, frame, references=references), config)
        if "saliency" not in arrays:
            _check_same_model(row, float(paths[0].path.logits[-1]) * logit.sign)
            # The last point of every path is the frame itself: its gradient is the saliency map.
            arrays["saliency"] = paths[0].path.gradients[-1].abs().amax(dim=0).cpu().numpy()
        curves = [saturation_curve(path.path, positive=is_positive, to_probability=to_probability) for path in paths]
        curve = mean_curve(curves)
        arrays[f"ig_{name}"] = np.mean([path.attribution.cpu().numpy() for path in paths], axis=0)
        arrays[f"alpha_{name}"] = curve.alphas
        arrays[f"probability_{name}"] = curve.probability
        arrays[f"gradient_{name}"] = curve.mean_absolute_gradient
        results.append(_baseline_result(name, paths, config.tolerance, saturated=share_saturated(curve)))
    probability = float(row["probability"])
    stem = _file_stem(row)
    item = ExplainedFrame(
        image_id=row["image_id"],
        kind=row["kind"],
        rank=int(row["rank"]),
        group=row["group"],
        label=row["label"],
        predicted=row["predicted"],
        explained_class=row["predicted"],
        probability=probability if is_positive else 1.0 - probability,
        logit=float(row["logit"]) * logit.sign,
        baselines=tuple(results),
        arrays=f"{stem}.npz",
        png=f"{stem}.png",
        pdf=f"{stem}.pdf",
        preview=f"{stem}.preview.jpg",
    )
    return item, arrays


def network_input(frames: NDArray[Any], *, like: nn.Module) -> torch.Tensor:
    """Grey levels in [0, 255], shape (N, H, W, 3), as float32 in [-1, 1], shape (N, 3, H, W), on the model's device."""
    device = next((parameter.device for parameter in like.parameters()), torch.device("cpu"))
    levels = torch.from_numpy(np.ascontiguousarray(frames)).to(device=device, dtype=torch.float32)
    return levels.permute(0, 3, 1, 2).contiguous() / 127.5 - 1.0


def _integrate(
    logit: ClassLogit, frame: Frames, baselines: NDArray[np.float32], config: ExplainConfig
) -> list[IntegratedGradients]:
    (target,) = network_input(frame[None], like=logit)
    return [
        integrated_gradients(logit, target, baseline=start, steps=config.steps, tolerance=config.tolerance)
        for start in network_input(baselines, like=logit)
    ]


def _baseline_result(
    name: str, paths: Sequence[IntegratedGradients], tolerance: float, *, saturated: float
) -> BaselineResult:
    difference = float(np.mean([path.logit_difference for path in paths]))
    delta = float(np.mean([path.convergence_delta for path in paths]))
    gap = paths[0].gap if len(paths) == 1 else abs(delta) / abs(difference) if difference else float("nan")
    return BaselineResult(
        name=name,
        logit_difference=difference,
        convergence_delta=delta,
        gap=gap,
        converged=gap < tolerance,
        steps_used=sum(path.steps_used for path in paths),
        share_saturated=saturated,
    )


def _check_same_model(row: Mapping[str, Any], logit: float) -> None:
    """Explaining another model than the one that predicted would title the figure with a foreign probability."""
    told = float(row["logit"])
    if not abs(logit - told) <= _LOGIT_TOLERANCE * max(1.0, abs(told)):
        raise RunFolderError(
            f"{row['image_id']}: the model gives the logit {logit:.4f} and the predictions say {told:.4f}; "
            "they are of different models or preprocessing: write the predictions again, then explain"
        )


def _file_stem(row: Mapping[str, Any]) -> str:
    # An image id is a path of any length and script; a file name is made from its hash.
    digest = hashlib.sha256(str(row["image_id"]).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{row['kind']}-{int(row['rank']):02d}-{digest}"


def _save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _write_index(
    out: Path,
    *,
    part: str,
    explained: Sequence[ExplainedFrame],
    maps: Sequence[Mapping[str, NDArray[Any]]],
    classes: Classes,
    config: ExplainConfig,
) -> None:
    found = {kind: sum(item.kind == kind for item in explained) for kind in ("top", "error")}
    content = {
        "part": part,
        "classes": dataclasses.asdict(classes),
        "asked": {"top": config.top, "error": config.errors},
        "found": found,
        "baselines": list(config.baselines),
        "tolerance": config.tolerance,
        "scale": _scales(maps),
        "frames": [dataclasses.asdict(item) for item in explained],
    }
    write_json(out / "explanations.json", content, schema="explanations")


def _scales(maps: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, float]:
    """Where the colour scales of the set end, for maps as they are shown."""
    side = max((max(m["saliency"].shape) for m in maps), default=0)
    signed = [m[name].sum(axis=0) for m in maps for name in m if name.startswith("ig_")]
    return {
        "percentile": SCALE_PERCENTILE,
        "sigma_px": display_sigma_px(side),
        "integrated_gradients": colour_scale(signed),
        "saliency": colour_scale([m["saliency"] for m in maps]),
    }
