"""Predictions to metrics, and the run to its report."""

from __future__ import annotations

from pathlib import Path

from sonoproof.evaluation.evaluate.evaluate import evaluate_run
from sonoproof.evaluation.evaluate.seeds import evaluate_seeds
from sonoproof.reporting.report import build_report
from sonoproof.reporting.wording.tables import PART_NAMES, metrics_latex
from sonoproof.runfolder import write_text
from sonoproof.stages.context import files_in
from sonoproof.stages.job import Job

__all__ = ["evaluate", "report"]


def evaluate(job: Job) -> list[Path]:
    """Predictions to metrics with intervals."""
    parts = [part for part in PART_NAMES if job.run.predictions(part).is_file()]
    evaluations = evaluate_run(job.run, parts=parts, config=job.config.evaluate)
    evaluate_seeds(
        job.run,
        seeds=job.config.fit.every_seed,
        parts=[part for part in ("val", "test") if part in evaluations],
        config=job.config.evaluate,
    )
    write_text(job.run.metrics.with_suffix(".tex"), metrics_latex(evaluations))
    return files_in(job.run.metrics.parent)


def report(job: Job) -> list[Path]:
    """The run folder to one page, and the checklists that it can fill."""
    page = build_report(job.run, config=job.config.report)
    return [page, *files_in(job.run.figures), *files_in(job.run.checklists)]
