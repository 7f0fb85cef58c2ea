"""A training for each fold, on the rows of the other folds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.split.split import split_groups
from sonoproof.inference.predict import predict_records
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_table, write_table
from sonoproof.stages.context import class_names, frames_of, records_and_split, rows_of
from sonoproof.stages.job import Job
from sonoproof.stages.training import train_into
from sonoproof.training.fit import Parts
from sonoproof.training.model import resolve_device

__all__ = ["begin_in", "cross_validate", "parts_of_folds", "train_folds"]


def cross_validate(job: Job) -> list[Path]:
    """Every sheet row predicted by a model that saw nothing of its group: K trainings, kept under ``folds/``."""
    if not job.config.split.folds:
        return []
    train_folds(job.run, job=job, table=records_and_split(job.run))
    return [job.run.out_of_fold]


def train_folds(run: RunFolder, *, job: Job, table: pd.DataFrame) -> list[RunFolder]:
    """Train once for each fold on the rows of the others, and predict the fold.

    Args:
        run: The folder to write ``folds/`` to: the run's own or one for a further training.
        job: The job of the run that the rows are from.
        table: Records and split; rows without a fold have no part in it.

    Returns:
        The folder of each training, in the order of the folds.
    """
    table = table[table["fold"].notna()]
    begin_in(run.out_of_fold.parent, resume=job.resume)
    parts = parts_of_folds(table, config=job.config.split, positive=class_names(job.run).positive)
    found = [
        _fold(run.fold(fold), job=job, parts=of_fold, held_out=table[table["fold"] == fold])
        for fold, of_fold in enumerate(parts)
    ]
    predictions = pd.concat([rows.assign(fold=fold) for fold, rows in enumerate(found)], ignore_index=True)
    write_table(run.out_of_fold, predictions, columns=PREDICTION_COLUMNS)
    return [run.fold(fold) for fold in range(len(parts))]


def parts_of_folds(table: pd.DataFrame, *, config: SplitConfig, positive: str) -> list[Parts]:
    """The rows of each fold's training; whatever is chosen, by either recipe, is chosen on rows set aside from them.

    Args:
        table: Records and split, rows of a fold.
        config: How many folds, and the share that is set aside.
        positive: Name of the positive class.
    """
    return [_parts(table[table["fold"] != fold], config=config, positive=positive) for fold in range(config.folds)]


def begin_in(folder: Path, *, resume: bool) -> None:
    """Empty the folder of further trainings, unless they go on: a killed attempt may have left those of others."""
    if not resume and folder.is_dir():
        shutil.rmtree(folder)


def _fold(run: RunFolder, *, job: Job, parts: Parts, held_out: pd.DataFrame) -> pd.DataFrame:
    """Train without a fold and predict it; what was done before is read."""
    if not (job.resume and run.predictions("oof").is_file()):
        learned = len(parts.train) + len(parts.stop)
        job.say(f"fold {int(run.root.name) + 1}: {learned:,} frames to fit, {len(held_out):,} held out")
        bundle, (load, _) = train_into(run, job=job, parts=parts), frames_of(job)
        device = resolve_device(job.config.model.device)
        found = predict_records(bundle, records=held_out, load=load, device=device)
        write_table(run.predictions("oof"), found, columns=PREDICTION_COLUMNS)
    return read_table(run.predictions("oof"), columns=PREDICTION_COLUMNS)


def _parts(rest: pd.DataFrame, *, config: SplitConfig, positive: str) -> Parts:
    aside = SplitConfig(val=config.stop or config.val, test=0.0, stop=0.0, folds=0, seed=config.seed)
    parts = split_groups(rest.drop(columns=["part", "use", "fold"]), config=aside)
    chosen_on = rest["image_id"].isin(parts.loc[parts["part"] == "val", "image_id"])
    return Parts(
        train=rows_of(rest[~chosen_on], positive=positive),
        stop=rows_of(rest[chosen_on], positive=positive),
        val=rows_of(rest[:0], positive=positive),
    )
