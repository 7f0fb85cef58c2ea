"""A training for each fold, on the rows of the other folds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.split import split_groups
from sonoproof.inference.predict import predict_records
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_table, write_table
from sonoproof.stages.job import Job
from sonoproof.stages.materials import class_names, frames_of, records_and_split, rows_of
from sonoproof.stages.training import train_into
from sonoproof.training.fit import Parts
from sonoproof.training.model import resolve_device

__all__ = ["begin_in", "cross_validate"]


def cross_validate(job: Job) -> list[Path]:
    """Every sheet row predicted by a model that saw nothing of its group: K trainings, kept under ``folds/``."""
    folds = job.config.split.folds
    if not folds:
        return []
    table = records_and_split(job.run)
    table = table[table["fold"].notna()]
    begin_in(job.run.out_of_fold.parent, resume=job.resume)
    predictions = pd.concat([_fold(job, table, fold=fold) for fold in range(folds)], ignore_index=True)
    write_table(job.run.out_of_fold, predictions, columns=PREDICTION_COLUMNS)
    return [job.run.out_of_fold]


def begin_in(folder: Path, *, resume: bool) -> None:
    """Empty the folder of further trainings, unless they go on: a killed attempt may have left those of others."""
    if not resume and folder.is_dir():
        shutil.rmtree(folder)


def _fold(job: Job, table: pd.DataFrame, *, fold: int) -> pd.DataFrame:
    run = RunFolder(job.run.root / "folds" / str(fold))
    held_out, rest = table[table["fold"] == fold], table[table["fold"] != fold]
    if not (job.resume and run.predictions("oof").is_file()):
        job.say(f"fold {fold + 1}: {len(rest):,} frames to fit, {len(held_out):,} held out")
        parts = _fold_parts(rest, config=job.config.split, positive=class_names(job.run).positive)
        bundle, (load, _) = train_into(run, job=job, parts=parts), frames_of(job)
        device = resolve_device(job.config.model.device)
        found = predict_records(bundle, records=held_out, load=load, device=device)
        write_table(run.predictions("oof"), found.assign(fold=fold), columns=PREDICTION_COLUMNS)
    return read_table(run.predictions("oof"), columns=PREDICTION_COLUMNS)


def _fold_parts(rest: pd.DataFrame, *, config: SplitConfig, positive: str) -> Parts:
    """The rows of a fold's training; whatever is chosen, by either recipe, is chosen on rows set aside from them."""
    aside = SplitConfig(val=config.stop or config.val, test=0.0, stop=0.0, folds=0, seed=config.seed)
    parts = split_groups(rest.drop(columns=["part", "use", "fold"]), config=aside)
    chosen_on = rest["image_id"].isin(parts.loc[parts["part"] == "val", "image_id"])
    stop = rows_of(rest[chosen_on], positive=positive)
    return Parts(train=rows_of(rest[~chosen_on], positive=positive), stop=stop, val=stop)
