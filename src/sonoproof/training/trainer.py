"""What training runs in: Lightning's trainer, warnings that nobody can act on, threads."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import torch


def quiet_trainer(**settings: Any) -> pl.Trainer:
    """A trainer that leaves the terminal to us."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return pl.Trainer(
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        inference_mode=False,
        **settings,
    )


@contextlib.contextmanager
def needless_warnings_off() -> Iterator[None]:
    """Silence three warnings that nobody who trains can act on.

    Lightning up to 2.6 calls what PyTorch 2.13 deprecates; it finds the checkpoints that it is to resume from; and it
    finds the network in evaluation mode after measuring it, and then puts it into training mode itself.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found .* module.s. in eval mode at the start of training")
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
        yield


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads; None for one per processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
