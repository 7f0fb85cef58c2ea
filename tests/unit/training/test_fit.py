from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tests.support.forked import fork
from tests.support.toy import Toy, make_toy

from sonoproof.config import FitConfig, ModelConfig
from sonoproof.errors import CohortError, ConfigError
from sonoproof.runfolder import RunFolder, read_table, sha256_of_file
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import OrderedBatches, to_network
from sonoproof.training.bundle import load_bundle
from sonoproof.training.checkpoints import HISTORY_COLUMNS, History
from sonoproof.training.features import LoadFeatures
from sonoproof.training.fit import fit
from sonoproof.training.head import PENALTIES, fit_head
from sonoproof.training.layers import settle_batch_norm
from sonoproof.training.module import epoch_metrics
from sonoproof.training.recipes import BETTER, recipe_for


def weights(out: Path) -> str:
    return sha256_of_file(out / "model" / "weights.safetensors")


def train_frames(toy: Toy) -> Iterator[torch.Tensor]:
    return (frames for frames, _ in OrderedBatches(toy.rows(0, 64), load=toy.load, batch=16))


@pytest.mark.slow
def test_a_network_from_random_weights_learns_and_says_what_it_kept(toy: Toy, tmp_path: Path) -> None:
    bundle = toy.fit(tmp_path, FitConfig(epochs=12, batch=16))
    history = read_table(RunFolder(tmp_path).history, columns=HISTORY_COLUMNS)
    assert list(history["epoch"].astype(int)) == list(range(1, 13))
    chosen = history[history["chosen"] == "1"]
    assert len(chosen) == 1
    assert int(chosen["epoch"].iloc[0]) == bundle.training["epoch_chosen"]
    assert float(chosen["stop_loss"].iloc[0]) == history["stop_loss"].astype(float).min()
    assert float(chosen["val_auc"].iloc[0]) > 0.95
    with torch.inference_mode():
        logits = bundle.classifier(to_network(toy.frames[88:120])).numpy()
    again = epoch_metrics(logits, toy.targets[88:120])
    for metric, value in again.items():
        assert float(chosen[f"val_{metric}"].iloc[0]) == pytest.approx(value, rel=1e-4), metric


@pytest.mark.slow
def test_the_validation_rows_are_measured_at_the_end_or_if_asked_for_in_every_epoch(toy: Toy, tmp_path: Path) -> None:
    toy.fit(tmp_path / "end", FitConfig(epochs=3, batch=16, threads=1))
    toy.fit(tmp_path / "each", FitConfig(epochs=3, batch=16, threads=1, val_each_epoch=True))
    end, each = (pd.read_csv(tmp_path / name / "history.csv").set_index("epoch") for name in ("end", "each"))
    chosen = end.index[end["chosen"] == 1]
    measured = [f"val_{metric}" for metric in BETTER]
    assert end[measured].drop(index=chosen).isna().all(axis=None)
    pd.testing.assert_frame_equal(end.loc[chosen, measured], each.loc[chosen, measured])
    assert each["val_loss"].notna().all()
    assert weights(tmp_path / "end") == weights(tmp_path / "each")


@pytest.mark.slow
def test_the_validation_rows_choose_nothing_in_the_default_recipe(toy: Toy, tmp_path: Path) -> None:
    honest = toy.fit(tmp_path / "a", FitConfig(epochs=4, batch=16))
    poisoned = Toy(toy.frames, toy.targets.copy())
    poisoned.targets[88:120] = 1.0 - poisoned.targets[88:120]
    other = poisoned.fit(tmp_path / "b", FitConfig(epochs=4, batch=16))
    assert honest.training["epoch_chosen"] == other.training["epoch_chosen"]
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def fit_until_killed(out: Path, config: FitConfig, epochs: int) -> None:
    """In a process of its own: train, and be killed once more than `epochs` epochs are written."""
    write = History.write

    def write_and_die(self: History, **options: Any) -> None:
        write(self, **options)
        if len(self.rows) > epochs:
            os.kill(os.getpid(), signal.SIGKILL)

    History.write = write_and_die  # type: ignore[method-assign]
    make_toy().fit(out, config)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "killed_after"), [("default", 1), ("default", 3), ("default", 5), ("classic", 2)])
