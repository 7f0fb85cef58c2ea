"""What is changed in the layers of a backbone of ``transformers``: defects mended, passes over memory saved.

Names and shapes of the weights stay as they are.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["batch_norms", "patch_backbone"]

# A random network learns in tens of steps an epoch: running statistics must follow that fast.
BATCH_NORM_MOMENTUM = 0.1
# Layers that are known to convolve, then normalise, then activate. Others share the names of the parts, not the order.
CONVOLUTION_FIRST = ("MobileNetV1ConvLayer", "MobileNetV2ConvLayer")


def patch_backbone(network: nn.Module) -> None:
    """Change a network in place: the momentum of batch norm, padding, frozen batch norm."""
    for norm in batch_norms(network):
        # ``transformers`` carries TensorFlow's 0.9997 over as it is; PyTorch reads it as the weight of the newest
        # batch, and the running statistics become those of the last batch alone.
        norm.momentum = BATCH_NORM_MOMENTUM
    for layer in network.modules():
        if isinstance(getattr(layer, "convolution", None), nn.Conv2d):
            _fold_same_padding(layer)
            _fold_frozen_norm(layer)


def batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """The batch norms of a network."""
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


class _FoldedBatchNorm(nn.BatchNorm2d):
    """Batch norm that leaves its work to the convolution before it while its statistics are frozen."""

    @property
    def folded(self) -> bool:
        """Whether the convolution does the work now."""
        return not self.training

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features, unless that is done."""
        return features if self.folded else super().forward(features)


class _FoldingConvolution(nn.Conv2d):
    """Convolution that does the work of the batch norm behind it while that one's statistics are frozen.

    Both are linear then: ``norm(conv(x, w)) = conv(x, w * scale) + shift``, with ``scale = gamma / sqrt(var + eps)``
    and ``shift = beta - mean * scale``. They are computed in each pass from the weights as they are, so that
    gradients reach all weights and nothing can be out of date. Beside the activations of a batch that costs little; a
    single frame gains nothing by it.
    """

    _norm: tuple[_FoldedBatchNorm]

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (N, C, H, W) features."""
        norm = self._norm[0]
        if not norm.folded:
            return super().forward(features)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        weight = self.weight * scale[:, None, None, None]
        return F.conv2d(features, weight, shift, self.stride, self.padding, self.dilation, self.groups)


def _fold_same_padding(layer: Any) -> None:
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
