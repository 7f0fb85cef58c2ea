"""The stages of a run. Each reads from the run folder, does one thing through one room, and writes to the folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.config import Config
from sonoproof.data.cohort import ClassNames, Cohort, build_cohort, cohort_of_folder
from sonoproof.data.description import describe_cohort
from sonoproof.data.frames import read_frames_facts
from sonoproof.data.grouping import assign_groups
from sonoproof.data.leakage import check_no_leak
from sonoproof.data.preprocessing import Preprocessing
from sonoproof.data.split import split_groups
from sonoproof.data.store import FrameStore, open_store
from sonoproof.errors import CohortError
from sonoproof.evaluation.evaluate import evaluate_run
from sonoproof.explanation.explain import Classes, explain_part
from sonoproof.inference.answers import write_answers
from sonoproof.inference.predict import predict_records
from sonoproof.manifest import fingerprint
from sonoproof.reporting.challenge_sheet import write_challenge_sheet
from sonoproof.reporting.explanation_figure import draw_explanations
from sonoproof.reporting.report import build_report
from sonoproof.runfolder import (
    PREDICTION_COLUMNS,
    QUARANTINE_COLUMNS,
    RECORD_COLUMNS,
    SPLIT_COLUMNS,
    RunFolder,
    read_json,
    read_table,
    sha256_of_file,
    write_json,
    write_table,
)
from sonoproof.training.batches import LoadFrames, Rows
from sonoproof.training.bundle import load_bundle
from sonoproof.training.features import cached_features
from sonoproof.training.fit import LoadFeatures, Parts, fit
from sonoproof.training.model import backbone_image_size, load_backbone, resolve_device

__all__ = ["Inputs", "Job", "audit", "evaluate", "explain", "predict", "report", "split", "train"]


@dataclass(frozen=True)
class Inputs:
    """What a user gives.

    Attributes:
        sheet: The label sheet.
        images: Folder with its images.
        test_images: Folder with test images, or None.
        test_sheet: Sheet that labels them, or None.
    """

    sheet: Path
    images: Path
    test_images: Path | None = None
    test_sheet: Path | None = None


@dataclass(frozen=True)
class Job:
    """What every stage is given.

    Attributes:
        run: The run folder.
        config: The settings.
        inputs: What the user gave; None where a single stage is run again from the folder.
        say: Takes a line for the reader of the terminal.
        progress: Told what is done and what there is to do.
        resume: Whether the stage may go on from where an earlier attempt was killed.
    """

    run: RunFolder
    config: Config
    inputs: Inputs | None
    say: Callable[[str], None]
    progress: Callable[[int, int], None]
    resume: bool = False


def audit(job: Job) -> list[Path]:
    """Sheet and folder to records, quarantine and groups: every row is used or says why it is not."""
    assert job.inputs is not None
    cohort = build_cohort(job.inputs.sheet, images=job.inputs.images, config=job.config.sheet)
    cohorts = [cohort]
    if job.inputs.test_images is not None:
        cohorts.append(_test_cohort(job, cohort.classes))
    for line in describe_cohort(cohort):
        job.say(line)
    records, quarantine = _read_frames(job, cohorts)
    columns = cohort.group_columns
    records["source"] = ""
    records["group"] = assign_groups(records, columns=columns)
    _say_accounts(job, cohorts, records=records, quarantine=quarantine)
    write_table(job.run.records, records, columns=RECORD_COLUMNS)
    write_table(job.run.quarantine, quarantine, columns=QUARANTINE_COLUMNS)
    write_json(job.run.cohort, _cohort_facts(cohorts, records, quarantine), schema="cohort")
    return [job.run.records, job.run.quarantine, job.run.cohort]


def split(job: Job) -> list[Path]:
    """Records to parts, whole groups only; a leak is an error."""
    records = read_table(job.run.records, columns=RECORD_COLUMNS)
    parts = split_groups(records, config=job.config.split)
    check_no_leak(parts, records, columns=_group_columns(job.run))
    write_table(job.run.split, parts, columns=SPLIT_COLUMNS)
    for part, rows in parts.groupby("part", sort=False):
        job.say(f"{part}: {len(rows):,} frames of {rows['group'].nunique():,} groups")
    return [job.run.split]


def train(job: Job) -> list[Path]:
    """Records, split and frames to a model."""
    table = _records_and_split(job.run)
    classes = _classes(job.run)
    load, preprocessing = _frames(job)
    bundle = fit(
        job.run,
        parts=_parts(table, positive=classes.positive),
        load=load,
        load_features=_features(job, load, preprocessing),
        preprocessing=preprocessing,
        classes=(classes.negative, classes.positive),
        cohort_sha256=sha256_of_file(job.run.records),
        model=job.config.model,
        config=job.config.fit,
        threshold=job.config.evaluate.threshold,
        resume=job.resume,
        progress=job.progress,
    )
    job.say(f"weights: {bundle.classifier.architecture.origin}; kept epoch {bundle.training['epoch_chosen']}")
    return [job.run.history, *_files(job.run.model)]


def predict(job: Job) -> list[Path]:
    """Model and frames to a table of predictions for each part that is reported on."""
    table = _records_and_split(job.run)
    load, _ = _frames(job)
    bundle, device = load_bundle(job.run.model), resolve_device(job.config.model.device)
    written = []
    for part, rows in _reported(table).items():
        predictions = predict_records(bundle, records=rows, load=load, device=device, progress=job.progress)
        written += _write_predictions(job.run, part, predictions, rows)
    return written


def evaluate(job: Job) -> list[Path]:
    """Predictions to metrics with intervals."""
    parts = [part for part in ("val", "test") if job.run.predictions(part).is_file()]
    threshold = load_bundle(job.run.model).operating_point.threshold
    evaluate_run(job.run, parts=parts, config=job.config.evaluate, threshold=threshold)
    return _files(job.run.metrics.parent)


def explain(job: Job) -> list[Path]:
    """Model and predictions to explained frames and their figures."""
    load, _ = _frames(job)
    bundle = load_bundle(job.run.model)
    written = []
    for part in ("val", "test"):
        if not job.run.predictions(part).is_file():
            continue
        predictions = read_table(job.run.predictions(part), columns=PREDICTION_COLUMNS)
        folder = job.run.explanations(part)
        explain_part(
            predictions,
            part=part,
            load=load,
            model=bundle.classifier,
            classes=Classes(negative=bundle.negative, positive=bundle.positive),
            config=job.config.explain,
            out=folder,
            progress=job.progress,
        )
        draw_explanations(folder, dpi=job.config.explain.dpi, progress=job.progress)
        written += _files(folder)
    return written


def report(job: Job) -> list[Path]:
    """The run folder to one page."""
    page = build_report(job.run, config=job.config.report)
    return [page, *_files(job.run.figures)]


def _test_cohort(job: Job, classes: ClassNames) -> Cohort:
    assert job.inputs is not None
    assert job.inputs.test_images is not None
    return cohort_of_folder(
        job.inputs.test_images, sheet=job.inputs.test_sheet, config=job.config.sheet, classes=classes
    )


def _read_frames(job: Job, cohorts: Sequence[Cohort]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every frame once, into the store; those that cannot be decoded join the quarantine."""
    wanted = pd.concat([cohort.records for cohort in cohorts], ignore_index=True).fillna("")
    with _store(job).writer() as store:
        records, unreadable = read_frames_facts(
            wanted, config=job.config.frames, progress=job.progress, decoded=store.add
        )
    quarantined = [cohort.quarantine for cohort in cohorts if len(cohort.quarantine)]
    quarantine = pd.concat([*quarantined, unreadable], ignore_index=True) if quarantined else unreadable
    return records.reset_index(drop=True), quarantine


