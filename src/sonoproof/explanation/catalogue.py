"""The attribution methods: how each is called and described, and where its function is.

Figures and reports read this without loading the networks' libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Method:
    """An attribution method.

    Attributes:
        title: Its name for readers.
        function: Where the function is that maps the logit of a class and a frame, as ``module:function``; see
            `sonoproof.explanation.methods`.
        unit: Unit under its colour bar; that of a signed method is at the bar's middle.
        caption: What its panel shows, the beginning of a sentence that the colours complete.
        signed: Whether its values have a sign, towards the explained class or away from it.
    """

    title: str
    function: str
    unit: str
    caption: str
    signed: bool = False


_GRADIENT_UNIT = "in logits per unit of network input (the whole grey range is 2 units)"
_MODULE = "sonoproof.explanation.methods"

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "saliency": Method(
            title="Saliency",
            function=f"{_MODULE}:saliency",
            unit="|gradient of the logit|, per unit of input",
            caption=f"Saliency: the largest absolute gradient of that logit over the three channels, {_GRADIENT_UNIT}",
        ),
        "integrated_gradients": Method(
            title="Integrated gradients",
            function=f"{_MODULE}:mean_integrated_gradients",
            unit="0 logits per pixel",
            caption="Integrated gradients, summed over the channels, in logits per pixel",
            signed=True,
        ),
        "smoothgrad": Method(
            title="SmoothGrad",
            function=f"{_MODULE}:smoothgrad",
            unit="|mean gradient of the logit|, per unit of input",
            caption="SmoothGrad: the absolute mean gradient over noisy copies of the frame, largest over the channels, "
            f"{_GRADIENT_UNIT}",
        ),
        "grad_cam": Method(
            title="Grad-CAM",
            function=f"{_MODULE}:grad_cam",
            unit="weighted features, arbitrary unit",
            caption="Grad-CAM: features of the last convolutional layer, weighted by the mean gradient of that logit, "
            "positive part, enlarged to the frame",
        ),
        "occlusion": Method(
            title="Occlusion",
            function=f"{_MODULE}:occlusion",
            unit="0 logits",
            caption="Occlusion: the drop in that logit when a patch is replaced by the baseline, in logits",
            signed=True,
        ),
    }
)

# Saliency and integrated gradients are computed for every explained frame, the others on request.
FURTHER_METHODS = tuple(name for name in METHODS if name not in ("saliency", "integrated_gradients"))
