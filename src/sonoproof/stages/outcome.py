"""Predictions to metrics, explanations and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sonoproof.evaluation.evaluate import evaluate_run
from sonoproof.explanation.explain import Classes, explain_part
from sonoproof.explanation.survey import REGION_WORDS, survey_part
from sonoproof.reporting.explanation_figure import draw_explanations
from sonoproof.reporting.report import build_report
from sonoproof.reporting.tables import PART_NAMES
from sonoproof.runfolder import PREDICTION_COLUMNS, read_table, write_json
from sonoproof.stages.job import Job
from sonoproof.stages.materials import files_in, frames_of, masks_of, records_and_split
from sonoproof.training.batches import LoadFrames
from sonoproof.training.bundle import load_bundle

__all__ = ["evaluate", "explain", "report"]

REFERENCES = 8


def evaluate(job: Job) -> list[Path]:
    """Predictions to metrics with intervals."""
    parts = [part for part in PART_NAMES if job.run.predictions(part).is_file()]
    threshold = load_bundle(job.run.model).operating_point.threshold
    evaluate_run(job.run, parts=parts, config=job.config.evaluate, threshold=threshold)
    return files_in(job.run.metrics.parent)


def explain(job: Job) -> list[Path]:
    """Model and predictions to explained frames and their figures."""
    load, _ = frames_of(job)
    bundle = load_bundle(job.run.model)
    parts = [part for part in ("val", "test") if job.run.predictions(part).is_file()]
    for part in parts:
        predictions = read_table(job.run.predictions(part), columns=PREDICTION_COLUMNS)
        folder, masks = job.run.explanations(part), masks_of(job)
        survey = survey_part(
            predictions,
            part=part,
            load=load,
            model=bundle.classifier,
            positive=bundle.positive,
            frames=job.config.explain.survey,
            confidence=job.config.evaluate.confidence,
            masks=masks,
        )
        write_json(folder / "survey.json", survey, schema="survey")
        for region in survey["looks_at"]:
            job.say(f"warning: {part}: the model looks at {REGION_WORDS[region]}")
        explain_part(
            predictions,
            part=part,
            load=load,
            model=bundle.classifier,
            classes=Classes(negative=bundle.negative, positive=bundle.positive),
            config=job.config.explain,
            out=folder,
            references=_references(job, load),
            masks=masks,
            progress=job.progress,
        )
    folders = [job.run.explanations(part) for part in parts]
    draw_explanations(*folders, dpi=job.config.explain.dpi, progress=job.progress)
    return [path for folder in folders for path in files_in(folder)]


def report(job: Job) -> list[Path]:
    """The run folder to one page, and the checklists that it can fill."""
    page = build_report(job.run, config=job.config.report)
    return [page, *files_in(job.run.figures), *files_in(job.run.checklists)]


def _references(job: Job, load: LoadFrames) -> npt.NDArray[np.uint8] | None:
    """Frames of the fit part that the baseline ``references`` is averaged over."""
    if "references" not in job.config.explain.baselines:
        return None
    table = records_and_split(job.run)
    known = sorted(table.loc[table["part"] == "fit", "image_id"])
    return load(known[:: max(1, len(known) // REFERENCES)][:REFERENCES])
