"""Writes ``settings.md`` from the tables in `sonoproof.config`: ``python docs/settings_page.py``."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from sonoproof.config import TABLES, Config, settings_of

PAGE = Path(__file__).with_name("settings.md")
INTRODUCTION = """\
# Settings

<!-- Written by docs/settings_page.py from src/sonoproof/config/tables.py: change it there, then run `make docs`. -->

Give a setting on the command line as `--set table.key=value`, or in a TOML file with `--config`; see
[index.md](index.md#settings). Where the default is "not set", the text says what is used instead; an empty value,
as in `--set fit.epochs=`, returns to it.
"""
KINDS = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}


def settings_page() -> str:
    """The page: a section per table, a row per setting."""
    tables = typing.get_type_hints(Config)
    sections = [_section("seed", Config, prefix=""), *(_section(name, tables[name], f"{name}.") for name in TABLES)]
    return "\n".join([INTRODUCTION, *sections])


def _section(title: str, table: type, prefix: str) -> str:
    summary, meanings = _documentation(table)
    rows = [
        f"| `{prefix}{key}` | {_values(hint)} | {_default(getattr(table, key))} | {meanings[key]} |"
        for key, hint in settings_of(table).items()
    ]
    head = ["| setting | values | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", summary, "", *head, *rows, ""])


def _documentation(table: type) -> tuple[str, dict[str, str]]:
    """What a table's docstring says of the table and, by key, of its settings; those of its base classes included."""
    summary, _, attributes = inspect.cleandoc(table.__doc__ or "").partition("\n\nAttributes:\n")
    inherited = _documentation(table.__base__)[1] if table.__base__ not in (None, object) else {}
    return _markdown(summary), inherited | dict(_attributes(inspect.cleandoc(attributes)))


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for entry in re.split(r"\n(?=\w+: )", text):
        key, _, meaning = entry.partition(": ")
        yield key, " ".join(_markdown(meaning).split())


def _markdown(text: str) -> str:
    return text.replace("``", "`")


def _values(hint: Any, *, of_list: bool = False) -> str:
    """What a setting may hold, from the annotation of its field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return f"{_values(arguments[0])}, {arguments[1]}"
    if origin is types.UnionType:
        return _values(arguments[0])
    if origin is tuple:
        return _values(arguments[0], of_list=True)
    if origin is Literal:
        words = [f"`{word}`" for word in arguments]
        return ("some of " if of_list else "") + ", ".join(words[:-1]) + (" and " if of_list else " or ") + words[-1]
    return f"list of {KINDS[hint]}s" if of_list else KINDS[hint]


def _default(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
