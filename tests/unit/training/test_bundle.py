from __future__ import annotations

import json
from pathlib import Path

import pytest

from sonoproof.classes import Classes
from sonoproof.config import ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import BundleError
from sonoproof.training.backbone import load_backbone
from sonoproof.training.bundle import ModelBundle, load_bundle, save_bundle
from sonoproof.training.model_spec import ModelSpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    classifier = load_backbone(ModelConfig(backbone="random", width=0.25), seed=0).eval()
    bundle = ModelBundle(classifier, ModelSpec(Classes("healthy", "unhealthy"), Preprocessing(64)))
    save_bundle(bundle, tmp_path / "model")
    return tmp_path / "model"


def test_a_changed_byte_of_the_weights_is_noticed(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match=r"weights\.safetensors: is not the file that model\.json was written for"):
        load_bundle(folder)


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no usable model"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("key", ["classes", "preprocessing", "weights_sha256", "architecture"])
def test_a_missing_entry_is_said(folder: Path, key: str) -> None:
    content = json.loads((folder / "model.json").read_text())
    del content[key]
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="no usable model"):
        load_bundle(folder)


def test_half_a_description_is_said(folder: Path) -> None:
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text[: len(text) // 2])
    with pytest.raises(BundleError):
        load_bundle(folder)


def test_the_folder_holds_tensors_and_json_only(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]
