"""What a saved model is, apart from its network: classes, preprocessing, decision, novelty. Needs no torch."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Self

from sonoproof.classes import Classes
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import BundleError
from sonoproof.training.novelty import NoveltyScorer
from sonoproof.training.verdict import Decision
from sonoproof.types import Json

# Raised whenever the content of `ModelSpec.to_json` changes; a model exported into a run folder by another version is
# exported again.
SPEC_VERSION = 2


@dataclass(frozen=True)
class ModelSpec:
    """What turns a network's logits into answers.

    Attributes:
        classes: Names of the classes.
        preprocessing: How a frame becomes the network's input.
        decision: How a logit becomes a probability, a predicted class and an answer.
        novelty: What the training frames look like; None where it was not learned.
        cohort_sha256: Hash of the records that the model was trained on.
    """

    classes: Classes
    preprocessing: Preprocessing
    decision: Decision = field(default_factory=Decision)
    novelty: NoveltyScorer | None = None
    cohort_sha256: str = ""

    def to_json(self) -> str:
        """The specification as text, for the metadata of an exported model."""
        content = {
            "card_version": SPEC_VERSION,
            "classes": dataclasses.asdict(self.classes),
            "preprocessing": self.preprocessing.to_dict(),
            **dataclasses.asdict(self.decision),
            "likeness": self.novelty.to_dict() if self.novelty is not None else None,
            "cohort_sha256": self.cohort_sha256,
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The specification that `to_json` wrote.

        Raises:
            BundleError: It is damaged, or was written by a newer version.
        """
        try:
            return cls._from_content(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"the description of the model cannot be read ({error!r}); export it again") from error

    @classmethod
    def _from_content(cls, content: Json) -> Self:
        if content["card_version"] > SPEC_VERSION:
            raise BundleError(f"the model was exported by a newer Sonoproof (version {content['card_version']})")
        return cls(
            classes=Classes.from_dict(content["classes"]),
            preprocessing=Preprocessing.from_dict(content["preprocessing"]),
            decision=Decision.from_dict(content),
            novelty=NoveltyScorer.from_dict(content["likeness"]) if content["likeness"] is not None else None,
            cohort_sha256=content["cohort_sha256"],
        )
