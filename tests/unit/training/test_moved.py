"""A run that is moved between two attempts ends as if it had stayed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from tests.support.toy import Toy

from sonoproof.config import FitConfig
from sonoproof.runfolder import sha256_of_file
from sonoproof.training import module
from sonoproof.training.checkpoints import LAST, History, PortableCheckpoint, best_and_last, read_checkpoint


class Stopped(Exception):
    """Stands for a kill."""


@pytest.mark.slow
def test_moved_and_resumed_it_keeps_the_same_epoch_and_weights(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FitConfig(epochs=4, batch=16, threads=1, patience=6)
    measure, write = module.epoch_metrics, History.write

    def worsening(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]) -> dict[str, float]:
        """The loss turned round: the better the network becomes, the earlier is the best epoch."""
        metrics = measure(logits, targets)
        return {**metrics, "loss": -metrics["loss"]}

    def stopping(self: History, **options: int | None) -> None:
        write(self, **options)
        if len(self.rows) == 3:
            raise Stopped

    monkeypatch.setattr(module, "epoch_metrics", worsening)
    toy.fit(tmp_path / "whole", config)
    history = pd.read_csv(tmp_path / "whole" / "history.csv")
    assert history["stop_loss"].argmin() < 2
    with monkeypatch.context() as patch:
        patch.setattr(History, "write", stopping)
        with pytest.raises(Stopped):
            toy.fit(tmp_path / "here", config)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "here").rename(tmp_path / "elsewhere" / "moved")
    toy.fit(moved, config, resume=True)
    for name in ("model/weights.safetensors", "history.csv"):
        assert sha256_of_file(moved / name) == sha256_of_file(tmp_path / "whole" / name), name


def test_no_checkpoint_names_a_folder_and_the_best_score_survives_the_move(toy: Toy, tmp_path: Path) -> None:
    toy.fit(tmp_path / "here", FitConfig(epochs=2, batch=16, threads=1))
    states = read_checkpoint(tmp_path / "here" / "checkpoints" / LAST)["callbacks"]
    assert str(tmp_path) not in repr(states)
    (state,) = (state for name, state in states.items() if name.startswith("PortableCheckpoint"))
    _, checkpoint = best_and_last(tmp_path / "there", monitor="stop_loss", patience=3)
    assert isinstance(checkpoint, PortableCheckpoint)
    checkpoint.load_state_dict(state)
    assert checkpoint.best_model_score == state["best_model_score"]
    assert checkpoint.best_model_path == str(tmp_path / "there" / "best.ckpt")
