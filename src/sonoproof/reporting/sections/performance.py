"""Section "Performance": the numbers with their intervals, and the curves behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from sonoproof.reporting.figures import curves as figures
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence, PartEvidence
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval, metrics_table, seeds_table
from sonoproof.reporting.wording.text import format_count, format_number
from sonoproof.wording import counted

__all__ = ["evaluation_source", "performance_section"]


def performance_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """Table of metrics of every part, then the curves of each."""
    blocks: list[Block] = []
    if evidence.evaluated:
        blocks += [Prose(_how_measured(evidence)), _metrics(evidence)]
    else:
        blocks.append(Notice("Nothing was evaluated: the run holds no evaluation of labelled frames."))
    names = {part.name for part in evidence.evaluated}
    if evidence.evaluated and "test" not in names:
        blocks.append(Notice("No labelled test set was given."))
    for part in evidence.evaluated:
        blocks += [Notice(f"{PART_NAMES[part.name]}: {note}", "warning") for note in part.evaluation.get("notes") or []]
    blocks += _seeds(evidence)
    for part in evidence.evaluated:
        blocks += _part(part, evidence, easel)
    return Section("performance", "Performance", tuple(blocks))


def evaluation_source(part: PartEvidence) -> str:
    """The file that the metrics of a part come from."""
    return f"evaluation/{part.name}.json"


def _how_measured(evidence: Evidence) -> str:
    first = evidence.evaluated[0].evaluation
    positive = first.get("positive_class", evidence.class_names[1])
    confidence = float(first.get("confidence") or 0.95)
    sentences = [f"All metrics are of the positive class, “{positive}”."]
    sentences.append(f"In brackets stands the interval at {confidence:.0%}.")
    if first.get("stratified", True):
        sentences.append("The intervals hold for the share of positive units that the rows have.")
    for part in evidence.evaluated:
        sentences.append(_unit_sentence(part))
    if evidence.model.get("members") and any(part.name == "oof" for part in evidence.evaluated):
        sentences.append(
            "The out-of-fold rows are those of the fit part alone; each was predicted by the one member of the "
            "ensemble that saw nothing of its group, so that part measures a single member and not the mean of all."
        )
    return " ".join(sentences)


def _unit_sentence(part: PartEvidence) -> str:
    evaluation = part.evaluation
    name, threshold = PART_NAMES[part.name], evaluation.get("threshold")
    units = f"{format_count(evaluation.get('n_units'))} units ({evaluation.get('unit', 'not said')})"
    called = f"a frame is called positive from a probability of {format_number(threshold)} on"
    return f"{name}: {units} were resampled for the intervals; {called}."


def _metrics(evidence: Evidence) -> Table:
    evaluations = {part.name: part.evaluation for part in evidence.evaluated}
    counts = [
        f"{format_count(entry.get('n'))} ({format_count(entry.get('n_positive'))})" for entry in evaluations.values()
    ]
    rows = [(label, *cells) for label, cells in metrics_table(evaluations)]
    return Table(
        "Metrics with their intervals.",
        ("Metric", *(PART_NAMES[name] for name in evaluations)),
        (("Frames (of the positive class)", *counts), *rows),
        sources=tuple(evaluation_source(part) for part in evidence.evaluated),
        numeric=True,
    )


def _seeds(evidence: Evidence) -> list[Block]:
    """The same training with other seeds: what of a figure is the luck of the draw."""
    blocks: list[Block] = []
    for part in evidence.seeds.get("parts", {}):
        header, *rows = seeds_table(evidence.seeds, part=part)
        table = Table(
            f"{PART_NAMES[part]}: {len(evidence.seeds['seeds'])} trainings on the same split, with different seeds.",
            header,
            tuple(rows),
            sources=("evaluation/seeds.json", "evaluation/seeds.csv"),
            numeric=True,
            note=f"The model reported is that of seed {evidence.seeds['reported_seed']}; nothing was chosen among the "
            "seeds. The frames are the same: the spread is that of the training, not that between patients.",
        )
        blocks.append(table)
    return blocks


def _part(part: PartEvidence, evidence: Evidence, easel: FigureWriter) -> list[Block]:
    pictures = [*_roc(part, easel), *_precision_recall(part, easel), *_histogram(part, evidence, easel)]
    pictures += _confusion(part, evidence, easel)
    if not pictures:
        return [Notice(f"{PART_NAMES[part.name]}: the run holds no curves.")]
    return [Gallery(tuple(pictures), title=PART_NAMES[part.name])]


def _roc(part: PartEvidence, easel: FigureWriter) -> list[Picture]:
    curve = part.curves.get("roc")
    if not curve or not curve["true_positive_rate"]:
        return []
    area = format_interval(part.evaluation.get("auc"))
    rates = _rates(part.evaluation)
    point = None if rates is None else (1 - rates["specificity"], rates["recall"])
    figure = figures.roc_curve(
        _array(curve["false_positive_rate"]),
        _array(curve["true_positive_rate"]),
        label=f"AUC {area}",
        operating_point=point,
    )
    name = PART_NAMES[part.name]
    caption = f"{name}: receiver operating characteristic, AUC {area}."
    return [_drawn(part, easel, figure, kind="roc", caption=caption)]


def _precision_recall(part: PartEvidence, easel: FigureWriter) -> list[Picture]:
    curve = part.curves.get("precision_recall")
    evaluation = part.evaluation
    if not curve or not curve["recall"]:
        return []
    average = format_interval(evaluation.get("average_precision"))
    prevalence = evaluation["n_positive"] / evaluation["n"]
    rates = _rates(evaluation)
    point = None if rates is None or rates["precision"] is None else (rates["recall"], rates["precision"])
    figure = figures.precision_recall_curve(
        _array(curve["recall"]), _array(curve["precision"]), label=f"Average precision {average}",
        prevalence=prevalence, operating_point=point,
    )  # fmt: skip
    caption = (
        f"{PART_NAMES[part.name]}: precision over recall, average precision {average}; "
        f"the prevalence is {prevalence:.3f}."
    )
    return [_drawn(part, easel, figure, kind="precision-recall", caption=caption)]


def _histogram(part: PartEvidence, evidence: Evidence, easel: FigureWriter) -> list[Picture]:
    predictions = part.predictions
    if predictions is None or predictions["target"].isna().all():
        return []
    negatives, positives = (
        predictions.loc[predictions["target"] == target, "probability"].to_numpy(np.float64) for target in (0, 1)
    )
    threshold = float(part.evaluation.get("threshold", 0.5))
    figure = figures.probability_histogram(negatives, positives, names=evidence.class_names, threshold=threshold)
    caption = f"{PART_NAMES[part.name]}: predicted probability of “{evidence.class_names[1]}” by class."
    source = f"predictions/{part.name}.csv"
    return [_drawn(part, easel, figure, kind="probabilities", caption=caption, source=source)]


def _confusion(part: PartEvidence, evidence: Evidence, easel: FigureWriter) -> list[Picture]:
    counts = part.evaluation.get("confusion")
    if not counts:
        return []
    tp, fp, tn, fn = (int(counts[key]) for key in ("tp", "fp", "tn", "fn"))
    figure = figures.confusion_matrix(tp=tp, fp=fp, tn=tn, fn=fn, names=evidence.class_names)
    negative, positive = evidence.class_names
    caption = (
        f"{PART_NAMES[part.name]}: of {counted(tp + fn, 'frame')} labelled “{positive}”, {tp:,} were called so; "
        f"of {counted(tn + fp, 'frame')} labelled “{negative}”, {tn:,} were called so."
    )
    return [_drawn(part, easel, figure, kind="confusion", caption=caption)]


def _drawn(
    part: PartEvidence,
    easel: FigureWriter,
    figure: Figure,
    *,
    kind: str,
    caption: str,
    alt: str = "",
    source: str = "",
) -> Picture:
    curves = kind in ("roc", "precision-recall")
    sources = (evaluation_source(part), f"evaluation/{part.name}_curves.json") if curves else (evaluation_source(part),)
    return easel.vector(
        figure,
        name=f"{part.name}-{kind}",
        caption=caption,
        alt=alt or caption,
        sources=(source,) if source else sources,
    )


def _rates(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    values = {key: (evaluation.get(key) or {}).get("value") for key in ("recall", "specificity", "precision")}
    return None if values["recall"] is None or values["specificity"] is None else values


def _array(values: Any) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
