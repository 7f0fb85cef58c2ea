"""One frame explained: its maps, its curves, and how far they converged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoproof.errors import RunFolderError
from sonoproof.explanation.attribution import ClassLogit, IntegratedGradients, integrated_gradients
from sonoproof.explanation.baselines import make_baselines
from sonoproof.explanation.catalogue import FURTHER_METHODS
from sonoproof.explanation.context import ExplanationContext
from sonoproof.explanation.file_names import file_stem
from sonoproof.explanation.localisation import Localisation, localise
from sonoproof.explanation.methods import MethodSettings, explainer, network_input
from sonoproof.explanation.regions import attribution_shares
from sonoproof.explanation.saturation import mean_curve, saturation_curve, share_saturated
from sonoproof.types import Float32Array, UInt8Array

# How much the explained logit may differ from the one in the predictions, relative to max(1, |logit|).
_LOGIT_TOLERANCE = 0.01


@dataclass(frozen=True)
class BaselineResult:
    """How well integrated gradients converged from one baseline.

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
    """An explained frame: everything that a figure's title and caption say, and the names of its files.

    Attributes:
        image_id: Key of the frame.
        kind: ``top`` or ``error``.
        rank: Place within its kind, from 1.
        group: Its group.
        label: Class name, "" if unknown.
        predicted: Class name.
        explained_class: The class whose logit is explained: the predicted one.
        probability: Probability of the explained class, from the predictions.
        logit: Logit of the explained class.
        baselines: The result of each baseline, the main one first.
        shares: Share of the main map's magnitude in the sector, on the border and on overlays, beside their areas.
        localisation: The main map against the truth mask, if there is one.
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
    shares: Mapping[str, Mapping[str, float]]
    localisation: Localisation | None
    arrays: str
    png: str
    pdf: str
    preview: str


def explain_frame(
    row: Mapping[str, Any], *, context: ExplanationContext
) -> tuple[ExplainedFrame, dict[str, NDArray[Any]]]:
    """Maps and curves of one frame, for the logit of the predicted class.

    Args:
        row: The frame's row of the predictions, with ``kind`` and ``rank``.
        context: The model, the frames, and how to explain.

    Returns:
        The frame's record, and its arrays: ``frame`` (uint8, (H, W, 3)), ``saliency`` (float32, (H, W): largest
        absolute gradient over the channels), and for each baseline B ``ig_B`` (float32, (3, H, W), logits of the
        explained class) with ``alpha_B``, ``probability_B`` and ``gradient_B`` (float64, (S,)).
    """
    frame, logit = context.frames([row["image_id"]])[0], context.logit(row["predicted"])
    results, arrays = _maps(frame, logit=logit, row=row, context=context)
    main, mask = arrays[f"ig_{context.config.baselines[0]}"].sum(axis=0), context.mask(row["image_id"])
    probability, rank = float(row["probability"]), int(row["rank"])
    stem = file_stem(row["image_id"], kind=row["kind"], rank=rank)
    item = ExplainedFrame(
        image_id=row["image_id"],
        kind=row["kind"],
        rank=rank,
        group=row["group"],
        label=row["label"],
        predicted=row["predicted"],
        explained_class=row["predicted"],
        probability=probability if logit.sign > 0 else 1.0 - probability,
        logit=float(row["logit"]) * logit.sign,
        baselines=results,
        shares=attribution_shares(main, frame),
        localisation=localise(main, mask) if mask is not None else None,
        arrays=f"{stem}.npz",
        png=f"{stem}.png",
        pdf=f"{stem}.pdf",
        preview=f"{stem}.preview.jpg",
    )
    return item, arrays


def _maps(
    frame: UInt8Array, *, logit: ClassLogit, row: Mapping[str, Any], context: ExplanationContext
) -> tuple[tuple[BaselineResult, ...], dict[str, NDArray[Any]]]:
    """The arrays of a frame, and how far integrated gradients converged from each baseline."""
    arrays: dict[str, NDArray[Any]] = {"frame": frame}
    results = []
    for name in context.config.baselines:
        paths = _integrate(frame, logit=logit, baseline=name, context=context)
        if "saliency" not in arrays:
            _check_same_model(row, float(paths[0].path.logits[-1]) * logit.sign)
            # The last point of every path is the frame itself: its gradient is the saliency map.
            arrays["saliency"] = paths[0].path.at_frame.abs().amax(dim=0).cpu().numpy()
        curve = mean_curve(
            [
                saturation_curve(path.path, positive=logit.sign > 0, to_probability=context.to_probability)
                for path in paths
            ]
        )
        arrays[f"ig_{name}"] = np.mean([path.attribution.cpu().numpy() for path in paths], axis=0)
        arrays[f"alpha_{name}"] = curve.alphas
        arrays[f"probability_{name}"] = curve.probability
        arrays[f"gradient_{name}"] = curve.mean_absolute_gradient
        results.append(_baseline_result(name, paths, context.config.tolerance, saturated=share_saturated(curve)))
    return tuple(results), arrays | _further_maps(frame, logit=logit, context=context)


def _further_maps(frame: UInt8Array, *, logit: ClassLogit, context: ExplanationContext) -> dict[str, Float32Array]:
    settings = MethodSettings(baseline=context.config.baselines[0], references=context.references)
    names = [name for name in FURTHER_METHODS if name in context.config.methods]
    return {name: np.asarray(explainer(name, settings=settings)(logit, frame), dtype=np.float32) for name in names}


def _integrate(
    frame: UInt8Array, *, logit: ClassLogit, baseline: str, context: ExplanationContext
) -> list[IntegratedGradients]:
    starts, config = make_baselines(baseline, frame, references=context.references), context.config
    (target,) = network_input(frame[None], like=logit)
    return [
        integrated_gradients(logit, target, baseline=start, steps=config.steps, tolerance=config.tolerance)
        for start in network_input(starts, like=logit)
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
    """Explaining another model than the one that predicted would put a wrong probability into the figure's title."""
    predicted = float(row["logit"])
    if not abs(logit - predicted) <= _LOGIT_TOLERANCE * max(1.0, abs(predicted)):
        raise RunFolderError(
            f"{row['image_id']}: the model gives the logit {logit:.4f}, but in the predictions it is {predicted:.4f}; "
            "they are of different models or preprocessing: predict again, then explain"
        )
