"""Records, split and frames to the saved model: one network, or an ensemble of one network per fold."""

from __future__ import annotations

from pathlib import Path

from sonoproof.runfolder import files_in
from sonoproof.stages.context import RunContext
from sonoproof.stages.trainings import train
from sonoproof.wording import counted


def fit(context: RunContext) -> list[Path]:
    """Records, split and frames to a model."""
    run, bundle = context.run, train(context, context.split_records, into=context.run)
    kept = f"weights: {bundle.classifier.architecture.origin}; kept epoch"
    if context.config.fit.recipe == "features":
        context.say(
            f"the last layer is fitted on features of {counted(bundle.training['views'], 'view')} of each frame"
        )
    if not context.config.fit.ensemble:
        context.say(f"{kept} {bundle.training['epoch_chosen']}")
        return [run.history, *files_in(run.model)]
    epochs = ", ".join(map(str, bundle.training["epoch_chosen"]))
    context.say(f"{kept} {epochs}; the model is the mean of {len(bundle.classifier.members)} members")
    return [run.history, run.out_of_fold, *files_in(run.model)]