def _say_accounts(job: Job, cohorts: Sequence[Cohort], *, records: pd.DataFrame, quarantine: pd.DataFrame) -> None:
    read = sum(cohort.rows_read for cohort in cohorts)
    if read != len(records) + len(quarantine):
        raise CohortError(
            f"{read} rows were read, but {len(records)} are used and {len(quarantine)} quarantined; please report this"
        )
    job.say(f"rows read {read:,} = used {len(records):,} + quarantined {len(quarantine):,}")


def _cohort_facts(cohorts: Sequence[Cohort], records: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    first = cohorts[0]
    facts: dict[str, Any] = {
        "classes": {"negative": first.classes.negative, "positive": first.classes.positive},
        "group_columns": list(first.group_columns),
    }
    for origin, cohort in zip(("sheet", "test"), cohorts, strict=False):
        facts[origin] = {
            "rows_read": cohort.rows_read,
            "rows_used": int((records["origin"] == origin).sum()),
            "rows_quarantined": int((quarantine["origin"] == origin).sum()),
            "inferred": cohort.inferred,
        }
    totals = {key: sum(facts[o][key] for o in ("sheet", "test") if o in facts) for key in _COUNTS}
    return {**totals, **facts, "inferred": first.inferred}


_COUNTS = ("rows_read", "rows_used", "rows_quarantined")


def _preprocessing(job: Job) -> Preprocessing:
    size = job.config.frames.size or backbone_image_size(job.config.model)
    return Preprocessing(size=size, aspect=job.config.frames.aspect)


def _store(job: Job) -> FrameStore:
    return open_store(job.run.store, preprocessing=_preprocessing(job), frames=job.config.frames)


def _frames(job: Job) -> tuple[LoadFrames, Preprocessing]:
    """What gives the frames of image ids, from the store; frames that it lacks are decoded into it."""
    records = read_table(job.run.records, columns=RECORD_COLUMNS)
    store = _store(job)
    store.add(records, progress=job.progress)
    key_of = dict(zip(records["image_id"], records["sha256"], strict=True))

    def load(image_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
        return store.get([key_of[image_id] for image_id in image_ids])

    return load, store.preprocessing


def _features(job: Job, load: LoadFrames, preprocessing: Preprocessing) -> LoadFeatures:
    """What gives the backbone's features of image ids: computed once for all frames, kept on disk, used by every stage.

    Nothing is computed before it is asked for.
    """

    @functools.cache
    def table() -> tuple[dict[str, int], npt.NDArray[np.float32]]:
        records = read_table(job.run.records, columns=RECORD_COLUMNS)
        image_ids = sorted(records["image_id"])
        sha256 = dict(zip(records["image_id"], records["sha256"], strict=True))
        features = cached_features(
            load_backbone(job.config.model, seed=job.config.fit.seed, image_size=preprocessing.size),
            image_ids=image_ids,
            load=load,
            folder=job.run.store,
            content_key=fingerprint(preprocessing.key(), [sha256[image_id] for image_id in image_ids]),
            device=resolve_device(job.config.model.device),
            progress=job.progress,
        )
        return {image_id: row for row, image_id in enumerate(image_ids)}, features

    def load_features(image_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        row_of, features = table()
        return features[[row_of[image_id] for image_id in image_ids]]

    return load_features


def _records_and_split(run: RunFolder) -> pd.DataFrame:
    records = read_table(run.records, columns=RECORD_COLUMNS)
    parts = read_table(run.split, columns=SPLIT_COLUMNS)
    check_no_leak(parts, records, columns=_group_columns(run))
    return records.merge(parts[["image_id", "part", "use", "fold"]], on="image_id", validate="one_to_one")


def _parts(table: pd.DataFrame, *, positive: str) -> Parts:
    fit_rows = table[table["part"] == "fit"]
    return Parts(
        train=_rows(fit_rows[fit_rows["use"] == "train"], positive=positive),
        stop=_rows(fit_rows[fit_rows["use"] == "stop"], positive=positive),
        val=_rows(table[table["part"] == "val"], positive=positive),
    )


def _rows(table: pd.DataFrame, *, positive: str) -> Rows:
    return Rows(
        image_ids=tuple(table["image_id"]),
        targets=(table["label"] == positive).to_numpy(np.float32),
        groups=tuple(table["group"]),
    )


def _reported(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    parts = {part: table[table["part"] == part] for part in ("val", "test")}
    return {part: rows for part, rows in parts.items() if len(rows)}


def _write_predictions(run: RunFolder, part: str, predictions: pd.DataFrame, rows: pd.DataFrame) -> list[Path]:
    path = run.predictions(part)
    write_table(path, predictions, columns=PREDICTION_COLUMNS)
    write_answers(predictions, path.with_suffix(".xlsx"))
    written = [path, path.with_suffix(".xlsx")]
    if (rows["origin"] == "test").any():
        challenge = path.with_name("challenge.xlsx")
        write_challenge_sheet(challenge, predictions)
        written.append(challenge)
    return written


def _classes(run: RunFolder) -> ClassNames:
    names = read_json(run.cohort, schema="cohort")["classes"]
    return ClassNames(negative=names["negative"], positive=names["positive"])


def _group_columns(run: RunFolder) -> tuple[str, ...]:
    return tuple(read_json(run.cohort, schema="cohort")["group_columns"])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