def test_killed_and_resumed_it_ends_with_bitwise_the_same_weights(
    toy: Toy, tmp_path: Path, recipe: str, killed_after: int
) -> None:
    config = FitConfig(recipe=recipe, epochs=5, batch=16, threads=1)  # type: ignore[arg-type]
    toy.fit(tmp_path / "whole", config)
    if killed_after < 5:
        training = fork(fit_until_killed, tmp_path / "killed", config, killed_after, log=tmp_path / "log")
        training.join()
        assert training.exitcode == -signal.SIGKILL, (tmp_path / "log").read_text()
        assert not (tmp_path / "killed" / "model" / "model.json").exists()
    else:  # killed between the last epoch and the saving of the model
        toy.fit(tmp_path / "killed", config)
        (tmp_path / "killed" / "model" / "model.json").unlink()
    make_toy().fit(tmp_path / "killed", config, resume=True)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    for name in ("history.csv",):
        assert (tmp_path / "killed" / name).read_text() == (tmp_path / "whole" / name).read_text()


@pytest.mark.slow
def test_without_resume_an_old_checkpoint_is_not_used(toy: Toy, tmp_path: Path) -> None:
    config = FitConfig(epochs=2, batch=16, threads=1)
    toy.fit(tmp_path, FitConfig(epochs=2, batch=16, threads=1, seed=5))
    toy.fit(tmp_path, config)
    toy.fit(tmp_path / "fresh", config)
    assert weights(tmp_path) == weights(tmp_path / "fresh")


@pytest.mark.slow
def test_early_stopping_stops_and_the_best_epoch_is_kept(toy: Toy, tmp_path: Path) -> None:
    bundle = toy.fit(tmp_path, FitConfig(epochs=60, batch=16, patience=2, learning_rate=0.02))
    history = pd.read_csv(tmp_path / "history.csv")
    assert len(history) < 60
    assert bundle.training["epoch_chosen"] == len(history) - 2
    assert history["stop_loss"].argmin() + 1 == bundle.training["epoch_chosen"]


def test_the_classic_recipe_trains_the_last_layer_alone(toy: Toy, tmp_path: Path) -> None:
    bundle = toy.fit(tmp_path, FitConfig(recipe="classic", epochs=3, batch=16))
    base = load_backbone(ModelConfig(backbone="random", width=0.25), seed=0, image_size=32)
    settle_batch_norm(base, train_frames(toy), device=torch.device("cpu"))
    start, end = base.network.state_dict(), bundle.classifier.members[0].network.state_dict()
    changed = {
        name
        for name, tensor in end.items()
        if not torch.allclose(tensor, start[name].to(tensor.dtype), rtol=1e-3, atol=1e-4)
    }
    assert changed == {"classifier.weight", "classifier.bias"}
    assert bundle.training["monitor"] == "val_loss"


