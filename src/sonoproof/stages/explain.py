"""Model and predictions to explanations: where the model looked over each part, and frames explained one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import nn

from sonoproof.classes import Classes
from sonoproof.explanation.explain import explain_part
from sonoproof.explanation.survey import REGION_WORDS, survey_part
from sonoproof.reporting.figures.explanation import draw_explanations
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_table, write_json
from sonoproof.stages.context import files_in, frames_of, masks_of, records_and_split
from sonoproof.stages.fit import learn
from sonoproof.stages.job import Job
from sonoproof.training.batches import LoadFrames
from sonoproof.training.bundle import ModelBundle, load_bundle

__all__ = ["explain"]

REFERENCES = 8
SHUFFLED = "shuffled-labels"


def explain(job: Job) -> list[Path]:
    """Model and predictions to where the model looked, explained frames and their figures."""
    load, _ = frames_of(job)
    bundle = load_bundle(job.run.model)
    parts = [part for part in ("val", "test") if job.run.predictions(part).is_file()]
    folders = [job.run.explanations(part) for part in parts]
    random_labels = _network_of_shuffled_labels(job) if job.config.explain.label_randomisation else None
    for part, folder in zip(parts, folders, strict=True):
        predictions = read_table(job.run.predictions(part), columns=PREDICTION_COLUMNS)
        _survey(job, predictions, part=part, load=load, bundle=bundle)
        explain_part(
            predictions,
            part=part,
            load=load,
            model=bundle.classifier,
            classes=Classes(negative=bundle.negative, positive=bundle.positive),
            config=job.config.explain,
            out=folder,
            references=_references(job, load),
            masks=masks_of(job),
            random_labels=random_labels,
            to_probability=bundle.decision.probability,
            progress=job.progress,
        )
    draw_explanations(*folders, dpi=job.config.explain.dpi, progress=job.progress)
    return [path for folder in folders for path in files_in(folder)]


def _survey(job: Job, predictions: pd.DataFrame, *, part: str, load: LoadFrames, bundle: ModelBundle) -> None:
    survey: dict[str, Any] = survey_part(
        predictions,
        part=part,
        load=load,
        model=bundle.classifier,
        positive=bundle.positive,
        frames=job.config.explain.survey,
        confidence=job.config.evaluate.confidence,
        masks=masks_of(job),
    )
    write_json(job.run.explanations(part) / "survey.json", survey, schema="survey")
    for region in survey["looks_at"]:
        job.say(f"warning: {part}: the model looks at {REGION_WORDS[region]}")


def _references(job: Job, load: LoadFrames) -> npt.NDArray[np.uint8] | None:
    """Frames of the fit part that the baseline ``references`` is averaged over."""
    if "references" not in job.config.explain.baselines:
        return None
    table = records_and_split(job.run)
    known = sorted(table.loc[table["part"] == "fit", "image_id"])
    return load(known[:: max(1, len(known) // REFERENCES)][:REFERENCES])


def _network_of_shuffled_labels(job: Job) -> nn.Module:
    """The same training on the same frames, their labels dealt out at random: for the gate, on request."""
    table = records_and_split(job.run)
    learned = table["part"] == "fit"
    dealt = np.random.default_rng(job.config.fit.seed).permutation(table.loc[learned, "label"].to_numpy())
    table.loc[learned, "label"] = dealt
    job.say("training on shuffled labels, for the trust gate")
    return learn(RunFolder(job.run.checkpoints / SHUFFLED), job=job, table=table).classifier.eval()
