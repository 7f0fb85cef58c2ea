"""Settings read from TOML and ``--set table.key=value``, and written back to ``RUN/config.toml``."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sonoproof.config.checking import checked, settings_of, suggestion
from sonoproof.config.tables import SEEDED_TABLES, TABLES, Config
from sonoproof.errors import ConfigError


def load_config(path: Path | None = None, *, settings: Sequence[str] = (), over: Config | None = None) -> Config:
    """Read a TOML file and apply ``table.key=value`` settings over it.

    Args:
        path: TOML file with one table per stage, or None for the defaults.
        settings: Settings as given to ``--set``; values are TOML (``0.2``, ``true``, ``["a", "b"]``), bare words
            are strings, and an empty value leaves an optional setting open.
        over: Configuration that both are laid over; None for the defaults.

    Raises:
        ConfigError: The file is missing or not valid TOML, or a table, key or value is not valid.
    """
    config = over or Config()
    if path is not None:
        config = override(config, _with_one_seed(_read_toml(path)), origin=str(path))
    for setting in settings:
        config = override(config, _parse_setting(setting), origin=f"--set {setting}")
    return config


def override(config: Config, values: Mapping[str, Any], *, origin: str) -> Config:
    """Return the configuration with ``table -> key -> value`` and the run's ``seed`` laid over it.

    Raises:
        ConfigError: A table, key or value is not valid; the message names ``origin``.
    """
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name == "seed":
            changed[name] = checked(value, settings_of(Config)[name], name=f"{origin}: {name}")
        elif name not in TABLES:
            raise ConfigError(f"{origin}: there is no table {name!r}{suggestion(name, TABLES)}")
        elif not isinstance(value, Mapping):
            raise ConfigError(f"{origin}: {name} must be a table of settings")
        else:
            changed[name] = _override_table(getattr(config, name), value, name=f"{origin}: {name}")
    return dataclasses.replace(config, **changed)


def to_toml(config: Config) -> str:
    """The configuration as TOML that `load_config` reads back to an equal object."""
    lines = [f"seed = {config.seed}", ""]
    for name in TABLES:
        table = getattr(config, name)
        lines += [f"[{name}]", *(_toml_line(key, getattr(table, key)) for key in settings_of(type(table))), ""]
    return "\n".join(lines)


def _override_table(current: Any, values: Mapping[str, Any], *, name: str) -> Any:
    settings = settings_of(type(current))
    for key in values:
        if key not in settings:
            raise ConfigError(f"{name} has no setting {key!r}{suggestion(key, settings)}")
    changed = {key: checked(value, settings[key], name=f"{name}.{key}") for key, value in values.items()}
    return dataclasses.replace(current, **changed)


def _parse_setting(setting: str) -> dict[str, Any]:
    name, equals, text = (part.strip() for part in setting.partition("="))
    table, dot, key = name.partition(".")
    if not equals or not table or bool(dot) != bool(key) or not (dot or table == "seed"):
        raise ConfigError(f"--set {setting}: write it as table.key=value, for example fit.epochs=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return {table: {key: value}} if dot else {table: value}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML ({error})") from error


def _with_one_seed(values: dict[str, Any]) -> dict[str, Any]:
    """One seed for the run, where an earlier version wrote three; the probes of the audit used that of ``evaluate``."""
    tables = {name: values.get(name) for name in SEEDED_TABLES}
    if "seed" in values or not all(isinstance(table, dict) and "seed" in table for table in tables.values()):
        return values
    seed = values["evaluate"]["seed"]
    following = {name: {**values[name], "seed": ""} for name in SEEDED_TABLES if values[name]["seed"] == seed}
    return {**values, **following, "seed": seed}


def _toml_line(key: str, value: Any) -> str:
    return f"# {key}: not set" if value is None else f"{key} = {_toml_value(value)}"


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, str):
        # A JSON string is a valid TOML basic string but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
