"""What a stage depends on, and why it is done again.

A stage is skipped on ``--resume`` if nothing that it depends on has changed: the stages before it, its settings, and
the content of the files that it reads. Files are known by their bytes, not by their times and not by where they lie,
and only those count that a run reads: a file manager's ``.DS_Store`` among the images changes nothing, and neither does
a folder that was moved; an image of equal size and time does.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sonoproof.concurrency import map_in_order
from sonoproof.config import Config, load_config
from sonoproof.data.folder.imagefolder import search_folder
from sonoproof.manifest import fingerprint
from sonoproof.runfolder import sha256_of_file
from sonoproof.training.backbone import backbone_files

# Settings that a later stage than their table's depends on: changing them does not train again.
_OF_LATER_STAGES = {"fit": ("seeds",)}
_EARLIER = "earlier stages"
_MASKS, _BACKBONE = "explain.masks", "model.backbone"
_SHOWN = 3


def settings(config: Config, names: Sequence[str]) -> dict[str, Any]:
    """Values of tables of the configuration, or of single keys, by ``table.key``.

    Args:
        config: The settings.
        names: ``table``, ``table.key``, or ``seed`` for that of the run.
    """
    found: dict[str, Any] = {}
    for name in names:
        if name == "seed":
            found[name] = config.seed
            continue
        table, _, key = name.partition(".")
        values = config.effective(table)
        kept = [key] if key else [key for key in values if key not in _OF_LATER_STAGES.get(table, ())]
        found |= {f"{table}.{key}": values[key] for key in kept}
    return {name: _by_content(name, value, config) for name, value in found.items()}


def input_content(inputs: Mapping[str, Path]) -> dict[str, str]:
    """Hashes of what the user gives: of a sheet its bytes, of a folder the names and the bytes of its images.

    Args:
        inputs: Files and folders by what they are.
    """
    return {name: _content(path) for name, path in inputs.items()}


def mask_content(config: Config) -> dict[str, str]:
    """The hash of the truth masks, where there are any."""
    folder = config.explain.masks
    return {"masks": _content(Path(folder))} if folder else {}


def backbone_content(config: Config) -> dict[str, str]:
    """The hash of the backbone's files, where it is pretrained."""
    files = backbone_files(config.model)
    return {"backbone weights": fingerprint([sha256_of_file(file) for file in files])} if files else {}


def edited_settings(file: Path, *, noted_sha256: str, config: Config) -> str:
    """How a run's own settings file was edited, in words: ``"fit.epochs is 12 there and 8 in this command"``.

    Args:
        file: The file, which the run is about to write again.
        noted_sha256: Hash of the file as the run wrote it; empty where it is not known.
        config: The settings of this command.

    Returns:
        Empty if the file is as the run wrote it, is missing, or says the same as this command.

    Raises:
        ConfigError: The file was edited and cannot be read.
    """
    if not noted_sha256 or not file.is_file() or sha256_of_file(file) == noted_sha256:
        return ""
    there, here = (_flat(dataclasses.asdict(each)) for each in (load_config(file), config))
    differing = [name for name in here if here[name] != there[name]]
    told = [f"{name} is {there[name]} there and {here[name]} in this command" for name in differing[:_SHOWN]]
    told += [f"{len(differing) - _SHOWN} more"] if len(differing) > _SHOWN else []
    return ", ".join(told)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two sets of dependencies, in words: ``"fit.epochs was 8, is 12"``; empty if nothing does."""
    now = json.loads(json.dumps(now, default=str))  # as the manifest keeps it
    names = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    own = [name for name in names if name != _EARLIER]
    told = [_change(name, before.get(name), now.get(name)) for name in own[:_SHOWN]]
    told += [f"{len(own) - _SHOWN} more"] if len(own) > _SHOWN else []
    return ", ".join(told) or ("an earlier stage was done again" if names else "")


def _by_content(name: str, value: Any, config: Config) -> Any:
    """What stands for the value of a setting: for one that names a folder, what is in it, wherever that lies."""
    if name == _MASKS and value:
        return f"files {mask_content(config)['masks']}"
    if name == _BACKBONE and Path(value).is_dir():
        return f"files {backbone_content(config)['backbone weights']}"
    return value


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by ``table.key``."""
    flat: dict[str, Any] = {}
    for table, values in tables.items():
        flat |= (
            {f"{table}.{key}": value for key, value in values.items()} if isinstance(values, dict) else {table: values}
        )
    return flat


def _change(name: str, before: Any, now: Any) -> str:
    if "." in name:
        return f"{name} was {before}, is {now}"
    return f"the {name.replace('_', ' ')} changed"


def _content(path: Path) -> str:
    if not path.is_dir():
        return sha256_of_file(path) if path.is_file() else ""
    contents = search_folder(path)
    names = sorted({*contents.images, *(item.path for item in contents.left_out if item.frame)})
    return fingerprint(list(zip(names, _hashes(path / name for name in names), strict=True)))


def _hashes(paths: Iterable[Path]) -> list[str]:
    def sha256(path: Path) -> str:
        return sha256_of_file(path) if path.is_file() else ""

    return list(map_in_order(sha256, list(paths)))