def backbone_features(folder: Path, toy: Toy) -> LoadFeatures:
    classifier = load_backbone(ModelConfig(backbone=str(folder)), seed=0, image_size=32).eval()

    def load(image_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return classifier.features(to_network(toy.load(image_ids))).numpy()

    return load


@pytest.mark.slow
def test_the_head_is_fitted_first_on_a_pretrained_backbone(toy: Toy, tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    load_backbone(ModelConfig(backbone="random", width=0.25), seed=9, image_size=32).network.save_pretrained(folder)  # type: ignore[operator]
    model, features = ModelConfig(backbone=str(folder), device="cpu"), backbone_features(folder, toy)
    job = toy.job(FitConfig(epochs=1, batch=16), model=model, load_features=features)
    bundle = fit(job, RunFolder(tmp_path / "run"))
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert list(history["phase"]) == ["head", "network"]
    assert bundle.training["epoch_chosen"] == history["epoch"][history["stop_loss"].argmin()]


@pytest.mark.slow
def test_the_classic_recipe_measures_known_features_and_says_what_the_network_says(toy: Toy, tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    load_backbone(ModelConfig(backbone="random", width=0.25), seed=3).network.save_pretrained(folder)  # type: ignore[operator]
    for name, backbone in {"pretrained": str(folder), "random": "random"}.items():
        asked: list[Sequence[str]] = []
        known = backbone_features(folder, toy)

        def load_features(image_ids: Sequence[str]) -> npt.NDArray[np.float32]:
            asked.append(image_ids)  # noqa: B023
            return known(image_ids)  # noqa: B023

        config = FitConfig(recipe="classic", epochs=3, batch=16, learning_rate=0.05)
        model = ModelConfig(backbone=backbone, width=0.25, device="cpu")
        bundle = fit(toy.job(config, model=model, load_features=load_features), RunFolder(tmp_path / name))
        parts = toy.parts()
        wanted = [parts.val.image_ids, parts.stop.image_ids] if name == "pretrained" else []
        assert asked == wanted, name
        history = pd.read_csv(tmp_path / name / "history.csv").set_index("epoch")
        assert history["val_loss"].nunique() == 3, name
        said = history.loc[bundle.training["epoch_chosen"]]
        for part, rows in (("val", parts.val), ("stop", parts.stop)):
            with torch.inference_mode():
                logits = bundle.classifier(to_network(toy.load(rows.image_ids))).numpy()
            for metric, value in epoch_metrics(logits, rows.targets).items():
                assert said[f"{part}_{metric}"] == pytest.approx(value, rel=1e-4, nan_ok=True), (name, part, metric)


def test_settled_batch_norm_statistics_are_those_of_all_frames(toy: Toy) -> None:
    network = load_backbone(ModelConfig(backbone="random", width=0.25), seed=0)
    stem = network.network.get_submodule("mobilenet_v1.conv_stem")
    seen: list[torch.Tensor] = []
    stem.get_submodule("convolution").register_forward_hook(lambda _m, _i, out: seen.append(out.detach().clone()))
    settle_batch_norm(network, train_frames(toy), device=torch.device("cpu"))
    norm = stem.get_submodule("normalization")
    everything = torch.cat(seen)
    torch.testing.assert_close(norm.running_mean, everything.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    variances = torch.stack([part.var(dim=(0, 2, 3)) for part in seen]).mean(dim=0)
    torch.testing.assert_close(norm.running_var, variances, rtol=1e-3, atol=1e-5)
    assert norm.momentum == 0.1


def test_epoch_metrics_against_scikit_learn() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=200).astype(np.float32), (rng.random(200) < 0.3).astype(np.float32)
    found = epoch_metrics(logits, targets)
    called = logits >= 0
    assert found["loss"] == pytest.approx(metrics.log_loss(targets, 1 / (1 + np.exp(-logits.astype(float)))))
    assert found["recall"] == pytest.approx(metrics.recall_score(targets, called))
    assert found["precision"] == pytest.approx(metrics.precision_score(targets, called))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, called))
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(targets, logits))


def test_epoch_metrics_leave_undefined_what_is_undefined() -> None:
    found = epoch_metrics(np.array([-1.0, -2.0], np.float32), np.zeros(2, np.float32))
    assert np.isnan([found["recall"], found["precision"], found["auc"]]).all()
    assert found["accuracy"] == 1.0


def test_every_monitored_metric_knows_whether_more_is_better() -> None:
    assert {BETTER[name] for name in ("recall", "accuracy", "precision", "auc")} == {"max"}
    assert BETTER["loss"] == "min"


def test_one_class_is_refused(toy: Toy, tmp_path: Path) -> None:
    toy.targets[:64] = 0.0
    with pytest.raises(CohortError, match="'unhealthy'"):
        toy.fit(tmp_path, FitConfig(epochs=1))


