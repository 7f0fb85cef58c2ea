"""An exported model described for readers who have the file but not Sonoproof: from an image's bytes to the answer.

The descriptions name operations, not intentions: shrinking "by averaging" gives other probabilities with every library.
"""

from __future__ import annotations

from sonoproof.data.frames.depth import OVERLAY_SHARE
from sonoproof.training.model_spec import ModelSpec
from sonoproof.training.verdict import NOT_SURE, UNLIKE

_DECODING = (
    "RGB, 8 bits per sample. A grey image has the same value in all three channels; a palette is replaced by its "
    "colours. Samples of 16 bits: {samples}; a TIFF in which zero is white is inverted. "
    "Alpha: round(colour * alpha / its largest value), on black; transparent colours become black. "
    "Turned upright by the EXIF or TIFF orientation. Colour profiles and gamma are not applied. JPEG is decoded as "
    "libjpeg does by default (cv2.imread and Pillow give the same bytes); CMYK as by Pillow's convert('RGB'). "
    "Files of several pages, LAB and floating-point pixels are refused. "
    "round() rounds halves to the even number, here and below"
)
_OWN_DEPTH = (
    "round(sample * 255 / white), where white is the smallest of 255, 4095 and 65535 that is not below the largest "
    "colour sample of the file"
)
_RESIZING = (
    "First cv2.resize(image, (min(w, width), min(h, height)), interpolation=cv2.INTER_AREA), "
    "then cv2.resize(that, (w, h), interpolation=cv2.INTER_LINEAR_EXACT), both from bytes to bytes; "
    "a step to the same size changes nothing."
)
_INTER_AREA = (
    "INTER_AREA weighs each pixel by the share of it that is covered: Pillow's BOX, INTER_AREA in one step where "
    "one side grows, and averages that are not rounded to bytes give other answers"
)
_NOVELTY = (
    f"The answer is {UNLIKE!r}, before any other, where the novelty score is above 1: the distance of the canvas to "
    "the training frames, as a share of a limit. The graph does NOT compute it, and it cannot be derived from the "
    "outputs; without it, a photograph or noise is answered with a class. `sonoproof predict` on this file computes "
    "it, as does sonoproof.training.novelty.NoveltyScorer.from_dict(card['likeness']).score(frames), which needs numpy "
    "and OpenCV; "
    "card is the JSON of the entry `sonoproof`, with what the score compares with (points, centre, spread, limit)"
)


def describe(spec: ModelSpec) -> dict[str, str]:
    """The entries of an exported model's metadata that any reader understands, in the order in which they are needed.

    Args:
        spec: What the model is, apart from its network.
    """
    size, classes = spec.preprocessing.size, spec.classes
    threshold = float(spec.decision.operating_point.threshold)
    return {
        "decoding": _DECODING.format(samples=_describe_depth(spec.preprocessing.bits)),
        "before_input": _describe_canvas(spec),
        "input": f"frames: (n, {size}, {size}, 3) uint8, RGB, upright, not scaled; x/127.5-1 is in the graph",
        "output": f"logit and calibrated probability of the class {classes.positive!r}, (n) each; "
        "the logit is the one before calibration",
        "operating_point": f"{classes.positive!r} from probability {threshold!r} on, else {classes.negative!r}; "
        "`sonoproof predict` calls this `predicted`. not_sure and unlike take precedence over it",
        "not_sure": _describe_abstention(spec),
        "unlike": _NOVELTY
        if spec.novelty is not None
        else f"not known: what the training frames look like was not learned; no answer is {UNLIKE!r}",
    }


def _describe_depth(bits: int | None) -> str:
    if bits is None:
        return _OWN_DEPTH
    white = 2**bits - 1
    return (
        f"round(min(sample, {white}) * 255 / {white}), whatever the file's own largest sample is; a file with more "
        f"than {100 * OVERLAY_SHARE:g} % of its colour samples above {white} is refused"
    )


def _describe_canvas(spec: ModelSpec) -> str:
    size = spec.preprocessing.size
    extent = {
        "pad": f"longer = max(width, height); w = max(1, round({size} * width / longer)), "
        f"h = max(1, round({size} * height / longer))",
        "stretch": f"w = h = {size}, the aspect ratio not kept",
        "crop": "side = min(width, height); keep image[top : top + side, left : left + side] with "
        f"top = (height - side) // 2, left = (width - side) // 2, then set width = height = side; w = h = {size}",
    }[spec.preprocessing.aspect]
    canvas = f"Put it into a black canvas of {size} x {size} at row ({size} - h) // 2 and column ({size} - w) // 2. "
    return (
        f"image: (height, width, 3) bytes as decoded. {extent}. {_RESIZING} "
        f"{canvas if spec.preprocessing.aspect == 'pad' else ''}{_INTER_AREA}"
    )


def _describe_abstention(spec: ModelSpec) -> str:
    abstention, classes = spec.decision.abstention, spec.classes
    if not abstention.error:
        return f"never: every frame is answered with its class, or {UNLIKE!r}"
    limit = float(abstention.quantile)
    return (
        f"The answer is {NOT_SURE!r} unless the predicted class is possible and the other is not. "
        f"With p = 1 / (1 + exp(-logit)), where logit is the output of that name, before calibration, "
        f"{classes.positive!r} is possible if 1 - p <= {limit!r}, and {classes.negative!r} if p <= {limit!r}. "
        "The graph does not compute it; its logit is enough"
    )
