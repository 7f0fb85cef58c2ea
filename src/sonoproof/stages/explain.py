"""Model and predictions to explanations: where the model looked over each part, and frames explained one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from sonoproof.explanation.context import ExplanationContext
from sonoproof.explanation.explain import explain_part
from sonoproof.explanation.regions import REGIONS
from sonoproof.explanation.survey import survey_part
from sonoproof.reporting.figures.explanation import draw_explanations
from sonoproof.runfolder import RunFolder, files_in, write_json
from sonoproof.sampling import evenly_spread
from sonoproof.stages.context import RunContext
from sonoproof.stages.trainings import train
from sonoproof.types import UInt8Array

REFERENCES = 8
SHUFFLED = "shuffled-labels"


def explain(context: RunContext) -> list[Path]:
    """Model and predictions to where the model looked, explained frames and their figures."""
    run, config = context.run, context.config.explain
    explanation = ExplanationContext(
        frames=context.frames,
        classifier=context.bundle.classifier,
        classes=context.classes,
        config=config,
        references=_references(context),
        masks=context.masks,
        shuffled_labels=_network_of_shuffled_labels(context) if config.label_randomisation else None,
        to_probability=context.bundle.spec.decision.probability,
        progress=context.progress,
    )
    for part, predictions in context.predictions.items():
        survey = survey_part(predictions, part=part, context=explanation, confidence=context.config.evaluate.confidence)
        write_json(run.explanations(part) / "survey.json", survey, schema="survey")
        for region in survey["looks_at"]:
            context.say(f"warning: {part}: the model looks at {REGIONS[region]}")
        explain_part(predictions, part=part, context=explanation, out=run.explanations(part))
    folders = [run.explanations(part) for part in context.predictions]
    draw_explanations(*folders, dpi=config.dpi, progress=context.progress)
    return [path for folder in folders for path in files_in(folder)]


def _references(context: RunContext) -> UInt8Array | None:
    """Frames of the fit part that the baseline ``references`` is averaged over."""
    if "references" not in context.config.explain.baselines:
        return None
    table = context.split_records
    known = sorted(table.loc[table["part"] == "fit", "image_id"])
    return context.frames([known[k] for k in evenly_spread(len(known), REFERENCES)])


def _network_of_shuffled_labels(context: RunContext) -> nn.Module:
    """The same training on the same frames, their labels shuffled: for the gate, on request."""
    table = context.split_records.copy()
    learned = table["part"] == "fit"
    dealt = np.random.default_rng(context.config.fit.effective_seed).permutation(table.loc[learned, "label"].to_numpy())
    table.loc[learned, "label"] = dealt
    context.say("training on shuffled labels, for the trust gate")
    return train(context, table, into=RunFolder(context.run.checkpoints / SHUFFLED)).classifier.eval()