def test_training_that_diverges_says_so(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sonoproof.training import module

    monkeypatch.setattr(module, "epoch_metrics", lambda *_: {"loss": float("nan")})
    with pytest.raises(ConfigError, match=r"fit\.learning_rate"):
        toy.fit(tmp_path, FitConfig(epochs=1, batch=16))


def test_the_recipe_fills_in_what_is_left_open() -> None:
    classic = recipe_for(FitConfig(recipe="classic"), pretrained=True)
    assert (classic.head_rate, classic.train_base, classic.balanced) == (1e-3, False, False)
    varied = recipe_for(FitConfig(recipe="varied"), pretrained=True)
    assert (varied.epochs, varied.patience, varied.base_rate) == (16, 6, 1e-4)
    from_scratch = recipe_for(FitConfig(recipe="varied"), pretrained=False)
    assert (from_scratch.epochs, from_scratch.augmentation) == (30, varied.augmentation)
    asked = recipe_for(FitConfig(learning_rate=0.5, epochs=7, patience=3), pretrained=True)
    assert (asked.base_rate, asked.head_rate, asked.epochs, asked.patience) == (0.5, 0.5, 7, 3)


def test_the_bundle_comes_back_as_it_was(toy: Toy, tmp_path: Path) -> None:
    saved = toy.fit(tmp_path, FitConfig(epochs=1, batch=16))
    loaded = load_bundle(tmp_path)
    assert loaded.spec == saved.spec
    assert loaded.spec.classes.names == ("healthy", "unhealthy")
    with torch.inference_mode():
        frames = to_network(toy.frames[:5])
        assert torch.equal(loaded.classifier(frames), saved.classifier(frames))


@pytest.mark.slow
def test_the_recipe_features_fits_the_last_layer_and_trains_no_network(toy: Toy, tmp_path: Path) -> None:
    config = FitConfig(recipe="features", views=2)
    bundle = toy.fit(tmp_path / "a", config)
    history = read_table(tmp_path / "a" / "history.csv", columns=HISTORY_COLUMNS)
    assert history[["epoch", "phase", "chosen"]].to_numpy().tolist() == [[0, "head", "1"]]
    assert not (tmp_path / "a" / "checkpoints").exists()
    assert bundle.training["monitor"] is None
    with torch.inference_mode():
        logits = bundle.classifier(to_network(toy.frames[88:120])).numpy()
    for metric, value in epoch_metrics(logits, toy.targets[88:120]).items():
        assert float(history[f"val_{metric}"].iloc[0]) == pytest.approx(value, rel=1e-4), metric
    toy.fit(tmp_path / "b", config)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    toy.fit(tmp_path / "c", replace(config, views=1))
    assert weights(tmp_path / "a") != weights(tmp_path / "c")


def test_the_last_layer_is_the_logistic_regression_of_all_views(toy: Toy) -> None:
    rows = toy.rows(0, 64)
    plain = toy.load_features(rows.image_ids)[:, ::40]
    views = [plain + np.random.default_rng(k).normal(0, 20, plain.shape).astype(np.float32) for k in range(2)]
    weight, bias = fit_head(plain, rows, balanced=True, seed=0, views=views)
    mean, spread = plain.mean(axis=0), plain.std(axis=0)
    every = np.concatenate([(some - mean) / spread for some in (plain, *views)])
    independent = [
        LogisticRegression(C=penalty / 3, class_weight="balanced", solver="newton-cholesky", tol=1e-8).fit(
            every, np.tile(rows.targets, 3)
        )
        for penalty in PENALTIES
    ]
    expected = [model.decision_function((plain - mean) / spread) for model in independent]
    assert min(np.abs(plain @ weight + bias - logits).max() for logits in expected) < 1e-2
    alone, _ = fit_head(plain, rows, balanced=True, seed=0)
    assert not np.allclose(weight, alone, rtol=0.05)


def test_a_training_without_rows_to_measure_on_is_refused(toy: Toy, tmp_path: Path) -> None:
    job = toy.job(FitConfig(epochs=1), model=ModelConfig(backbone="random", width=0.25, device="cpu"))
    nothing = toy.rows(0, 0)
    with pytest.raises(ValueError, match="no rows to measure"):
        fit(replace(job, parts=replace(job.parts, stop=nothing, val=nothing)), RunFolder(tmp_path))
