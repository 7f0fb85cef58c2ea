"""A value held to what is written beside its field."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal

from sonoproof.config.tables import Between
from sonoproof.errors import ConfigError

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def settings_of(table: type) -> dict[str, Any]:
    """The settings of a table by key, each with the annotation of its field."""
    hints = typing.get_type_hints(table, include_extras=True)
    keys = (field.name for field in dataclasses.fields(table) if field.metadata.get("setting", True))
    return {key: hints[key] for key in keys if not dataclasses.is_dataclass(hints[key])}


def checked(value: Any, hint: Any, *, name: str) -> Any:
    """The value as its table holds it.

    Args:
        value: As read from TOML or the command line.
        hint: Annotation of the field.
        name: What a message calls the setting, with where the value came from.

    Raises:
        ConfigError: It is of the wrong type, out of range or not one of the words.
    """
    hint, *limits = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
    if typing.get_origin(hint) is types.UnionType:
        if value is None or value == "" or any(limit.is_unset(value) for limit in limits):
            return None
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is tuple:
        return _checked_list(value, words=typing.get_args(typing.get_args(hint)[0]), name=name)
    if typing.get_origin(hint) is Literal:
        words = typing.get_args(hint)
        if value not in words:
            raise ConfigError(f"{name} must be one of {', '.join(words)}, not {value!r}")
        return value
    return _in_range(_converted(value, hint, name=name), limits, name=name)


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _converted(value: Any, kind: type, *, name: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and (kind is str or (kind is float and isinstance(value, int))):
        return kind(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{name} must be {_KINDS[kind]}, not {value!r}")
    return value


def _in_range(value: Any, limits: list[Between], *, name: str) -> Any:
    for limit in limits:
        if not limit.low <= value <= limit.high:  # NaN lies in no range
            raise ConfigError(f"{name} must be {limit}, not {value!r}")
    return value


def _checked_list(value: Any, *, words: tuple[Any, ...], name: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ConfigError(f"{name} must be a list of strings, not {value!r}")
    unknown = [item for item in items if words and item not in words]
    if unknown:
        raise ConfigError(f"{name} cannot be {unknown[0]!r}{suggestion(unknown[0], words)}")
    if words and (not items or len(set(items)) != len(items)):
        raise ConfigError(f"{name} must name at least one of {', '.join(words)}, and none of them twice")
    return tuple(items)
