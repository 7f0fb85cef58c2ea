"""Records, split and frames to the saved model: one network, or an ensemble of one network a fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.errors import ConfigError
from sonoproof.runfolder import RunFolder, read_table, write_table
from sonoproof.stages.context import class_names, files_in, records_and_split
from sonoproof.stages.cross_validate import parts_of_folds, train_folds
from sonoproof.stages.job import Job
from sonoproof.stages.training import train_into, training_parts
from sonoproof.training.bundle import ModelBundle, load_bundle, save_bundle
from sonoproof.training.checkpoints import HISTORY_COLUMNS
from sonoproof.training.ensemble import Ensemble
from sonoproof.training.fit import Parts

__all__ = ["learn", "train"]


def train(job: Job) -> list[Path]:
    """Records, split and frames to a model."""
    bundle = learn(job.run, job=job, table=records_and_split(job.run))
    said = f"weights: {bundle.classifier.architecture.origin}; kept epoch"
    if not job.config.fit.ensemble:
        job.say(f"{said} {bundle.training['epoch_chosen']}")
        return [job.run.history, *files_in(job.run.model)]
    kept = ", ".join(map(str, bundle.training["epoch_chosen"]))
    job.say(f"{said} {kept}; the model is the mean of {len(bundle.classifier.members)} members")
    return [job.run.history, job.run.out_of_fold, *files_in(job.run.model)]


def learn(run: RunFolder, *, job: Job, table: pd.DataFrame) -> ModelBundle:
    """Train as the settings say, into this folder: the run's own or one for a further training.

    Args:
        run: The folder to write history and model to, and checkpoints or ``folds/``.
        job: The job of the run that the rows are from.
        table: Records and split.

    Raises:
        ConfigError: An ensemble was asked for, and the split has no folds for one.
    """
    positive = class_names(job.run).positive
    if not job.config.fit.ensemble:
        return train_into(run, job=job, parts=training_parts(table, positive=positive))
    _check_folds(table)
    trainings = train_folds(run, job=job, table=table)
    members = [load_bundle(training.model) for training in trainings]
    parts = parts_of_folds(table[table["fold"].notna()], config=job.config.split, positive=positive)
    bundle = replace(
        members[0],
        classifier=Ensemble([network for member in members for network in member.classifier.members]).eval(),
        training=_how_trained(members, parts=parts),
    )
    histories = [
        read_table(training.history, columns=HISTORY_COLUMNS).assign(fold=fold)
        for fold, training in enumerate(trainings)
    ]
    write_table(run.history, pd.concat(histories, ignore_index=True), columns=("fold", *HISTORY_COLUMNS))
    save_bundle(bundle, run.model)
    return bundle


def _check_folds(table: pd.DataFrame) -> None:
    """The folds must be those of the fit part: a member must not learn from a row that is reported on."""
    fold_of = table["fold"].notna()
    if not (fold_of == (table["part"] == "fit")).all():
        raise ConfigError(
            "fit.ensemble: the folds of this run are not those of the fit part alone, so validation rows would be "
            "learned from; split anew with `sonoproof run ... --folds 5 --ensemble` into a new folder"
        )


def _how_trained(members: list[ModelBundle], *, parts: list[Parts]) -> dict[str, Any]:
    """What the members have in common, the epoch that each of them kept, and the rows that each learned from."""
    rows = [
        {
            "fold": fold,
            "train_frames": len(of_fold.train),
            "train_groups": len(set(of_fold.train.groups)),
            "stop_frames": len(of_fold.stop),
            "stop_groups": len(set(of_fold.stop.groups)),
        }
        for fold, of_fold in enumerate(parts)
    ]
    epochs = [member.training["epoch_chosen"] for member in members]
    return {**members[0].training, "epoch_chosen": epochs, "members": rows}
