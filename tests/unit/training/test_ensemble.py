"""An ensemble answers with the mean of its members, is saved whole, and half of one is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.support.bundles import lively_bundle
from torch import Tensor

from sonoproof import runfolder
from sonoproof.classes import Classes
from sonoproof.config import ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import BundleError
from sonoproof.runfolder import sha256_of_file
from sonoproof.training.backbone import load_backbone
from sonoproof.training.bundle import ModelBundle, load_bundle, save_bundle
from sonoproof.training.ensemble import Ensemble
from sonoproof.training.model import BinaryClassifier
from sonoproof.training.model_spec import ModelSpec

SIZE = 32


def member(seed: int, *, width: float = 0.25) -> BinaryClassifier:
    return load_backbone(ModelConfig(backbone="random", width=width), seed=seed, image_size=SIZE).eval()


def bundle_of(members: list[BinaryClassifier]) -> ModelBundle:
    classifier = Ensemble(members).eval() if len(members) > 1 else members[0]
    return ModelBundle(classifier, ModelSpec(Classes("healthy", "unhealthy"), Preprocessing(SIZE)))


@pytest.fixture
def members() -> list[BinaryClassifier]:
    return [network for seed in range(3) for network in lively_bundle(size=SIZE, seed=seed).classifier.members]


@pytest.fixture
def frames() -> Tensor:
    return torch.rand((5, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def folder(members: list[BinaryClassifier], tmp_path: Path) -> Path:
    save_bundle(bundle_of(members), tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, *, drop: str = "", **entries: object) -> None:
    """Forge the description; its hash of the weights is made to fit."""
    weights = folder / "weights.safetensors"
    if drop:
        save_file({name: tensor for name, tensor in load_file(weights).items() if not name.startswith(drop)}, weights)
    content = json.loads((folder / "model.json").read_text()) | entries | {"weights_sha256": sha256_of_file(weights)}
    (folder / "model.json").write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_the_logit_is_the_mean_of_the_members(members: list[BinaryClassifier], frames: Tensor) -> None:
    with torch.no_grad():
        each = [network(frames) for network in members]
        found = Ensemble(members).eval()(frames)
    assert torch.allclose(found, (each[0] + each[1] + each[2]) / 3, atol=1e-6)
    assert all(float((found - logits).abs().min()) > 1e-4 for logits in each)


def test_what_is_saved_answers_to_the_bit(members: list[BinaryClassifier], frames: Tensor, folder: Path) -> None:
    loaded = load_bundle(folder).classifier
    assert isinstance(loaded, Ensemble)
    with torch.no_grad():
        assert torch.equal(loaded(frames), Ensemble(members).eval()(frames))
        for before, after in zip(members, loaded.members, strict=True):
            assert torch.equal(before(frames), after(frames))


def test_members_of_two_architectures_make_no_ensemble(members: list[BinaryClassifier]) -> None:
    with pytest.raises(ValueError, match="of one architecture"):
        Ensemble([members[0], member(0, width=0.5)])
    with pytest.raises(ValueError, match="at least two members"):
        Ensemble(members[:1])


def test_a_member_that_is_missing_is_noticed(folder: Path) -> None:
    rewrite(folder, drop="member1.")
    with pytest.raises(BundleError, match="do not fit the saved architecture"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("number", "said"),
    [(2, "belong to no member of the ensemble of 2"), (None, "do not fit"), (0, "must be 1 or more"), ("3", "not '3'")],
)
def test_a_wrong_number_of_members_is_noticed(folder: Path, number: object, said: str) -> None:
    rewrite(folder, members=number)
    with pytest.raises(BundleError, match=said):
        load_bundle(folder)


def test_a_reader_of_one_network_refuses_an_ensemble_and_reads_one_network(
    folder: Path, members: list[BinaryClassifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bundle(bundle_of(members[:1]), tmp_path / "single")
    assert "members" not in json.loads((tmp_path / "single" / "model.json").read_text())
    monkeypatch.setattr(runfolder, "_NEWEST", {})  # the versions that an older Sonoproof knows
    assert isinstance(load_bundle(tmp_path / "single").classifier, BinaryClassifier)
    with pytest.raises(BundleError, match="written by a newer Sonoproof"):
        load_bundle(folder)
