"""The training repeated with further seeds on the same split: how much of a figure is the luck of the draw.

Nothing is chosen among the seeds. The model that is saved and reported is that of the first.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sonoproof.runfolder import PREDICTION_COLUMNS, files_in, write_table
from sonoproof.stages.calibrate import decide
from sonoproof.stages.context import RunContext
from sonoproof.stages.predict import predict_part
from sonoproof.stages.trainings import begin_in, train
from sonoproof.training.bundle import save_decision


def repeat_with_seeds(context: RunContext) -> list[Path]:
    """Training, calibration and predictions again with each further seed, kept under ``seeds/``."""
    begin_in(context.run.seeds_folder, resume=context.resume)
    return [path for seed in context.config.fit.every_seed[1:] for path in _repeat(context, seed=seed)]


def _repeat(context: RunContext, *, seed: int) -> list[Path]:
    run, parts = context.run.with_seed(seed), context.reported_records
    if not (context.resume and all(run.predictions(part).is_file() for part in parts)):
        context.say(f"seed {seed}")
        fit = replace(context.config.fit, seed=seed)
        _train_and_predict(replace(context, config=replace(context.config, fit=fit)))
    return [run.history, *files_in(run.model), *(run.predictions(part) for part in parts)]


def _train_and_predict(context: RunContext) -> None:
    """As the stages fit, calibrate and predict do it, with the seed of the settings."""
    run = context.run.with_seed(context.config.fit.effective_seed)
    bundle = train(context, context.split_records, into=run)
    decision, facts = decide(context, bundle)
    save_decision(decision, run.model, facts=facts)
    bundle = replace(bundle, spec=replace(bundle.spec, decision=decision))
    for part, rows in context.reported_records.items():
        predictions = predict_part(context, part, rows, bundle=bundle, run=run)
        write_table(run.predictions(part), predictions, columns=PREDICTION_COLUMNS)
