"""Section "Performance": the numbers with their intervals, and the curves behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sonoproof.parts import Part
from sonoproof.reporting.figures import curves as figures
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.reporting.wording.tables import format_interval, metrics_table, seeds_table
from sonoproof.reporting.wording.text import format_count, format_number
from sonoproof.types import FloatArray, Json
from sonoproof.wording import counted


def performance_section(files: RunFiles, writer: FigureWriter) -> Section:
    """Table of metrics of every part, then the curves of each."""
    parts = files.evaluated
    if not parts:
        missing = Notice("Nothing was evaluated: the run has no evaluation of labelled frames.")
        return Section("performance", "Performance", (missing, *_seeds(files.seeds)))
    blocks: list[Block] = [Prose(_how_measured(files)), _metrics(parts)]
    if all(part.name != Part.TEST for part in parts):
        blocks.append(Notice("No labelled test set was given."))
    blocks += [
        Notice(f"{part.title}: {note}", "warning") for part in parts for note in part.evaluation.get("notes") or []
    ]
    blocks += [*_seeds(files.seeds), *(_curves(part, files, writer) for part in parts)]
    return Section("performance", "Performance", tuple(blocks))


def _how_measured(files: RunFiles) -> str:
    first = files.evaluated[0].evaluation
    positive = first.get("positive_class", files.class_names[1])
    sentences = [
        f"All metrics refer to the positive class, “{positive}”.",
        f"Numbers in brackets are {float(first.get('confidence') or 0.95):.0%} confidence intervals.",
    ]
    if first.get("stratified", True):
        sentences.append("The intervals hold for the share of positive units found in these rows.")
    sentences += map(_unit_sentence, files.evaluated)
    if files.model.get("members") and any(part.name == Part.OOF for part in files.evaluated):
        sentences.append(
            "The out-of-fold rows are those of the fit part only; each was predicted by the one member of the "
            "ensemble trained without its group, so that part measures a single member, not the mean of all."
        )
    return " ".join(sentences)


def _unit_sentence(part: PartFiles) -> str:
    evaluation = part.evaluation
    units = f"{format_count(evaluation.get('n_units'))} units (unit: {evaluation.get('unit', 'not recorded')})"
    threshold = format_number(evaluation.get("threshold"))
    return (
        f"{part.title}: {units} were resampled for the intervals; a frame is called positive if its probability is at "
        f"least {threshold}."
    )


def _metrics(parts: tuple[PartFiles, ...]) -> Table:
    counts = [
        f"{format_count(part.evaluation.get('n'))} ({format_count(part.evaluation.get('n_positive'))})"
        for part in parts
    ]
    rows = [(label, *cells) for label, cells in metrics_table({part.name.value: part.evaluation for part in parts})]
    return Table(
        "Metrics with confidence intervals.",
        ("Metric", *(part.title for part in parts)),
        (("Frames (positive class)", *counts), *rows),
        sources=tuple(part.evaluation_file for part in parts),
        numeric=True,
    )


def _seeds(seeds: Json) -> Iterator[Block]:
    """The same training with other seeds: how much of a result is chance."""
    for part in seeds.get("parts", {}):
        header, *rows = seeds_table(seeds, part=part)
        yield Table(
            f"{Part(part).title}: {len(seeds['seeds'])} trainings on the same split with different seeds.",
            header,
            tuple(rows),
            sources=("evaluation/seeds.json", "evaluation/seeds.csv"),
            numeric=True,
            note=f"The reported model is that of seed {seeds['reported_seed']}; nothing was chosen among the seeds. "
            "The frames are the same: the spread is that of the training, not that between patients.",
        )


def _curves(part: PartFiles, files: RunFiles, writer: FigureWriter) -> Block:
    pictures = [
        *_roc(part, writer),
        *_precision_recall(part, writer),
        *_histogram(part, files.class_names, writer),
        *_confusion(part, files.class_names, writer),
    ]
    if not pictures:
        return Notice(f"{part.title}: the run has no curves.")
    return Gallery(tuple(pictures), title=part.title)


def _roc(part: PartFiles, writer: FigureWriter) -> Iterator[Picture]:
    curve = part.curves.get("roc")
    if not curve or not curve["true_positive_rate"]:
        return
    area, rates = format_interval(part.evaluation.get("auc")), _rates(part.evaluation)
    figure = figures.roc_curve(
        _array(curve["false_positive_rate"]),
        _array(curve["true_positive_rate"]),
        label=f"AUC {area}",
        operating_point=None if rates is None else (1 - rates["specificity"], rates["recall"]),
    )
    caption = f"{part.title}: ROC curve, AUC {area}."
    sources = (part.evaluation_file, part.curves_file)
    yield writer.vector(figure, name=f"{part.name}-roc", caption=caption, sources=sources)


def _precision_recall(part: PartFiles, writer: FigureWriter) -> Iterator[Picture]:
    curve, evaluation = part.curves.get("precision_recall"), part.evaluation
    if not curve or not curve["recall"]:
        return
    average, rates = format_interval(evaluation.get("average_precision")), _rates(evaluation)
    prevalence = evaluation["n_positive"] / evaluation["n"]
    figure = figures.precision_recall_curve(
        _array(curve["recall"]),
        _array(curve["precision"]),
        label=f"Average precision {average}",
        prevalence=prevalence,
        operating_point=(rates["recall"], rates["precision"]) if rates and rates["precision"] is not None else None,
    )
    caption = f"{part.title}: precision and recall, average precision {average}; the prevalence is {prevalence:.3f}."
    sources = (part.evaluation_file, part.curves_file)
    yield writer.vector(figure, name=f"{part.name}-precision-recall", caption=caption, sources=sources)


def _histogram(part: PartFiles, names: tuple[str, str], writer: FigureWriter) -> Iterator[Picture]:
    predictions = part.predictions
    if predictions is None or predictions["target"].isna().all():
        return
    negatives, positives = (
        predictions.loc[predictions["target"] == target, "probability"].to_numpy(np.float64) for target in (0, 1)
    )
    threshold = float(part.evaluation.get("threshold", 0.5))
    figure = figures.probability_histogram(negatives, positives, names=names, threshold=threshold)
    caption = f"{part.title}: predicted probability of “{names[1]}”, by class."
    yield writer.vector(figure, name=f"{part.name}-probabilities", caption=caption, sources=(part.predictions_file,))


def _confusion(part: PartFiles, names: tuple[str, str], writer: FigureWriter) -> Iterator[Picture]:
    counts = part.evaluation.get("confusion")
    if not counts:
        return
    tp, fp, tn, fn = (int(counts[key]) for key in ("tp", "fp", "tn", "fn"))
    caption = (
        f"{part.title}: of {counted(tp + fn, 'frame')} labelled “{names[1]}”, {tp:,} were predicted as such, and of "
        f"{counted(tn + fp, 'frame')} labelled “{names[0]}”, {tn:,}."
    )
    figure = figures.confusion_matrix(tp=tp, fp=fp, tn=tn, fn=fn, names=names)
    yield writer.vector(figure, name=f"{part.name}-confusion", caption=caption, sources=(part.evaluation_file,))


def _rates(evaluation: Json) -> dict[str, Any] | None:
    values = {key: (evaluation.get(key) or {}).get("value") for key in ("recall", "specificity", "precision")}
    return None if values["recall"] is None or values["specificity"] is None else values


def _array(values: Any) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
