"""Records to a split, a model and predictions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sonoproof.config import SplitConfig
from sonoproof.data.leakage import check_no_leak
from sonoproof.data.split import split_groups
from sonoproof.inference.answers import write_answers
from sonoproof.inference.predict import answer_rows, predict_records, score_frames
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
from sonoproof.training.bundle import load_bundle
from sonoproof.training.fit import Parts, fit
from sonoproof.training.model import resolve_device

__all__ = ["WITHOUT_TWINS", "cross_validate", "predict", "split", "train", "training_parts"]

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
    table = records_and_split(job.run)
    classes = class_names(job.run)
    load, preprocessing = frames_of(job)
    bundle = fit(
        job.run,
        parts=training_parts(table, positive=classes.positive),
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
    job.say(f"weights: {bundle.classifier.architecture.origin}; kept epoch {bundle.training['epoch_chosen']}")
    return [job.run.history, *files_in(job.run.model)]


def predict(job: Job) -> list[Path]:
    """Model and frames to a table of predictions for each part that is reported on."""
    table = records_and_split(job.run)
    load, _ = frames_of(job)
    bundle, device = load_bundle(job.run.model), resolve_device(job.config.model.device)
    written = []
    for part, rows in _reported(table).items():
        scores = score_frames(bundle, image_ids=list(rows["image_id"]), load=load, device=device, progress=job.progress)
        if is_crosswise(job.run, part):
            predictions = crosswise(job, rows.drop(columns="fold"), bundle=bundle, scores=scores)
        else:
            predictions = answer_rows(rows, bundle=bundle, scores=scores)
        written += _write_predictions(job.run, part, predictions, rows)
        if part == "test" and "test_twin" in rows and (rows["test_twin"] == "yes").any():
            alone = (rows["test_twin"] != "yes").to_numpy()
            written += _write_predictions(job.run, WITHOUT_TWINS, predictions[alone], rows[alone])
    if job.config.split.folds and job.run.out_of_fold.is_file():
        write_table(job.run.predictions("oof"), out_of_fold(job), columns=PREDICTION_COLUMNS)
        written.append(job.run.predictions("oof"))
    return written


def training_parts(table: pd.DataFrame, *, positive: str) -> Parts:
    """The rows to learn from, to choose the checkpoint on, and to validate on."""
    fit_rows = table[table["part"] == "fit"]
    return Parts(
        train=rows_of(fit_rows[fit_rows["use"] == "train"], positive=positive),
        stop=rows_of(fit_rows[fit_rows["use"] == "stop"], positive=positive),
        val=rows_of(table[table["part"] == "val"], positive=positive),
    )


def _reported(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
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
    predictions = pd.concat([_fold(job, table, fold=fold) for fold in range(folds)], ignore_index=True)
    write_table(job.run.out_of_fold, predictions, columns=PREDICTION_COLUMNS)
    return [job.run.out_of_fold]


def _fold(job: Job, table: pd.DataFrame, *, fold: int) -> pd.DataFrame:
    run = RunFolder(job.run.root / "folds" / str(fold))
    held_out, rest = table[table["fold"] == fold], table[table["fold"] != fold]
    if not (job.resume and run.predictions("oof").is_file()):
        job.say(f"fold {fold + 1}: {len(rest):,} frames to fit, {len(held_out):,} held out")
        load, preprocessing = frames_of(job)
        bundle = fit(
            run,
            parts=_fold_parts(rest, config=job.config.split, positive=class_names(job.run).positive),
            load=load,
            load_features=features_of(job, load, preprocessing),
            preprocessing=preprocessing,
            classes=(class_names(job.run).negative, class_names(job.run).positive),
            cohort_sha256=sha256_of_file(job.run.records),
            model=job.config.model,
            config=job.config.fit,
            resume=job.resume,
            progress=job.progress,
        )
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
