"""The network: a MobileNet (or any image classifier of ``transformers``) whose last layer gives one logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sonoproof.errors import BundleError, ConfigError
from sonoproof.training.layers import patch_backbone


@dataclass(frozen=True)
class Architecture:
    """What is needed to build the same network again, without its weights.

    Attributes:
        transformers_config: The ``transformers`` configuration as a dictionary, with ``model_type``.
        mean: Mean subtracted from each channel by the backbone, in units of [0, 1].
        std: Standard deviation by which each channel is divided, in units of [0, 1].
        origin: Where the weights came from, in words.
        pretrained: Whether they were learned before.
    """

    transformers_config: dict[str, Any]
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    origin: str = "random weights"
    pretrained: bool = False

    @property
    def image_size(self) -> int:
        """Side of the input that the backbone was made for, in pixels."""
        size = self.transformers_config.get("image_size", 224)
        return int(size[0] if isinstance(size, list | tuple) else size)


class BinaryClassifier(nn.Module):
    """A backbone with one output unit: the logit of the positive class.

    Attributes:
        architecture: How to build it again.
        network: The ``transformers`` image classifier.
        head: Its last linear layer, of one unit.
    """

    def __init__(self, network: nn.Module, *, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.network = network
        self.head = _last_linear(network)
        # The frames come as MobileNet takes them, in [-1, 1]; a backbone of another scale is served here, so that
        # there is one preprocessing.
        self.register_buffer("gain", _column([0.5 / std for std in architecture.std]), persistent=False)
        self.register_buffer(
            "offset",
            _column([(0.5 - m) / s for m, s in zip(architecture.mean, architecture.std, strict=True)]),
            persistent=False,
        )
        self._same_scale = architecture.mean == architecture.std == (0.5, 0.5, 0.5)
        patch_backbone(network)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def members(self) -> tuple[BinaryClassifier, ...]:
        """The networks that answer: this one alone."""
        return (self,)

    def forward(self, frames: Tensor) -> Tensor:
        """Logit of the positive class.

        Args:
            frames: (N, 3, H, W) float in [-1, 1].

        Returns:
            (N,) logits.
        """
        logits: Tensor = self.network(self._to_backbone_scale(frames)).logits
        return logits.squeeze(-1)

    def features(self, frames: Tensor) -> Tensor:
        """What the last layer sees: (N, D) features of (N, 3, H, W) frames in [-1, 1]."""
        seen: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        try:
            self.forward(frames)
        finally:
            hook.remove()
        return seen[0].flatten(1)

    def classify_features(self, features: Tensor) -> Tensor:
        """What the last layer makes of (N, D) features: (N,) logits."""
        logits: Tensor = self.head(features)
        return logits.squeeze(-1)

    def base_parameters(self) -> list[nn.Parameter]:
        """Every parameter but those of the last layer."""
        of_head = {id(parameter) for parameter in self.head.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in of_head]

    def _to_backbone_scale(self, frames: Tensor) -> Tensor:
        if self._same_scale:
            return frames
        return frames * self.get_buffer("gain") + self.get_buffer("offset")


def rebuild(architecture: Architecture, state: dict[str, Tensor]) -> BinaryClassifier:
    """Build a network from its saved architecture and weights, in evaluation mode.

    Raises:
        BundleError: The weights do not belong to the architecture.
    """
    from transformers import AutoConfig, AutoModelForImageClassification

    options = {key: value for key, value in architecture.transformers_config.items() if key != "model_type"}
    settings = AutoConfig.for_model(architecture.transformers_config["model_type"], **options)
    with torch.random.fork_rng(devices=[]):
        network = AutoModelForImageClassification.from_config(settings)
    classifier = BinaryClassifier(network, architecture=architecture)
    try:
        classifier.network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise BundleError(f"the saved weights do not fit the saved architecture: {error}") from error
    return classifier.eval()


def resolve_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means on this machine.

    Raises:
        ConfigError: ``cuda`` was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: no CUDA device can be used here; take --device cpu or --device auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _last_linear(network: nn.Module) -> nn.Linear:
    single = [module for module in network.modules() if isinstance(module, nn.Linear) and module.out_features == 1]
    if len(single) != 1:
        raise ConfigError("the backbone has no single linear classification layer, so it cannot be made binary")
    return single[0]


def _column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
