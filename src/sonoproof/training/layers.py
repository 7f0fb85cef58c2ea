"""What is changed in the layers of a backbone of ``transformers``: defects repaired, passes over memory saved."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# A random network learns in tens of steps per epoch: running statistics must follow that fast.
BATCH_NORM_MOMENTUM = 0.1
# Frames on which batch norm statistics are estimated: more give no better mean.
SETTLE_FRAMES = 512
# Layers that are known to convolve, then normalise, then activate. Others share the names of the parts, not the order.
CONVOLUTION_FIRST = ("MobileNetV1ConvLayer", "MobileNetV2ConvLayer")


def patch_backbone(network: nn.Module) -> None:
    """Change the layers of a backbone in place; names, shapes and values of its weights stay as they are.

    What a maintainer who adds a backbone has to know:

    - Every batch norm gets PyTorch's momentum. ``transformers`` copies TensorFlow's 0.9997, which PyTorch reads as the
      weight of the newest batch, so that running statistics would be those of the last batch alone.
    - A layer with a ``convolution`` that pads as TensorFlow does (``config.tf_padding``) and has stride 1 pads within
      the convolution: one pass over the activations less, and the same bits.
    - In the layers named in `CONVOLUTION_FIRST`, the *classes* of convolution and batch norm are exchanged, so that the
      convolution does the work of the batch norm while its statistics are frozen. The norm then returns its input
      unchanged: a hook on it sees the normalised features, a hook on the convolution too. The layers are chosen by the
      names of their classes because the parts alone do not tell the order: other layers have a ``convolution`` and a
      ``normalization`` and normalise first, or add something in between. Add a name only after reading the layer's
      ``forward``, and to ``tests/unit/training/test_layers.py``, which compares logits and gradients with the network
      as ``transformers`` publishes it.

    A backbone that none of this fits is left as it is, and works; it is only slower.
    """
    for norm in batch_norms(network):
        norm.momentum = BATCH_NORM_MOMENTUM
    for layer in network.modules():
        if isinstance(getattr(layer, "convolution", None), nn.Conv2d):
            _pad_within_convolution(layer)
            _fold_frozen_norm(layer)


def batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """The batch norms of a network."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@torch.no_grad()
def settle_batch_norm(
    network: nn.Module, batches: Iterable[Tensor], *, device: torch.device, norms: Sequence[_BatchNorm] | None = None
) -> None:
    """Replace running statistics by those of the present weights, averaged over batches of frames.

    The exponential average lags behind weights that move fast, and after few steps it is hardly more than its start
    value (Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3: precise batch norm).

    Args:
        network: The network; it ends in the mode, training or evaluation, that it was in.
        batches: Frames in [-1, 1], (N, 3, H, W) each.
        device: Where the network is.
        norms: The batch norms to settle; None for every one.
    """
    settled = batch_norms(network) if norms is None else norms
    if not settled:
        return
    was_training = network.training
    momenta = [norm.momentum for norm in settled]
    network.eval()
    for norm in settled:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's way to ask for a plain average over all batches
        norm.train()
    for frames in batches:
        network(frames.to(device))
    for norm, momentum in zip(settled, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)


def fold_batch_norm(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that does the work of a convolution without bias and of the norm behind it.

    With frozen statistics both are linear: ``norm(conv(x, w)) = conv(x, w * scale) + shift``, with
    ``scale = gamma / sqrt(var + eps)`` and ``shift = beta - mean * scale``. Not ``torch.nn.utils.fusion``, whose shift
    differs in the last bit, and with it every prediction.

    Args:
        weight: The weight of the convolution, (C, ...).
        norm: The batch norm of C channels.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


class _FoldedBatchNorm(nn.BatchNorm2d):
    """Batch norm that leaves its work to the convolution before it while its statistics are frozen."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features, unless that is done."""
        return super().forward(features) if self.training else features


class _FoldingConvolution(nn.Conv2d):
    """Convolution that does the work of the batch norm behind it while that one's statistics are frozen.

    The folded weights are computed in each pass from the weights as they are, so that gradients reach all weights and
    nothing can be out of date. Compared with the activations of a batch that costs little; a single frame gains
    nothing by it.
    """

    _norm: tuple[_FoldedBatchNorm]

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (N, C, H, W) features."""
        (norm,) = self._norm
        if norm.training:
            return super().forward(features)
        weight, bias = fold_batch_norm(self.weight, norm)
        return F.conv2d(features, weight, bias, self.stride, self.padding, self.dilation, self.groups)


def _pad_within_convolution(layer: Any) -> None:
    """Let a stride-1 convolution pad itself instead of a separate padding pass over the activations.

    At stride 1 TensorFlow's "same" padding is symmetric, so the result is equal to the bit; at stride 2 it is not,
    and the layer is left as it is.
    """
    convolution: nn.Conv2d = layer.convolution
    settings: Any = getattr(layer, "config", None)
    if not getattr(settings, "tf_padding", False) or convolution.stride != (1, 1) or convolution.padding != (0, 0):
        return
    convolution.padding = tuple(side // 2 for side in convolution.kernel_size)
    padded_by_itself = copy.copy(settings)
    padded_by_itself.tf_padding = False
    layer.config = padded_by_itself


def _fold_frozen_norm(layer: Any) -> None:
    convolution, norm = layer.convolution, getattr(layer, "normalization", None)
    foldable = (
        type(layer).__name__ in CONVOLUTION_FIRST
        and type(convolution) is nn.Conv2d
        and type(norm) is nn.BatchNorm2d
        and convolution.bias is None
        and convolution.padding_mode == "zeros"
        and norm.affine
        and norm.track_running_stats
    )
    if foldable:
        convolution.__class__, norm.__class__ = _FoldingConvolution, _FoldedBatchNorm
        convolution._norm = (norm,)  # in a tuple, or its weights would be listed twice
