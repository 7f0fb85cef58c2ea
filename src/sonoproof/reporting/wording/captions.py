"""The words on and under the figure of an explained frame."""

from __future__ import annotations

from dataclasses import dataclass

from sonoproof.explanation.baselines import BASELINES
from sonoproof.explanation.catalogue import METHODS
from sonoproof.parts import Part
from sonoproof.reporting.wording.text import visible_text
from sonoproof.types import Json

_DEFAULT_METHODS = ("saliency", "integrated_gradients")
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
    title = METHODS[kind].title if kind in METHODS else kind
    return f"{title} ({baseline_title(baseline)})" if baseline else title


def baseline_title(name: str) -> str:
    """A baseline in a title: ``blurred baseline``."""
    return BASELINES[name].title if name in BASELINES else f"{name} baseline"


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
    """The completeness gap from one baseline: ``from the blurred frame 0.8 % (converged)``."""
    start = f"from {BASELINES[result['name']].words}"
    if result["gap"] is None:
        return f"{start} undefined, as both have the same logit (NOT CONVERGED)"
    reached = "converged" if result["converged"] else "NOT CONVERGED"
    return f"{start} {format_percent(result['gap'])} ({reached})"


def gate_words(content: Json) -> str:
    """The trust gate's verdict on integrated gradients; those on other methods are in the titles of their panels."""
    gate = content.get("gate")
    if gate is None:
        return "Trust gate: not run"
    of = ", integrated gradients" if content.get("further_gates") else ""
    return f"Trust gate{of}: {_verdict(gate)}"


def panel_verdict(panel: Panel, content: Json) -> str:
    """The verdict on the method of one panel, briefly; "" where it is in the heading, or there is none."""
    gates = {gate["method"]: gate for gate in content.get("further_gates") or []}
    if panel.kind not in gates:
        return ""
    passed = all(check["passed"] for check in gates[panel.kind]["checks"])
    return "trust gate passed" if passed else "trust gate FAILED"


def _all_gates(content: Json) -> str:
    further = content.get("further_gates") or []
    others = "".join(f"; {METHODS[gate['method']].title}: {_verdict(gate)}" for gate in further)
    return f"{gate_words(content)}{others}"


def _verdict(gate: Json) -> str:
    checks = gate["checks"]
    failed = [check["name"].replace("_", " ") for check in checks if not check["passed"]]
    if failed:
        return f"FAILED ({', '.join(failed)}) – do not rely on these maps"
    return f"passed ({len(checks)} of {len(checks)} checks)"


def figure_caption(item: Json, content: Json) -> str:
    """A caption fit for a paper: it explains every panel, colour and number."""
    explained = _name(item["explained_class"])
    scale = content["scale"]
    panels = " ".join(_panel_sentences(item, content))
    gaps = "; ".join(
        f"{gap_words(result)}, {result['steps_used']} path points, "
        f"logit difference {_signed(result['logit_difference'])}"
        for result in item["baselines"]
    )
    return (
        f"Explanation of one frame ({_name(item['image_id'])}, group {_name(item['group'])}; "
        f"{_kind_words(item, content)}). It explains the logit of the predicted class, “{explained}”: "
        f"{_signed(item['logit'])} (probability {item['probability']:.3f}); {_label_words(item)}. "
        f"{panels} For display, maps are smoothed with a Gaussian of {scale['sigma_px']:.1f} px, which preserves their "
        f"sum; every colour scale ends at the {scale['percentile']:g}th percentile of all explained frames of this "
        f"part. Completeness gap: {gaps}; the limit is {format_percent(content['tolerance'])}. "
        f"{_all_gates(content)}; {_sector_words(item)}. "
        "An attribution shows what moved this model, not where disease is."
    )


def _panel_sentences(item: Json, content: Json) -> list[str]:
    """A sentence for each kind of panel, after the letters of its panels."""
    letters: dict[str, list[str]] = {}
    for number, panel in enumerate(panels_of(item, content)):
        letters.setdefault(panel.kind, []).append(chr(ord("A") + number))
    sentences = _sentences(item, content)
    return [f"({', '.join(found)}) {sentences[kind]}" for kind, found in letters.items()]


def _sentences(item: Json, content: Json) -> dict[str, str]:
    negative, positive = (_name(content["classes"][key]) for key in ("negative", "positive"))
    signs = f"orange pushes towards “{positive}”, blue towards “{negative}”"
    methods = {
        kind: f"{method.caption}{f': {signs},' if method.signed else ';'} "
        f"full colour at {content['scale'].get(kind, 0.0):.2g}."
        for kind, method in METHODS.items()
    }
    return {
        "frame": "The frame as the network receives it.",
        **methods,
        "curves": f"Probability of “{_name(item['explained_class'])}” and mean absolute gradient of its logit along "
        "the straight path from the baseline (α = 0) to the frame (α = 1). Where the gradient has fallen to zero, the "
        "model is saturated and a saliency map says nothing.",
    }


def _sector_words(item: Json) -> str:
    sector = item["shares"]["sector"]
    if sector["attribution"] is None:
        return "no attribution"
    inside, area = (f"{sector[key]:.0%}" for key in ("attribution", "area"))
    return f"{inside} of the attribution is inside the sector, which is {area} of the picture"


def _label_words(item: Json) -> str:
    if not item["label"]:
        return "label unknown"
    verdict = "right" if item["label"] == item["predicted"] else "WRONG"
    return f"label “{_name(item['label'])}” ({verdict})"


def _kind_words(item: Json, content: Json) -> str:
    kind = "frames" if item["kind"] == "top" else "errors"
    return f"no. {item['rank']} of the most confident {Part(content['part']).title.lower()} {kind}"


def format_percent(share: float) -> str:
    """A share that may be above 1, in per cent: ``"0.8 %"``, ``"257 %"``."""
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _name(text: str) -> str:
    return visible_text(str(text), longest=_LONGEST_NAME) or "–"
