"""The trainings of a run: into the run itself, for each fold, for each further seed, on shuffled labels."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.split.split import split_groups
from sonoproof.errors import ConfigError
from sonoproof.inference.predict import answer_rows
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_table, sha256_of_file, write_table
from sonoproof.stages.context import RunContext
from sonoproof.training.batches import Rows
from sonoproof.training.bundle import ModelBundle, load_bundle, save_bundle
from sonoproof.training.checkpoints import HISTORY_COLUMNS
from sonoproof.training.ensemble import Ensemble
from sonoproof.training.fit import fit
from sonoproof.training.job import Parts, TrainingJob
from sonoproof.training.model_spec import ModelSpec


def train(context: RunContext, table: pd.DataFrame, *, into: RunFolder) -> ModelBundle:
    """Train as the settings say: one network, or an ensemble of one network per fold.

    Args:
        context: The run that the rows are from.
        table: Records and split.
        into: The folder to write history and model to, and checkpoints or ``folds/``: the run's own, or one for a
            further training.

    Raises:
        ConfigError: An ensemble was asked for, and the split has no folds for one.
    """
    if context.config.fit.ensemble:
        return _train_ensemble(context, table, into=into)
    return _train_network(context, _training_parts(table, positive=context.classes.positive), into=into)


def train_folds(context: RunContext, table: pd.DataFrame, *, into: RunFolder) -> list[RunFolder]:
    """Train once for each fold on the rows of the others, and predict the fold.

    Args:
        context: The run that the rows are from.
        table: Records and split; rows without a fold have no part in it.
        into: The folder to write ``folds/`` to.

    Returns:
        The folder of each training, in the order of the folds.
    """
    table = table[table["fold"].notna()]
    begin_in(into.folds_folder, resume=context.resume)
    parts = fold_parts(table, config=context.config.split, positive=context.classes.positive)
    predictions = [
        _train_fold(context, of_fold, held_out=table[table["fold"] == fold], into=into.fold(fold)).assign(fold=fold)
        for fold, of_fold in enumerate(parts)
    ]
    write_table(into.out_of_fold, pd.concat(predictions, ignore_index=True), columns=PREDICTION_COLUMNS)
    return [into.fold(fold) for fold in range(len(parts))]


def begin_in(folder: Path, *, resume: bool) -> None:
    """Empty the folder of further trainings, unless they go on: a killed attempt may have left those of others."""
    if not resume and folder.is_dir():
        shutil.rmtree(folder)


def fold_parts(table: pd.DataFrame, *, config: SplitConfig, positive: str) -> list[Parts]:
    """The rows of each fold's training; whatever is chosen, by either recipe, is chosen on rows set aside from them.

    Args:
        table: Records and split, rows of a fold.
        config: How many folds, and the share that is set aside.
        positive: Name of the positive class.
    """
    rest = (table[table["fold"] != fold] for fold in range(config.folds))
    return [_parts_without_fold(rows, config=config, positive=positive) for rows in rest]


def _train_network(context: RunContext, parts: Parts, *, into: RunFolder) -> ModelBundle:
    records = sha256_of_file(context.run.records)
    job = TrainingJob(
        parts=parts,
        load=context.frames,
        load_features=context.features,
        spec=ModelSpec(context.classes, context.preprocessing, cohort_sha256=records),
        model=context.config.model,
        config=context.config.fit,
    )
    return fit(job, into, resume=context.resume, progress=context.progress)


def _train_fold(context: RunContext, parts: Parts, *, held_out: pd.DataFrame, into: RunFolder) -> pd.DataFrame:
    """Train without a fold and predict it; what was done before is read."""
    if not (context.resume and into.predictions("oof").is_file()):
        learned = len(parts.train) + len(parts.stop)
        context.say(f"fold {int(into.root.name) + 1}: {learned:,} frames to fit, {len(held_out):,} held out")
        bundle = _train_network(context, parts, into=into)
        found = answer_rows(held_out, spec=bundle.spec, scores=context.score(bundle, held_out))
        write_table(into.predictions("oof"), found, columns=PREDICTION_COLUMNS)
    return read_table(into.predictions("oof"), columns=PREDICTION_COLUMNS)


def _train_ensemble(context: RunContext, table: pd.DataFrame, *, into: RunFolder) -> ModelBundle:
    _check_folds(table)
    trainings = train_folds(context, table, into=into)
    members = [load_bundle(training.model) for training in trainings]
    folds = table[table["fold"].notna()]
    parts = fold_parts(folds, config=context.config.split, positive=context.classes.positive)
    bundle = replace(
        members[0],
        classifier=Ensemble([network for member in members for network in member.classifier.members]).eval(),
        training=_describe_members(members, parts=parts),
    )
    histories = [
        read_table(training.history, columns=HISTORY_COLUMNS).assign(fold=fold)
        for fold, training in enumerate(trainings)
    ]
    write_table(into.history, pd.concat(histories, ignore_index=True), columns=("fold", *HISTORY_COLUMNS))
    save_bundle(bundle, into.model)
    return bundle


def _check_folds(table: pd.DataFrame) -> None:
    """The folds must be those of the fit part: a member must not learn from a row that is reported on."""
    has_fold = table["fold"].notna()
    if not (has_fold == (table["part"] == "fit")).all():
        raise ConfigError(
            "fit.ensemble: the folds of this run are not those of the fit part alone, so the ensemble would learn from "
            "validation rows; split again with `sonoproof run ... --folds 5 --ensemble` into a new folder"
        )


def _describe_members(members: list[ModelBundle], *, parts: list[Parts]) -> dict[str, Any]:
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


def _training_parts(table: pd.DataFrame, *, positive: str) -> Parts:
    """The rows to learn from, to choose the checkpoint on, and to validate on."""
    fit_rows = table[table["part"] == "fit"]
    return Parts(
        train=Rows.from_records(fit_rows[fit_rows["use"] == "train"], positive=positive),
        stop=Rows.from_records(fit_rows[fit_rows["use"] == "stop"], positive=positive),
        val=Rows.from_records(table[table["part"] == "val"], positive=positive),
    )


def _parts_without_fold(rest: pd.DataFrame, *, config: SplitConfig, positive: str) -> Parts:
    aside = SplitConfig(val=config.stop or config.val, test=0.0, stop=0.0, folds=0, seed=config.effective_seed)
    parts = split_groups(rest.drop(columns=["part", "use", "fold"]), config=aside)
    chosen_on = rest["image_id"].isin(parts.loc[parts["part"] == "val", "image_id"])
    return Parts(
        train=Rows.from_records(rest[~chosen_on], positive=positive),
        stop=Rows.from_records(rest[chosen_on], positive=positive),
        val=Rows.from_records(rest[:0], positive=positive),
    )
