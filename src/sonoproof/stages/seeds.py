"""The training repeated with further seeds on the same split: how much of a figure is the luck of the draw.

Nothing is chosen among the seeds. The model that is saved and reported is that of the first.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from sonoproof.inference.predict import score_frames
from sonoproof.runfolder import PREDICTION_COLUMNS, write_table
from sonoproof.stages.calibrate import decide
from sonoproof.stages.context import files_in, frames_of, records_and_split
from sonoproof.stages.cross_validate import begin_in
from sonoproof.stages.fit import learn
from sonoproof.stages.job import Job
from sonoproof.stages.predict import answered, reported_parts
from sonoproof.training.bundle import save_decision
from sonoproof.training.model import resolve_device

__all__ = ["repeat_with_seeds"]


def repeat_with_seeds(job: Job) -> list[Path]:
    """Training, calibration and predictions again with each further seed, kept under ``seeds/``."""
    seeds = job.config.fit.every_seed[1:]
    begin_in(job.run.with_seed(0).root.parent, resume=job.resume)
    table = records_and_split(job.run)
    return [path for seed in seeds for path in _repeat(job, table, seed=seed)]


def _repeat(job: Job, table: pd.DataFrame, *, seed: int) -> list[Path]:
    run, parts = job.run.with_seed(seed), reported_parts(table)
    if not (job.resume and all(run.predictions(part).is_file() for part in parts)):
        job.say(f"seed {seed}")
        seeded = replace(job, config=replace(job.config, fit=replace(job.config.fit, seed=seed)))
        _train_and_predict(seeded, table, parts=parts)
    return [run.history, *files_in(run.model), *(run.predictions(part) for part in parts)]


def _train_and_predict(job: Job, table: pd.DataFrame, *, parts: dict[str, pd.DataFrame]) -> None:
    """As the stages fit, calibrate and predict do it, with the seed of the job's settings."""
    run = job.run.with_seed(job.config.fit.seed)
    bundle = learn(run, job=job, table=table)
    (load, _), device = frames_of(job), resolve_device(job.config.model.device)
    decision, facts = decide(job, table, bundle=bundle, load=load)
    save_decision(decision, run.model, facts=facts)
    bundle = replace(bundle, decision=decision)
    for part, rows in parts.items():
        scores = score_frames(bundle, image_ids=list(rows["image_id"]), load=load, device=device, progress=job.progress)
        predictions = answered(run, part, rows, job=job, bundle=bundle, scores=scores)
        write_table(run.predictions(part), predictions, columns=PREDICTION_COLUMNS)
