"""One training into a folder."""

from __future__ import annotations

import pandas as pd

from sonoproof.runfolder import RunFolder, sha256_of_file
from sonoproof.stages.context import class_names, features_of, frames_of, rows_of
from sonoproof.stages.job import Job
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.fit import Parts, fit

__all__ = ["train_into", "training_parts"]


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


def training_parts(table: pd.DataFrame, *, positive: str) -> Parts:
    """The rows to learn from, to choose the checkpoint on, and to validate on."""
    fit_rows = table[table["part"] == "fit"]
    return Parts(
        train=rows_of(fit_rows[fit_rows["use"] == "train"], positive=positive),
        stop=rows_of(fit_rows[fit_rows["use"] == "stop"], positive=positive),
        val=rows_of(table[table["part"] == "val"], positive=positive),
    )
