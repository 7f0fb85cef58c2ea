"""Records to a split, a model and predictions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.leakage import check_no_leak
from sonoproof.data.split import split_groups
from sonoproof.inference.answers import write_answers
from sonoproof.inference.predict import Scores, answer_rows, predict_records, score_frames
from sonoproof.reporting.challenge_sheet import write_challenge_sheet
from sonoproof.runfolder import (
    PREDICTION_COLUMNS,
    RECORD_COLUMNS,
    SPLIT_COLUMNS,
    RunFolder,
    read_table,
    sha256_of_file,
    write_table,
)
from sonoproof.stages.decision import crosswise, is_crosswise, out_of_fold
from sonoproof.stages.job import Job
from sonoproof.stages.materials import (
    class_names,
    features_of,
    files_in,
    frames_of,
    group_columns,
    records_and_split,
    rows_of,
)
from sonoproof.training.bundle import ModelBundle, load_bundle
from sonoproof.training.fit import Parts, fit
from sonoproof.training.model import resolve_device

__all__ = [
    "WITHOUT_TWINS",
    "answered",
    "begin_in",
    "cross_validate",
    "predict",
    "reported_parts",
    "split",
    "train",
    "train_into",
    "training_parts",
]

# The part of the test rows that have no look-alike in the sheet, where some have one.
WITHOUT_TWINS = "test_without_twins"


def split(job: Job) -> list[Path]:
    """Records to parts, whole groups only; a leak is an error."""
    records = read_table(job.run.records, columns=RECORD_COLUMNS)
    parts = split_groups(records, config=job.config.split)
    check_no_leak(parts, records, columns=group_columns(job.run))
    write_table(job.run.split, parts, columns=SPLIT_COLUMNS)
    for part, rows in parts.groupby("part", sort=False):
        job.say(f"{part}: {len(rows):,} frames of {rows['group'].nunique():,} groups")
    return [job.run.split]


def train(job: Job) -> list[Path]:
    """Records, split and frames to a model."""
    parts = training_parts(records_and_split(job.run), positive=class_names(job.run).positive)
    bundle = train_into(job.run, job=job, parts=parts)
    job.say(f"weights: {bundle.classifier.architecture.origin}; kept epoch {bundle.training['epoch_chosen']}")
    return [job.run.history, *files_in(job.run.model)]


def train_into(run: RunFolder, *, job: Job, parts: Parts) -> ModelBundle:
    """Train on rows of a run, into this folder: the run's own or one for a further training.

    Args:
        run: The folder to write history, checkpoints and model to.
        job: The job of the run that the rows are from.
        parts: The rows.
    """
    classes = class_names(job.run)
    load, preprocessing = frames_of(job)
    return fit(
        run,
        parts=parts,
        load=load,
        load_features=features_of(job, load, preprocessing),
        preprocessing=preprocessing,
        classes=(classes.negative, classes.positive),
        cohort_sha256=sha256_of_file(job.run.records),
        model=job.config.model,
        config=job.config.fit,
        resume=job.resume,
        progress=job.progress,
    )


def predict(job: Job) -> list[Path]:
    """Model and frames to a table of predictions for each part that is reported on."""
    table = records_and_split(job.run)
    load, _ = frames_of(job)
    bundle, device = load_bundle(job.run.model), resolve_device(job.config.model.device)
    written = []
    for part, rows in reported_parts(table).items():
        scores = score_frames(bundle, image_ids=list(rows["image_id"]), load=load, device=device, progress=job.progress)
        predictions = answered(job.run, part, rows, job=job, bundle=bundle, scores=scores)
        written += _write_predictions(job.run, part, predictions, rows)
        if part == "test" and "test_twin" in rows and (rows["test_twin"] == "yes").any():
            alone = (rows["test_twin"] != "yes").to_numpy()
            written += _write_predictions(job.run, WITHOUT_TWINS, predictions[alone], rows[alone])
    if job.config.split.folds and job.run.out_of_fold.is_file():
        write_table(job.run.predictions("oof"), out_of_fold(job), columns=PREDICTION_COLUMNS)
        written.append(job.run.predictions("oof"))
    return written


def answered(
    run: RunFolder, part: str, rows: pd.DataFrame, *, job: Job, bundle: ModelBundle, scores: Scores
) -> pd.DataFrame:
    """The prediction table of a part; rows that were chosen on are decided crosswise.

    Args:
        run: The folder that holds the model and its decision.
        part: Name of the part.
        rows: Its records.
        job: The job.
        bundle: The model.
        scores: What the network says of the rows.
    """
    if is_crosswise(run, part):
        return crosswise(job, rows.drop(columns="fold"), bundle=bundle, scores=scores)
    return answer_rows(rows, bundle=bundle, scores=scores)


def training_parts(table: pd.DataFrame, *, positive: str) -> Parts:
    """The rows to learn from, to choose the checkpoint on, and to validate on."""
    fit_rows = table[table["part"] == "fit"]
    return Parts(
        train=rows_of(fit_rows[fit_rows["use"] == "train"], positive=positive),
        stop=rows_of(fit_rows[fit_rows["use"] == "stop"], positive=positive),
        val=rows_of(table[table["part"] == "val"], positive=positive),
    )


def reported_parts(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each part that the saved model is reported on."""
    parts = {part: table[table["part"] == part] for part in ("val", "test")}
    return {part: rows for part, rows in parts.items() if len(rows)}


def _write_predictions(run: RunFolder, part: str, predictions: pd.DataFrame, rows: pd.DataFrame) -> list[Path]:
    path = run.predictions(part)
    write_table(path, predictions, columns=PREDICTION_COLUMNS)
    write_answers(predictions, path.with_suffix(".xlsx"))
    written = [path, path.with_suffix(".xlsx")]
    if part == "test" and (rows["origin"] == "test").any():
        challenge = path.with_name("challenge.xlsx")
        write_challenge_sheet(challenge, predictions)
        written.append(challenge)
    return written


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
