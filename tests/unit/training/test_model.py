from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import MobileNetV1Config, MobileNetV1ForImageClassification

from sonoproof.config import ModelConfig
from sonoproof.errors import BundleError, ConfigError
from sonoproof.training.backbone import backbone_image_size, load_backbone
from sonoproof.training.model import Architecture, BinaryClassifier, rebuild, resolve_device


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """A small MobileNet of five classes in a folder, with batch norm statistics that are not the start values."""
    torch.manual_seed(0)
    settings = MobileNetV1Config(depth_multiplier=0.25, image_size=64, classifier_dropout_prob=0.999)
    settings.num_labels = 5
    network = MobileNetV1ForImageClassification(settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    folder = tmp_path / "backbone"
    network.save_pretrained(folder)
    return folder


def frames(count: int, size: int = 64) -> torch.Tensor:
    return torch.rand((count, 3, size, size), generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [64, 65, 96])
def test_the_base_is_the_published_network(backbone: Path, size: int) -> None:
    ours = load_backbone(ModelConfig(backbone=str(backbone)), seed=0).eval()
    theirs = MobileNetV1ForImageClassification.from_pretrained(backbone).eval()
    with torch.inference_mode():
        expected = theirs.mobilenet_v1(frames(4, size).contiguous(memory_format=torch.channels_last)).pooler_output
        found = ours.features(frames(4, size))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_last_layer_is_one_unit_and_drops_nothing(backbone: Path) -> None:
    classifier = load_backbone(ModelConfig(backbone=str(backbone)), seed=0).train()
    assert classifier.head.weight.shape == (1, 256)
    dropouts = [module.p for module in classifier.modules() if isinstance(module, torch.nn.Dropout)]
    assert all(share == 0.0 for share in dropouts)  # 0.999 as it stands in the file would blank every feature


def test_the_logit_is_the_head_on_the_features(backbone: Path) -> None:
    classifier = load_backbone(ModelConfig(backbone=str(backbone)), seed=0).eval()
    with torch.inference_mode():
        x = frames(3)
        expected = classifier.features(x) @ classifier.head.weight[0] + classifier.head.bias
        torch.testing.assert_close(classifier(x), expected)


def test_batch_norm_statistics_do_not_become_those_of_the_last_batch(backbone: Path) -> None:
    classifier = load_backbone(ModelConfig(backbone=str(backbone)), seed=0)
    momenta = {m.momentum for m in classifier.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert momenta == {0.1}


def test_another_channel_scale_is_served_inside(backbone: Path) -> None:
    plain = load_backbone(ModelConfig(backbone=str(backbone)), seed=0).eval()
    scale = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (backbone / "preprocessor_config.json").write_text(json.dumps(scale))
    scaled = load_backbone(ModelConfig(backbone=str(backbone)), seed=0).eval()
    mean, std = (torch.tensor(scale[key]).view(1, 3, 1, 1) for key in ("image_mean", "image_std"))
    x = frames(2)
    with torch.inference_mode():
        expected = plain.network(((x + 1) / 2 - mean) / std).logits[:, 0]
        torch.testing.assert_close(scaled(x), expected, rtol=1e-4, atol=1e-5)


def test_random_weights_follow_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        return load_backbone(ModelConfig(backbone="random", width=0.25), seed=seed).head.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_rebuilding_gives_the_same_answers(backbone: Path) -> None:
    classifier = load_backbone(ModelConfig(backbone=str(backbone)), seed=0).eval()
    again = rebuild(classifier.architecture, dict(classifier.network.state_dict()))
    with torch.inference_mode():
        assert torch.equal(classifier(frames(3)), again(frames(3)))


def test_rebuilding_from_other_weights_is_refused(backbone: Path) -> None:
    classifier = load_backbone(ModelConfig(backbone=str(backbone)), seed=0)
    state = dict(classifier.network.state_dict())
    state.pop("classifier.weight")
    with pytest.raises(BundleError, match=r"classifier\.weight"):
        rebuild(classifier.architecture, state)


def test_a_backbone_that_is_not_cached_names_the_three_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        load_backbone(ModelConfig(backbone="nobody/has_this_model"), seed=0)
    for way in ("--download", "--backbone DIR", "--backbone random"):
        assert way in str(caught.value)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_folder_that_is_not_there_is_said(name: str) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        backbone_image_size(ModelConfig(backbone=name))


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json"):
        backbone_image_size(ModelConfig(backbone=str(tmp_path)))


def test_a_damaged_weights_file_is_said(backbone: Path) -> None:
    (backbone / "model.safetensors").write_bytes(b"not a tensor file")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_backbone(ModelConfig(backbone=str(backbone)), seed=0)


def test_the_image_size_is_read_without_the_weights(backbone: Path) -> None:
    (backbone / "model.safetensors").unlink()
    assert backbone_image_size(ModelConfig(backbone=str(backbone))) == 64
    assert backbone_image_size(ModelConfig(backbone="random")) == 224


def test_a_classifier_without_a_linear_last_layer_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be made binary"):
        BinaryClassifier(torch.nn.Conv2d(3, 1, 1), architecture=load_architecture())


def load_architecture() -> Architecture:
    return load_backbone(ModelConfig(backbone="random", width=0.25), seed=0).architecture


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_asking_for_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="--device cpu"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"


def test_extra_tensors_are_refused() -> None:
    classifier = load_backbone(ModelConfig(backbone="random", width=0.25), seed=0)
    state = {**classifier.network.state_dict(), "more": torch.zeros(1)}
    with pytest.raises(BundleError, match="more"):
        rebuild(classifier.architecture, state)
