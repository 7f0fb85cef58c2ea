"""Model and predictions to explanations: where the model looked over each part, and frames explained one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from sonoproof.explanation.explain import explain_part
from sonoproof.explanation.survey import REGION_WORDS, survey_part
from sonoproof.parts import Part
from sonoproof.reporting.figures.explanation import draw_explanations
from sonoproof.runfolder import RunFolder, files_in, write_json
from sonoproof.sampling import evenly_spread
from sonoproof.stages.context import RunContext
from sonoproof.stages.trainings import train
from sonoproof.types import UInt8Array

__all__ = ["explain"]

REFERENCES = 8
SHUFFLED = "shuffled-labels"


def explain(context: RunContext) -> list[Path]:
    """Model and predictions to where the model looked, explained frames and their figures."""
    random_labels = _network_of_shuffled_labels(context) if context.config.explain.label_randomisation else None
    folders = []
    for part, predictions in context.predictions.items():
        folders.append(context.run.explanations(part))
        _survey(context, part, predictions)
        explain_part(
            predictions,
            part=part,
            load=context.frames,
            model=context.bundle.classifier,
            classes=context.classes,
            config=context.config.explain,
            out=folders[-1],
            references=_references(context),
            masks=context.masks,
            random_labels=random_labels,
            to_probability=context.bundle.spec.decision.probability,
            progress=context.progress,
        )
    draw_explanations(*folders, dpi=context.config.explain.dpi, progress=context.progress)
    return [path for folder in folders for path in files_in(folder)]


def _survey(context: RunContext, part: Part, predictions: pd.DataFrame) -> None:
    survey = survey_part(
        predictions,
        part=part,
        load=context.frames,
        model=context.bundle.classifier,
        positive=context.classes.positive,
        frames=context.config.explain.survey,
        confidence=context.config.evaluate.confidence,
        masks=context.masks,
    )
    write_json(context.run.explanations(part) / "survey.json", survey, schema="survey")
    for region in survey["looks_at"]:
        context.say(f"warning: {part}: the model looks at {REGION_WORDS[region]}")


def _references(context: RunContext) -> UInt8Array | None:
    """Frames of the fit part that the baseline ``references`` is averaged over."""
    if "references" not in context.config.explain.baselines:
        return None
    table = context.split_records
    known = sorted(table.loc[table["part"] == "fit", "image_id"])
    return context.frames([known[k] for k in evenly_spread(len(known), REFERENCES)])


def _network_of_shuffled_labels(context: RunContext) -> nn.Module:
    """The same training on the same frames, their labels dealt out at random: for the gate, on request."""
    table = context.split_records.copy()
    learned = table["part"] == "fit"
    dealt = np.random.default_rng(context.config.fit.effective_seed).permutation(table.loc[learned, "label"].to_numpy())
    table.loc[learned, "label"] = dealt
    context.say("training on shuffled labels, for the trust gate")
    return train(context, table, into=RunFolder(context.run.checkpoints / SHUFFLED)).classifier.eval()
