"""The words on and under the figure of an explained frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonoproof.explanation.baselines import BASELINE_WORDS
from sonoproof.reporting.text import visible_text

__all__ = ["figure_caption", "gap_words", "gate_words", "title_lines"]

Json = Mapping[str, Any]

_PART_WORDS = {"val": "validation", "test": "test"}
_LONGEST_NAME = 40


def title_lines(item: Json, content: Json) -> list[str]:
    """The heading of the figure: what is explained, of which frame, and how far it can be believed.

    Args:
        item: The frame's record in ``explanations.json``.
        content: The whole of ``explanations.json``.
    """
    return [
        f"Explains the logit of “{_name(item['explained_class'])}” · probability {item['probability']:.3f} · "
        f"{_label_words(item)}",
        f"Frame {_name(item['image_id'])} · group {_name(item['group'])} · {_kind_words(item, content)}",
        "Completeness gap of the integrated gradients: " + "; ".join(map(gap_words, item["baselines"])),
        f"{gate_words(content.get('gate'))} · {_sector_words(item)}",
    ]


def gap_words(result: Json) -> str:
    """The completeness of one baseline: ``from the blurred frame 0.8 % (converged)``."""
    start = f"from {BASELINE_WORDS[result['name']]}"
    if result["gap"] is None:
        return f"{start} undefined, as both have the same logit (NOT CONVERGED)"
    reached = "converged" if result["converged"] else "NOT CONVERGED"
    return f"{start} {_percent(result['gap'])} ({reached})"


def gate_words(gate: Json | None) -> str:
    """The verdict of the trust gate on the method, as it is stamped on every figure."""
    if gate is None:
        return "Trust gate: not run"
    checks = gate["checks"]
    failed = [check["name"].replace("_", " ") for check in checks if not check["passed"]]
    if failed:
        return f"Trust gate: FAILED ({', '.join(failed)}) – do not rely on these maps"
    return f"Trust gate: passed ({len(checks)} of {len(checks)} checks)"


def figure_caption(item: Json, content: Json) -> str:
    """A caption that can stand in a paper: it says what every panel, colour and number is."""
    negative, positive = (_name(content["classes"][key]) for key in ("negative", "positive"))
    explained = _name(item["explained_class"])
    scale = content["scale"]
    results = item["baselines"]
    gaps = "; ".join(
        f"{gap_words(result)}, with {result['steps_used']} points of the path and a logit difference of "
        f"{_signed(result['logit_difference'])}"
        for result in results
    )
    maps, curves = _letters(2, len(results)), _letters(2 + len(results), len(results))
    return (
        f"Explanation of one frame ({_name(item['image_id'])}, group {_name(item['group'])}; "
        f"{_kind_words(item, content)}). The quantity explained is the logit of the class “{explained}”, the class "
        f"predicted, {_signed(item['logit'])} (probability {item['probability']:.3f}); {_label_words(item)}. "
        "(A) The frame as the network receives it. "
        "(B) Saliency: the largest absolute gradient of that logit over the three channels, in logits per unit of "
        f"network input (the whole grey range is 2 units); full colour at {scale['saliency']:.2g}. "
        f"({maps}) Integrated gradients, summed over the channels, in logits a pixel: orange pixels push towards "
        f"“{positive}”, blue pixels towards “{negative}”, full colour at {scale['integrated_gradients']:.2g}. Maps are "
        f"averaged with a Gaussian of {scale['sigma_px']:.1f} px for display, which keeps their sum; both scales end "
        f"at the {scale['percentile']:g}th percentile over all frames explained of this part. "
        f"({curves}) Probability of “{explained}” and mean absolute gradient of its logit along the straight path from "
        "the baseline (α = 0) to the frame (α = 1): where the gradient has fallen to zero it is saturated and a "
        f"saliency map says nothing. Completeness, {gaps}; the limit is {_percent(content['tolerance'])}. "
        f"{gate_words(content.get('gate'))}; {_sector_words(item)}. "
        "An attribution shows what moved this model, not where disease is."
    )


def _sector_words(item: Json) -> str:
    sector = item["shares"]["sector"]
    if sector["attribution"] is None:
        return "no attribution"
    return f"{sector['attribution']:.0%} of the attribution is inside the sector ({sector['area']:.0%} of the picture)"


def _letters(start: int, count: int) -> str:
    letters = [chr(ord("A") + start + number) for number in range(count)]
    return ", ".join(letters)


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
