"""Every sheet row predicted by a model trained without its group."""

from __future__ import annotations

from pathlib import Path

from sonoproof.stages.context import RunContext
from sonoproof.stages.trainings import train_folds


def cross_validate(context: RunContext) -> list[Path]:
    """Train once for each fold on the rows of the others, and predict the fold; all is kept under ``folds/``."""
    train_folds(context, context.split_records, into=context.run)
    return [context.run.out_of_fold]
