"""What a saved model is, beside its network: names, preprocessing, calibration, operating point. Needs no torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import BundleError
from sonoproof.training.novelty import NoveltyScorer
from sonoproof.training.verdict import Decided, Decision

if TYPE_CHECKING:
    from sonoproof.training.bundle import ModelBundle

__all__ = ["CARD_VERSION", "ModelSpec"]

# Raised whenever what stands in a card changes; an exported model in a run folder of another version is made anew.
CARD_VERSION = 2


@dataclass(frozen=True)
class ModelSpec(Decided):
    """What turns a network's logits into answers.

    Attributes:
        negative: Name of the negative class.
        positive: Name of the positive class.
        preprocessing: How a frame becomes the network's input.
        decision: How a logit becomes a probability, a call and an answer.
        likeness: What the training frames look like; None where it was not learned.
        cohort_sha256: Hash of the records that the model was trained on.
    """

    negative: str
    positive: str
    preprocessing: Preprocessing
    decision: Decision
    likeness: NoveltyScorer | None = None
    cohort_sha256: str = ""

    @classmethod
    def of_bundle(cls, bundle: ModelBundle) -> ModelSpec:
        """The card of a loaded bundle."""
        return cls(
            negative=bundle.negative,
            positive=bundle.positive,
            preprocessing=bundle.preprocessing,
            decision=bundle.decision,
            likeness=bundle.likeness,
            cohort_sha256=bundle.cohort_sha256,
        )

    def to_json(self) -> str:
        """The card as it stands in an exported model's metadata."""
        content = {
            "card_version": CARD_VERSION,
            "classes": {"negative": self.negative, "positive": self.positive},
            "preprocessing": self.preprocessing.to_dict(),
            **dataclasses.asdict(self.decision),
            "likeness": self.likeness.to_dict() if self.likeness is not None else None,
            "cohort_sha256": self.cohort_sha256,
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """The card that `to_json` wrote.

        Raises:
            BundleError: It is damaged or of a newer version.
        """
        try:
            return cls._from_content(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"the description of the model cannot be read ({error!r}); export it again") from error

    @classmethod
    def _from_content(cls, content: Mapping[str, Any]) -> ModelSpec:
        if content["card_version"] > CARD_VERSION:
            raise BundleError(f"the model was exported by a newer Sonoproof (card {content['card_version']})")
        return cls(
            negative=content["classes"]["negative"],
            positive=content["classes"]["positive"],
            preprocessing=Preprocessing.from_dict(content["preprocessing"]),
            decision=Decision.from_dict(content),
            likeness=NoveltyScorer.from_dict(content["likeness"]) if content["likeness"] is not None else None,
            cohort_sha256=content["cohort_sha256"],
        )
