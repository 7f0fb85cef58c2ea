"""The two classes of a cohort, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Classes:
    """Names of the two classes.

    Attributes:
        negative: Name of the negative class.
        positive: Name of the positive class, to which every metric, probability and logit refers.
    """

    negative: str
    positive: str

    def __post_init__(self) -> None:
        if not self.negative or not self.positive or self.negative == self.positive:
            raise ValueError(f"two different class names are needed, not {self.negative!r} and {self.positive!r}")

    @property
    def names(self) -> tuple[str, str]:
        """The negative name, then the positive one."""
        return (self.negative, self.positive)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The classes from the keys ``negative`` and ``positive`` of a file of the run."""
        return cls(negative=content["negative"], positive=content["positive"])
