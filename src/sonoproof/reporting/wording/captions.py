"""The words on and under the figure of an explained frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sonoproof.explanation.baselines import BASELINE_WORDS
from sonoproof.reporting.wording.text import visible_text

__all__ = [
    "BAR_WORDS",
    "METHOD_WORDS",
    "Panel",
    "figure_caption",
    "gap_words",
    "gate_method",
    "gate_words",
    "panel_verdict",
    "panels_of",
    "title_lines",
]

Json = Mapping[str, Any]

METHOD_WORDS = {
    "saliency": "Saliency",
    "integrated_gradients": "Integrated gradients",
    "smoothgrad": "SmoothGrad",
    "grad_cam": "Grad-CAM",
    "occlusion": "Occlusion",
}
# Under the colour bar: the unit; of a signed method at its middle.
BAR_WORDS = {
    "saliency": "|gradient of the logit|, per unit of input",
    "integrated_gradients": "0 logits a pixel",
    "smoothgrad": "|mean gradient of the logit|, per unit of input",
    "grad_cam": "weighted features, arbitrary unit",
    "occlusion": "0 logits",
}
_DEFAULT_METHODS = ("saliency", "integrated_gradients")
_PART_WORDS = {"val": "validation", "test": "test"}
_LONGEST_NAME = 40


@dataclass(frozen=True)
class Panel:
    """One panel of the figure.

    Attributes:
        kind: ``frame``, ``curves`` or the name of a method.
        baseline: Baseline of integrated gradients and of curves, else "".
    """

    kind: str
    baseline: str = ""


def gate_method(gate: Json) -> str:
    """The method that a gate judged, with its baseline, for readers."""
    kind, _, baseline = str(gate.get("method", "maps")).partition(", ")
    return METHOD_WORDS.get(kind, kind) + (f" ({baseline})" if baseline else "")


def panels_of(item: Json, content: Json) -> list[Panel]:
    """The panels in their order: frame, maps of the methods asked for, then the curves of each baseline."""
    baselines = [result["name"] for result in item["baselines"]]
    maps: list[Panel] = []
    for method in content.get("methods") or _DEFAULT_METHODS:
        of_path = method == "integrated_gradients"
        maps += [Panel(method, name) for name in baselines] if of_path else [Panel(method)]
    return [Panel("frame"), *maps, *(Panel("curves", name) for name in baselines)]


def title_lines(item: Json, content: Json) -> list[str]:
    """The heading of the figure: what is explained, of which frame, and how far it can be believed.

    Args:
        item: The frame's record in ``explanations.json``.
        content: The whole of ``explanations.json``.
    """
    return [
        f"Explains the logit of “{_name(item['explained_class'])}” · probability {item['probability']:.3f} · "
        f"{_label_words(item)}",
        f"Frame {_name(item['image_id'])} · group {_name(item['group'])} · {_kind_words(item, content)} · "
        f"{_sector_words(item)}",
        "Completeness gap of the integrated gradients: " + "; ".join(map(gap_words, item["baselines"])),
        gate_words(content),
    ]


def gap_words(result: Json) -> str:
    """The completeness of one baseline: ``from the blurred frame 0.8 % (converged)``."""
    start = f"from {BASELINE_WORDS[result['name']]}"
    if result["gap"] is None:
        return f"{start} undefined, as both have the same logit (NOT CONVERGED)"
    reached = "converged" if result["converged"] else "NOT CONVERGED"
    return f"{start} {_percent(result['gap'])} ({reached})"


def gate_words(content: Json) -> str:
    """The verdict of the trust gate on integrated gradients; those on other methods stand over their panels."""
    gate = content.get("gate")
    if gate is None:
        return "Trust gate: not run"
    of = ", integrated gradients" if content.get("further_gates") else ""
    return f"Trust gate{of}: {_verdict(gate)}"


def panel_verdict(panel: Panel, content: Json) -> str:
    """The verdict on the method of one panel in two words; "" where the heading has it or none was passed."""
    gates = {gate["method"]: gate for gate in content.get("further_gates") or []}
    if panel.kind not in gates:
        return ""
    passed = all(check["passed"] for check in gates[panel.kind]["checks"])
    return "trust gate passed" if passed else "trust gate FAILED"


def _all_gates(content: Json) -> str:
    further = content.get("further_gates") or []
    others = "".join(f"; of {METHOD_WORDS[gate['method']]}: {_verdict(gate)}" for gate in further)
    return f"{gate_words(content)}{others}"


def _verdict(gate: Json) -> str:
    checks = gate["checks"]
    failed = [check["name"].replace("_", " ") for check in checks if not check["passed"]]
    if failed:
        return f"FAILED ({', '.join(failed)}) – do not rely on these maps"
    return f"passed ({len(checks)} of {len(checks)} checks)"


def figure_caption(item: Json, content: Json) -> str:
    """A caption that can stand in a paper: it says what every panel, colour and number is."""
    explained = _name(item["explained_class"])
    scale = content["scale"]
    panels = " ".join(_panel_sentences(item, content))
    gaps = "; ".join(
        f"{gap_words(result)}, with {result['steps_used']} points of the path and a logit difference of "
        f"{_signed(result['logit_difference'])}"
        for result in item["baselines"]
    )
    return (
        f"Explanation of one frame ({_name(item['image_id'])}, group {_name(item['group'])}; "
        f"{_kind_words(item, content)}). The quantity explained is the logit of the class “{explained}”, the class "
        f"predicted, {_signed(item['logit'])} (probability {item['probability']:.3f}); {_label_words(item)}. "
        f"{panels} Maps are averaged with a Gaussian of {scale['sigma_px']:.1f} px for display, which keeps their sum; "
        f"every colour scale ends at the {scale['percentile']:g}th percentile over all frames explained of this part. "
        f"Completeness, {gaps}; the limit is {_percent(content['tolerance'])}. "
        f"{_all_gates(content)}; {_sector_words(item)}. "
        "An attribution shows what moved this model, not where disease is."
    )


def _panel_sentences(item: Json, content: Json) -> list[str]:
    """A sentence for each kind of panel, with the letters of its panels."""
    letters: dict[str, list[str]] = {}
    for number, panel in enumerate(panels_of(item, content)):
        letters.setdefault(panel.kind, []).append(chr(ord("A") + number))
    sentences = _sentences(item, content)
    return [f"({', '.join(found)}) {sentences[kind]}" for kind, found in letters.items()]


def _sentences(item: Json, content: Json) -> dict[str, str]:
    negative, positive = (_name(content["classes"][key]) for key in ("negative", "positive"))
    signs = f"orange pushes towards “{positive}”, blue towards “{negative}”"
    ends = {kind: f"full colour at {content['scale'].get(kind, 0.0):.2g}" for kind in METHOD_WORDS}
    unit = "in logits per unit of network input (the whole grey range is 2 units)"
    return {
        "frame": "The frame as the network receives it.",
        "saliency": f"Saliency: the largest absolute gradient of that logit over the three channels, {unit}; "
        f"{ends['saliency']}.",
        "integrated_gradients": "Integrated gradients, summed over the channels, in logits a pixel: "
        f"{signs}, {ends['integrated_gradients']}.",
        "smoothgrad": "SmoothGrad: the absolute mean gradient over noisy copies of the frame, largest over the "
        f"channels, {unit}; {ends['smoothgrad']}.",
        "grad_cam": "Grad-CAM: features of the last convolutional layer, weighted by the mean gradient of that logit, "
        f"positive part, enlarged to the frame; {ends['grad_cam']}.",
        "occlusion": "Occlusion: the fall of that logit when a patch is replaced by the baseline, in logits: "
        f"{signs}, {ends['occlusion']}.",
        "curves": f"Probability of “{_name(item['explained_class'])}” and mean absolute gradient of its logit along "
        "the straight path from the baseline (α = 0) to the frame (α = 1): where the gradient has fallen to zero it is "
        "saturated and a saliency map says nothing.",
    }


def _sector_words(item: Json) -> str:
    sector = item["shares"]["sector"]
    if sector["attribution"] is None:
        return "no attribution"
    return f"{sector['attribution']:.0%} of the attribution is inside the sector ({sector['area']:.0%} of the picture)"


def _label_words(item: Json) -> str:
    if not item["label"]:
        return "label unknown"
    verdict = "right" if item["label"] == item["predicted"] else "WRONG"
    return f"label “{_name(item['label'])}” ({verdict})"


def _kind_words(item: Json, content: Json) -> str:
    part = _PART_WORDS.get(content["part"], content["part"])
    kind = "confident frame" if item["kind"] == "top" else "error by confidence"
    return f"{kind}, no. {item['rank']} of {part}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _name(text: str) -> str:
    return visible_text(str(text), longest=_LONGEST_NAME) or "–"
