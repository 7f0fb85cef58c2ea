"""What a setting may be, written beside its field and read from there."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sonoproof.errors import ConfigError

__all__ = ["NOT_A_SETTING", "Between", "Setting", "settings_of", "suggestion"]

NOT_A_SETTING = {"setting": False}
"""Metadata of a field that no file and no option may set."""


@dataclass(frozen=True)
class Between:
    """The range of a number, both ends included.

    Attributes:
        low: Lowest value.
        high: Highest value.
        unset: Number that stands for None in the settings files of earlier versions.
    """

    low: float
    high: float = math.inf
    unset: float | None = None

    def __str__(self) -> str:
        low, high = (f"{end:,.12g}" for end in (self.low, self.high))
        return f"at least {low}" if math.isinf(self.high) else f"between {low} and {high}"


@dataclass(frozen=True)
class Setting:
    """One key of a table: what it may hold.

    Attributes:
        key: Its name.
        default: Value where nothing is given.
        kind: ``bool``, ``int``, ``float`` or ``str``; of a list the type of its items.
        words: The values allowed, where only some are.
        is_list: Whether it holds several values.
        optional: Whether it may be left open (None).
        limits: Range of a number.
    """

    key: str
    default: Any
    kind: type
    words: tuple[str, ...]
    is_list: bool
    optional: bool
    limits: Between | None

    def checked(self, value: Any, *, name: str) -> Any:
        """The value as the table holds it.

        Args:
            value: As read from TOML or the command line.
            name: What the message calls it, with where it came from.

        Raises:
            ConfigError: It is of the wrong type, out of range or not one of the words.
        """
        if self.is_list:
            return self._checked_list(value, name=name)
        if self.optional and (value is None or value == "" or self._was_unset(value)):
            return None
        if self.words and value not in self.words:
            raise ConfigError(f"{name} must be one of {', '.join(self.words)}, not {value!r}")
        return self._checked_number(self._converted(value, name=name), name=name)

    def _was_unset(self, value: Any) -> bool:
        unset = self.limits.unset if self.limits else None
        return unset is not None and value == unset and not isinstance(value, bool)

    def _converted(self, value: Any, *, name: str) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and (self.kind is str or (self.kind is float and isinstance(value, int))):
            return self.kind(value)
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise ConfigError(f"{name} must be {_KINDS[self.kind]}, not {value!r}")
        return value

    def _checked_number(self, value: Any, *, name: str) -> Any:
        # NaN lies in no range.
        if self.limits is not None and not self.limits.low <= value <= self.limits.high:
            raise ConfigError(f"{name} must be {self.limits}, not {value!r}")
        return value

    def _checked_list(self, value: Any, *, name: str) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{name} must be a list of strings, not {value!r}")
        if self.words:
            unknown = [item for item in items if item not in self.words]
            if unknown:
                raise ConfigError(f"{name} cannot be {unknown[0]!r}{suggestion(unknown[0], self.words)}")
            if not items or len(set(items)) != len(items):
                raise ConfigError(f"{name} must name at least one of {', '.join(self.words)}, and none of them twice")
        return tuple(items)


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def settings_of(table: type) -> dict[str, Setting]:
    """The settings of a table's class by key, in the order of its fields."""
    hints = typing.get_type_hints(table, include_extras=True)
    return {
        field.name: _setting(field, hints[field.name])
        for field in dataclasses.fields(table)
        if field.metadata.get("setting", True) and not dataclasses.is_dataclass(hints[field.name])
    }


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _setting(field: dataclasses.Field[Any], hint: Any) -> Setting:
    limits = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, limits = typing.get_args(hint)
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        hint = typing.get_args(hint)[0]
    is_list = typing.get_origin(hint) is tuple
    if is_list:
        hint = typing.get_args(hint)[0]
    words = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    kind = str if words else hint
    return Setting(field.name, field.default, kind, words, is_list=is_list, optional=optional, limits=limits)
