"""What training writes while it runs: checkpoints that are whole or absent, and the history of the epochs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from sonoproof.errors import ConfigError
from sonoproof.progress import SILENT, Progress
from sonoproof.runfolder import atomic_path, write_table
from sonoproof.training.module import TrainingModule
from sonoproof.training.recipes import BETTER
from sonoproof.types import Json

BEST, LAST = "best.ckpt", "last.ckpt"
MEASURED = tuple(f"{part}_{metric}" for part in ("fit", "val") for metric in BETTER)
HISTORY_COLUMNS = ("epoch", "phase", *MEASURED, "learning_rate", "chosen")


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints written beside their place and renamed into it: a kill leaves the old one or the new one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint; `storage_options` are not used on local disks."""
        del storage_options
        # Into memory first: on a full disk torch.save says only "unexpected pos", which no reader understands.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())


class History(Callback):
    """Writes ``history.csv`` after every epoch, and goes back with the checkpoint when training is resumed.

    Args:
        path: The csv file.
        rows: Rows from before gradient training.
        progress: Told the epochs done and the epochs at most.
    """

    def __init__(self, path: Path, *, rows: list[dict[str, Any]], progress: Progress = SILENT.progress) -> None:
        self.path = path
        self.rows = rows
        self._progress = progress

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row.

        Raises:
            ConfigError: The loss is no longer a finite number.
        """
        assert isinstance(pl_module, TrainingModule)
        metrics = pl_module.metrics_of_epoch
        if not metrics["fit_loss"] < float("inf"):
            raise ConfigError("training diverged (the loss is not finite); lower fit.learning_rate")
        self.rows.append(
            {"epoch": trainer.current_epoch + 1, "phase": "network", **metrics, "learning_rate": pl_module.rate}
        )
        self.write()
        self._progress(trainer.current_epoch + 1, trainer.max_epochs or 0)

    def write(self, *, chosen: int | None = None) -> None:
        """Write the rows; `chosen` is the epoch whose weights are kept."""
        table = pd.DataFrame(self.rows)
        table["chosen"] = (table["epoch"] == chosen).astype(int)
        unmeasured = [column for column in HISTORY_COLUMNS if column not in table]
        write_table(self.path, table.assign(**dict.fromkeys(unmeasured, float("nan"))), columns=HISTORY_COLUMNS)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to the rows of a checkpoint."""
        self.rows = [dict(row) for row in state_dict["rows"]]


class PortableCheckpoint(ModelCheckpoint):
    """Lightning's checkpoints, with state that names files without their folder.

    Lightning notes absolute paths and forgets which epoch was the best when it finds itself in another folder: a run
    that was moved or copied and then resumed would keep the weights of another epoch.
    """

    def state_dict(self) -> dict[str, Any]:
        """The state, with paths relative to the folder."""
        return _renamed(super().state_dict(), folder="")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state up in this folder, wherever it was written."""
        super().load_state_dict(_renamed(state_dict, folder=str(self.dirpath)))


def _renamed(state: Json, *, folder: str) -> dict[str, Any]:
    def moved(path: str) -> str:
        return str(Path(folder) / Path(path).name) if path else ""

    paths = {name: moved(state[name]) for name in _PATHS}
    scores = {moved(path): score for path, score in state["best_k_models"].items()}
    return {**state, **paths, "best_k_models": scores, "dirpath": folder}


_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


def best_and_last(folder: Path, *, monitor: str | None, patience: int) -> list[Callback]:
    """The callbacks that keep the best and the last epoch, and stop when there is no more improvement.

    Args:
        folder: Folder of the checkpoints.
        monitor: ``part_metric`` by which the best is known; None keeps the last alone and never stops early.
        patience: Epochs without improvement before training stops.
    """
    checkpoint = PortableCheckpoint(
        dirpath=folder,
        filename="best",
        monitor=monitor,
        mode=_mode(monitor),
        save_top_k=1,
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    if monitor is None:
        return [checkpoint]
    stopping = EarlyStopping(
        monitor=monitor, mode=_mode(monitor), patience=patience, check_on_train_epoch_end=True, check_finite=False
    )
    return [stopping, checkpoint]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint as a dictionary of tensors and plain values; code in it is refused, not run."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def is_finished(checkpoint: Json, *, epochs: int) -> bool:
    """Whether the training that wrote this last checkpoint had nothing more to do."""
    if checkpoint["epoch"] + 1 >= epochs:
        return True
    return any(
        state.get("wait_count", 0) >= state.get("patience", float("inf")) for state in checkpoint["callbacks"].values()
    )


def _mode(monitor: str | None) -> str:
    return BETTER[monitor.rpartition("_")[2]] if monitor else "min"
