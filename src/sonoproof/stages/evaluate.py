"""Predictions to metrics with intervals."""

from __future__ import annotations

from pathlib import Path

from sonoproof.evaluation.evaluate.evaluate import evaluate_run
from sonoproof.evaluation.evaluate.seeds import evaluate_seeds
from sonoproof.parts import REPORTED, Part
from sonoproof.reporting.wording.tables import metrics_latex
from sonoproof.runfolder import files_in, write_text
from sonoproof.stages.context import RunContext


def evaluate(context: RunContext) -> list[Path]:
    """Predictions to metrics with intervals, for each part that was predicted."""
    run, config = context.run, context.config
    evaluations = evaluate_run(
        run, parts=[part for part in Part if run.predictions(part).is_file()], config=config.evaluate
    )
    reported = [part for part in REPORTED if part in evaluations]
    evaluate_seeds(run, seeds=config.fit.every_seed, parts=reported, config=config.evaluate)
    write_text(run.metrics.with_suffix(".tex"), metrics_latex(evaluations))
    return files_in(run.metrics.parent)
