"""The backbone that a run starts from: random, a folder, or a model of the hub."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from sonoproof.config import ModelConfig
from sonoproof.errors import ConfigError
from sonoproof.runfolder import files_in
from sonoproof.training.model import Architecture, BinaryClassifier

_BACKBONE_SUFFIXES = (".json", ".safetensors", ".bin")
RANDOM = "random"
RANDOM_IMAGE_SIZE = 224


def load_backbone(config: ModelConfig, *, seed: int, image_size: int = 0) -> BinaryClassifier:
    """Load the backbone that a run starts from, its last layer replaced by one unit.

    Args:
        config: Where the weights come from.
        seed: Seed of whatever is random: all of a random network, else the last layer.
        image_size: Side of the input in pixels; 0 takes the backbone's own.

    Raises:
        ConfigError: The backbone is neither in the local cache nor a folder, or cannot be loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if config.backbone == RANDOM:
            return _random_mobilenet(config.width, image_size=image_size or RANDOM_IMAGE_SIZE)
        return _pretrained(_backbone_folder(config), name=config.backbone, image_size=image_size)


def backbone_image_size(config: ModelConfig) -> int:
    """Side of the input that a backbone was made for, in pixels, without loading its weights.

    Raises:
        ConfigError: The backbone is neither in the local cache nor a folder, or its configuration cannot be read.
    """
    if config.backbone == RANDOM:
        return RANDOM_IMAGE_SIZE
    file = _backbone_folder(config) / "config.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        return Architecture(transformers_config=described).image_size
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"--backbone {config.backbone}: {file.name} cannot be read ({error})") from error


def _random_mobilenet(width: float, *, image_size: int) -> BinaryClassifier:
    from transformers import MobileNetV1Config, MobileNetV1ForImageClassification

    settings = MobileNetV1Config(depth_multiplier=width, image_size=image_size, classifier_dropout_prob=0.0)
    settings.num_labels = 1
    network = MobileNetV1ForImageClassification(settings)
    architecture = Architecture(
        transformers_config=_plain_config(settings), origin=f"random weights, MobileNet V1 width {width:g}"
    )
    return BinaryClassifier(network, architecture=architecture)


def _pretrained(folder: Path, *, name: str, image_size: int) -> BinaryClassifier:
    from transformers import AutoConfig, AutoModelForImageClassification

    try:
        with _quiet_transformers():
            settings = AutoConfig.from_pretrained(folder, num_labels=1, local_files_only=True)
            if image_size and hasattr(settings, "image_size"):
                settings.image_size = image_size
            if hasattr(settings, "classifier_dropout_prob"):
                # Google's MobileNets publish the share that is kept (0.999) under this name; as the share that is
                # dropped it would blank every feature.
                settings.classifier_dropout_prob = 0.0
            network = AutoModelForImageClassification.from_pretrained(
                folder, config=settings, ignore_mismatched_sizes=True, local_files_only=True, dtype=torch.float32
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ConfigError(f"--backbone {name}: cannot be loaded as an image classifier ({error})") from error
    mean, std = _channel_scale(folder)
    architecture = Architecture(
        transformers_config=_plain_config(settings), mean=mean, std=std, origin=name, pretrained=True
    )
    return BinaryClassifier(network, architecture=architecture)


def backbone_files(config: ModelConfig) -> list[Path]:
    """The files of the pretrained backbone; none where it is random.

    Raises:
        ConfigError: It is not at hand.
    """
    if config.backbone == RANDOM:
        return []
    return [path for path in files_in(_backbone_folder(config)) if path.suffix in _BACKBONE_SUFFIXES]


def _backbone_folder(config: ModelConfig) -> Path:
    folder = Path(config.backbone).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ConfigError(f"--backbone {config.backbone}: the folder has no config.json of a transformers model")
        return folder
    if folder.is_absolute() or config.backbone.startswith((".", "~")) or config.backbone.count("/") > 1:
        raise ConfigError(f"--backbone {config.backbone}: there is no such folder")
    return _hub_snapshot(config.backbone, download=config.download)


def _hub_snapshot(hub_id: str, *, download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["config.json", "preprocessor_config.json", "*.safetensors", "pytorch_model.bin"]
    try:
        return Path(snapshot_download(hub_id, local_files_only=not download, allow_patterns=wanted))
    except HFValidationError as error:
        raise ConfigError(f"--backbone {hub_id}: is neither a folder nor a hub id") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        tried = f"downloading failed ({error})" if download else "and nothing is downloaded without your permission"
        raise ConfigError(
            f"the backbone {hub_id} is not in the local cache, {tried}. Choose one: --download (fetch it once from "
            "the hub), --backbone DIR (a folder with config.json and model.safetensors), or --backbone random "
            "(no pretrained weights; needs much more data)"
        ) from error


def _channel_scale(folder: Path) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    file = folder / "preprocessor_config.json"
    stated = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    mean, std = stated.get("image_mean", [0.5] * 3), stated.get("image_std", [0.5] * 3)
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _plain_config(settings: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(settings.to_json_string(use_diff=True))
    plain.pop("_name_or_path", None)
    plain["model_type"] = settings.model_type
    plain["image_size"] = getattr(settings, "image_size", 224)
    plain["num_labels"] = 1
    plain.pop("id2label", None)
    plain.pop("label2id", None)
    return plain


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep the loader's report on the replaced last layer, and its progress bar, off the terminal."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
