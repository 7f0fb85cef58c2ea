"""Writes ``settings.md`` from the tables in `sonoproof.config`: ``python docs/settings_page.py``."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

from sonoproof.config import TABLES, Config, Setting, settings_of

PAGE = Path(__file__).with_name("settings.md")
INTRODUCTION = """\
# Settings

<!-- Written by docs/settings_page.py from src/sonoproof/config/tables.py: change it there, then run `make docs`. -->

Give a setting on the command line as `--set table.key=value`, or in a TOML file with `--config`; see
[index.md](index.md#settings). Where the default is "not set", the text says what is used instead; an empty value,
as in `--set fit.epochs=`, returns to it.
"""
KINDS = {int: "whole number", float: "number", str: "text"}


def settings_page() -> str:
    """The page: a section per table, a row per setting."""
    tables = typing.get_type_hints(Config)
    sections = [_section("seed", Config, prefix=""), *(_section(name, tables[name], f"{name}.") for name in TABLES)]
    return "\n".join([INTRODUCTION, *sections])


def _section(title: str, table: type, prefix: str) -> str:
    summary, meanings = _documentation(table)
    rows = [
        f"| `{prefix}{key}` | {_values(setting)} | {_default(setting)} | {meanings[key]} |"
        for key, setting in settings_of(table).items()
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


def _values(setting: Setting) -> str:
    if setting.kind is bool:
        return "`true` or `false`"
    if setting.words:
        words = [f"`{word}`" for word in setting.words]
        return ("any of " if setting.is_list else "") + ", ".join(words[:-1]) + f" or {words[-1]}"
    kind = KINDS[setting.kind]
    if setting.limits is not None:
        return f"{kind}, {setting.limits}"
    return f"list of {kind}s" if setting.is_list else kind


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "not set"
    if isinstance(setting.default, bool):
        return f"`{str(setting.default).lower()}`"
    if isinstance(setting.default, tuple):
        return ", ".join(f"`{item}`" for item in setting.default) or "none"
    return f"`{setting.default}`"


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
