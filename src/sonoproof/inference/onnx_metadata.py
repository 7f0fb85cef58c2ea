"""An exported model in words, for who has the file and not Sonoproof: from the bytes of an image to the answer.

The words name operations, not intentions: what shrinks "by averaging" gives other probabilities with every library.
"""

from __future__ import annotations

from sonoproof.inference.model_spec import ModelSpec
from sonoproof.training.verdict import NOT_SURE, UNLIKE

__all__ = ["words_of"]

_DECODING = (
    "RGB, 8 bits a sample. Grey stands in all three channels; a palette is its colours. "
    "Samples of 16 bits: round(sample * 255 / white), white the smallest of 255, 4095 and 65535 that is not below the "
    "largest colour sample of the file; a TIFF in which zero is white is inverted. "
    "Alpha: round(colour * alpha / its largest value), laid on black; what is named transparent is black. "
    "Turned upright by the EXIF or TIFF orientation. Colour profiles and gamma are not applied. JPEG as libjpeg "
    "decodes by default (cv2.imread and Pillow give the same bytes); CMYK by Pillow's convert('RGB'). "
    "A file of several pages, LAB or floating-point pixels is refused. "
    "round() takes halves to the even number, here and below"
)


def words_of(card: ModelSpec) -> dict[str, str]:
    """What stands in an exported model's metadata for any reader, in the order in which it is needed.

    Args:
        card: What the model is, beside its network.
    """
    size, threshold = card.preprocessing.size, float(card.operating_point.threshold)
    return {
        "decoding": _DECODING,
        "before_input": _canvas(card),
        "input": f"frames: (n, {size}, {size}, 3) uint8, RGB, upright, not scaled; x/127.5-1 is in the graph",
        "output": f"logit and calibrated probability of the class {card.positive!r}, (n) each; "
        "the logit is that before calibration",
        "operating_point": f"{card.positive!r} from probability {threshold!r} on, else {card.negative!r}; "
        "`sonoproof predict` names it as `predicted`. not_sure and unlike go before it",
        "not_sure": _not_sure(card),
        "unlike": _unlike(card),
    }


def _canvas(card: ModelSpec) -> str:
    size = card.preprocessing.size
    extent = {
        "pad": f"longer = max(width, height); w = max(1, round({size} * width / longer)), "
        f"h = max(1, round({size} * height / longer))",
        "stretch": f"w = h = {size}, the aspect ratio not kept",
        "crop": "side = min(width, height); keep image[top : top + side, left : left + side] with "
        f"top = (height - side) // 2, left = (width - side) // 2, and go on with width = height = side; w = h = {size}",
    }[card.preprocessing.aspect]
    canvas = (
        f"Put it into a black canvas of {size} x {size} at row ({size} - h) // 2 and column ({size} - w) // 2. "
        if card.preprocessing.aspect == "pad"
        else ""
    )
    return (
        f"image: (height, width, 3) bytes as decoded. {extent}. "
        "First cv2.resize(image, (min(w, width), min(h, height)), interpolation=cv2.INTER_AREA), "
        "then cv2.resize(that, (w, h), interpolation=cv2.INTER_LINEAR_EXACT), both from bytes to bytes; "
        f"a step to the same size changes nothing. {canvas}"
        "INTER_AREA weighs each pixel by the share of it that is covered: Pillow's BOX, INTER_AREA in one step where "
        "one side grows, and averages that are not rounded to bytes give other answers"
    )


def _not_sure(card: ModelSpec) -> str:
    abstention = card.abstention
    if not abstention.error:
        return f"never: every frame is answered with its class, or {UNLIKE!r}"
    limit = float(abstention.quantile)
    return (
        f"{NOT_SURE!r} is the answer unless the class called, and no other, is possible. "
        f"With p = 1 / (1 + exp(-logit)), of the output `logit`, which is not the calibrated one, {card.positive!r} is "
        f"possible if 1 - p <= {limit!r}, and {card.negative!r} if p <= {limit!r}. "
        "The graph does not compute it; its logit suffices"
    )


def _unlike(card: ModelSpec) -> str:
    if card.likeness is None:
        return "not known: what the training frames look like was not learned; no frame is called unlike them"
    return (
        f"{UNLIKE!r} is the answer, before any other, where the distance of the canvas to the training frames, as a "
        "share of the limit, is more than 1. "
        "It is NOT in the graph and cannot be had from its outputs: without it a "
        "photograph or noise is answered with a class. `sonoproof predict` on this file computes it, as does "
        "sonoproof.training.novelty.NoveltyScorer.from_dict(card['likeness']).score(frames), which needs numpy and "
        "OpenCV; card is the JSON of the metadata `sonoproof`, with the reference (points, centre, spread, limit)"
    )
