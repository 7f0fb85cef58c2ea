"""Options of the command line that stand for a setting, beside ``--config`` and ``--set``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sonoproof.config import Config, load_config, override

# The setting, its option, the type of its value, and what the help says.
_FLAGS: dict[str, tuple[str, Any, str]] = {
    "sheet.encoding": ("--encoding", str, "Text encoding of a csv sheet, such as cp1251 or gb18030."),
    "sheet.image_column": ("--image-column", str, "Column that names the image files."),
    "sheet.label_column": ("--label-column", str, "Column with the labels."),
    "sheet.positive": ("--positive", str, "Label that counts as positive; several with commas between them."),
    "sheet.negative": ("--negative", str, "Labels that count as negative; else all that are not positive."),
    "sheet.exclude_labels": ("--exclude-label", list[str], "Label whose rows are left out; may be repeated."),
    "sheet.several_images": ("--several-images", str, "Cells that name several images: quarantine or rows."),
    "sheet.near_names": ("--near-names", bool, "Use references that nearly name a file, one to one."),
    "sheet.group_columns": ("--group-column", list[str], "Column with the patient, clip or site; may be repeated."),
    "sheet.split_column": ("--split-column", str, "Column with a given split: train, val, test or folds."),
    "split.folds": ("--folds", int, "Folds of a cross-validation by groups."),
    "model.backbone": ("--backbone", str, "Pretrained network: a name on the Hugging Face hub, a folder, or random."),
    "model.download": ("--download", bool, "Allow the backbone to be downloaded."),
    "model.device": ("--device", str, "Where the network runs: auto, cpu or cuda."),
    "fit.recipe": ("--recipe", str, "How to train: default, varied, classic or features."),
    "fit.ensemble": ("--ensemble", bool, "Average the models of the folds."),
    "fit.seeds": ("--seeds", int, "Number of trainings with different seeds on the same split."),
    "seed": ("--seed", int, "Seed of everything random."),
    "explain.masks": ("--masks", str, "Folder with a mask of the true region for each image."),
}
VALUES = ("sheet.positive", "sheet.negative", "sheet.exclude_labels")
FILES = ("sheet.several_images", "sheet.near_names")
GROUPS = ("sheet.group_columns", "sheet.split_column")
SHEET = ("sheet.encoding", "sheet.image_column", "sheet.label_column", *VALUES, *FILES, *GROUPS)


@dataclass(frozen=True)
class Given:
    """The settings given to a command.

    Attributes:
        flags: Values of the options, by setting; None where an option was not given.
        file: The file given to ``--config``.
        settings: What was given to ``--set``.
    """

    flags: Mapping[str, Any]
    file: Path | None
    settings: Sequence[str]

    def over(self, config: Config) -> Config:
        """The configuration with the file laid over it, then the options, then ``--set``."""
        config = load_config(self.file, over=config)
        for name, value in self.flags.items():
            if value is not None:
                table, _, key = name.rpartition(".")
                values = {table: {key: value}} if table else {key: value}
                config = override(config, values, origin=_FLAGS[name][0])
        return load_config(settings=self.settings, over=config)


def takes_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these settings, ``--config`` and ``--set``.

    The command gets what they hold as ``given``, a `Given`. Typer reads the options from the signature made here.

    Args:
        names: Settings, as ``table.key``.
    """
    options = {name: _parameter(*_FLAGS[name]) for name in names}
    file = _parameter("--config", Path, "TOML file with settings.")
    settings = _parameter("--set", list[str], "A setting, table.key=value; may be repeated.")

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(**words: Any) -> None:
            flags = {name: words.pop(option.name) for name, option in options.items()}
            given = Given(flags, file=words.pop(file.name), settings=words.pop(settings.name) or ())
            command(given=given, **words)

        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "given"]
        keyword_only = [p.replace(kind=file.kind) for p in (*own, *options.values(), file, settings)]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword_only}
        called.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
        return called

    return decorate


def _parameter(flag: str, kind: Any, text: str) -> inspect.Parameter:
    metavar = "<str>" if kind == list[str] else None
    hint = Annotated[kind | None, typer.Option(flag, help=text, metavar=metavar)]
    return inspect.Parameter(flag[2:].replace("-", "_"), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
