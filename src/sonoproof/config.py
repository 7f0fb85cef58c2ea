"""The settings of a run: one frozen dataclass a stage, read from TOML and ``--set stage.key=value``.

Unknown keys are errors with a suggestion, and so are values of the wrong type or out of range. What a run used
is written back to ``RUN/config.toml``.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sonoproof.errors import ConfigError

__all__ = [
    "AuditConfig",
    "CalibrateConfig",
    "Config",
    "EvaluateConfig",
    "ExplainConfig",
    "FitConfig",
    "FramesConfig",
    "ModelConfig",
    "ReportConfig",
    "SheetConfig",
    "SplitConfig",
    "load_config",
    "override",
    "to_toml",
]

DEFAULT_BACKBONE = "google/mobilenet_v1_1.0_224"


@dataclass(frozen=True)
class SheetConfig:
    """How the label sheet is read; empty means found by name and content.

    Attributes:
        worksheet: Name of the worksheet.
        image_column: Header of the column with the image references.
        label_column: Header of the column with the labels.
        positive: Value (or class name) of the label column that is the positive class.
        group_columns: Headers of columns whose values must not be split (patient, clip, site, …).
        find_groups: Whether columns that name patients, examinations or clips are found where none is given.
    """

    worksheet: str = ""
    image_column: str = ""
    label_column: str = ""
    positive: str = ""
    group_columns: tuple[str, ...] = ()
    find_groups: bool = True


@dataclass(frozen=True)
class FramesConfig:
    """How a frame becomes the network's input.

    Attributes:
        size: Side of the square input in pixels; 0 takes the backbone's own image size.
        aspect: ``pad`` keeps the aspect ratio and fills with black, ``stretch`` does not keep it, ``crop`` keeps
            it and cuts the longer side.
        max_pixels: Images with more pixels than this are quarantined unread.
        workers: Threads that decode frames; 0 takes one per processor.
    """

    size: int = 0
    aspect: Literal["pad", "stretch", "crop"] = "pad"
    max_pixels: int = 100_000_000
    workers: int = 0


@dataclass(frozen=True)
class AuditConfig:
    """What the audit looks for, and what is done about it.

    Attributes:
        lookalikes: Whether re-crops, zooms, flips and neighbours are searched (exact duplicates always are).
        duplicate_conflicts: Pixel-identical frames with opposite labels: ``drop`` quarantines all of them,
            ``keep`` trains on them, ``block`` stops the run (exit code 3).
        mixed_groups: Source groups that hold both labels: ``group`` keeps them on one side of the split,
            ``drop`` quarantines them, ``block`` stops the run.
        test_twins: Test frames whose twin is in the sheet: ``keep`` reports metrics with and without them,
            ``drop`` leaves the twins out of training, ``block`` stops the run.
        probes: Whether the shortcut probes, honest-against-naive and label-noise ranking are run.
    """

    lookalikes: bool = True
    duplicate_conflicts: Literal["drop", "keep", "block"] = "drop"
    mixed_groups: Literal["group", "drop", "block"] = "group"
    test_twins: Literal["keep", "drop", "block"] = "keep"
    probes: bool = True


@dataclass(frozen=True)
class SplitConfig:
    """How the rows are divided; whole groups only.

    Attributes:
        val: Share of the rows held out for validation.
        test: Share of the rows held out as test where no test folder is given; -1 decides by the number of
            groups: 0.2 with at least 10 groups of each class, else none.
        stop: Share of the fit rows set aside for choosing the checkpoint (recipe ``default``).
        folds: Number of cross-validation folds for out-of-fold predictions, or of an ensemble's members; 0 for none.
        seed: Seed of the division.
    """

    val: float = 0.2
    test: float = -1.0
    stop: float = 0.15
    folds: int = 0
    seed: int = 0


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        backbone: Hub id (from the local cache), folder, or ``random``.
        download: Whether a hub id may be downloaded.
        width: Width multiplier of a random MobileNet V1.
        device: Where the network runs; ``auto`` takes a GPU where there is one.
    """

    backbone: str = DEFAULT_BACKBONE
    download: bool = False
    width: float = 0.75
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class FitConfig:
    """Training.

    Attributes:
        recipe: ``classic``: frozen base, one sigmoid unit, Adam, checkpoint and early stopping on validation.
            ``default``: head on cached features, then the whole network at a lower rate, class weights, cosine
            schedule, checkpoint chosen on rows set aside from the fit part.
        epochs: Most epochs of gradient training; 0 takes the recipe's own number.
        batch: Frames a step.
        learning_rate: Peak step size of Adam; 0 takes the recipe's own.
        weight_decay: Decoupled weight decay (recipe ``default``); -1 takes the recipe's own.
        patience: Epochs without improvement before training stops; 0 takes the recipe's own.
        monitor: Metric by which the checkpoint is chosen.
        zoom: Largest relative zoom in or out (0.2 draws from 0.8 to 1.2), each axis drawn alone.
        shear_degrees: Largest shear angle in degrees, either way (Keras's ``shear_range`` has the same unit).
        flip: Whether frames are mirrored left to right with probability one half.
        seed: Seed of weights, order and augmentation.
        seeds: How often training is done on the same split, with this seed and those that follow it; the model that is
            saved and reported is that of the first.
        ensemble: Whether the model is the mean of ``split.folds`` members, each trained on the fit part without a fold.
        threads: Threads of the numerical kernels; 0 takes one per processor. Bitwise repeatability holds for an
            equal number.
    """

    recipe: Literal["default", "classic"] = "default"
    epochs: int = 0
    batch: int = 32
    learning_rate: float = 0.0
    weight_decay: float = -1.0
    patience: int = 0
    monitor: Literal["loss", "recall", "accuracy", "precision", "auc"] = "loss"
    zoom: float = 0.2
    shear_degrees: float = 0.2
    flip: bool = True
    seed: int = 0
    seeds: int = 1
    ensemble: bool = False
    threads: int = 0

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The seeds that training is done with, the reported one first."""
        return tuple(range(self.seed, self.seed + self.seeds))


@dataclass(frozen=True)
class CalibrateConfig:
    """What is chosen after training, on rows that are not reported.

    Attributes:
        method: How probabilities are calibrated; ``isotonic`` needs 100 groups and is ``temperature`` below that.
        policy: How the threshold is chosen: ``fixed`` takes ``evaluate.threshold``; ``youden`` the greatest
            sensitivity + specificity; ``sensitivity`` and ``specificity`` reach ``target``; ``cost`` the lowest cost.
        target: Sensitivity or specificity to be reached.
        cost_false_positive: Cost of calling a negative frame positive.
        cost_false_negative: Cost of missing a positive frame, in the same unit.
        prevalence: Share of positive cases where the costs arise; 0 takes that of the rows.
        error: Share of wrong answers allowed before the model says that it is not sure; 0 always answers.
        least_groups: Fewest groups of each class on which anything is chosen.
    """

    method: Literal["temperature", "platt", "isotonic", "none"] = "temperature"
    policy: Literal["fixed", "youden", "sensitivity", "specificity", "cost"] = "fixed"
    target: float = 0.9
    cost_false_positive: float = 1.0
    cost_false_negative: float = 1.0
    prevalence: float = 0.0
    error: float = 0.1
    least_groups: int = 8


@dataclass(frozen=True)
class EvaluateConfig:
    """Metrics and their intervals.

    Attributes:
        threshold: Probability from which a frame is called positive, where ``calibrate.policy`` is ``fixed``.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
        stratified: Whether groups are drawn by class. The intervals then hold for the share of positive groups that
            the rows have; false where that share came about by chance, as with consecutive patients.
        prevalence: Share of positive cases for which predictive values are stated beside the sample's own; 0 for none.
        exam: How frames become one prediction of an exam: ``mean_logit``, ``mean_probability``, ``max`` (the frame
            most likely positive decides) or ``vote``.
    """

    threshold: float = 0.5
    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0
    stratified: bool = True
    prevalence: float = 0.0
    exam: Literal["mean_logit", "mean_probability", "max", "vote"] = "mean_logit"


@dataclass(frozen=True)
class ExplainConfig:
    """Explanations.

    Attributes:
        top: Frames explained of each part.
        errors: Worst errors explained.
        survey: Most frames of each part, of different groups, of which it is measured where the model looked.
        methods: Maps that are drawn, and judged by the trust gate: ``saliency``, ``integrated_gradients``,
            ``smoothgrad``, ``grad_cam``, ``occlusion``. Integrated gradients are always computed.
        baselines: Baselines of integrated gradients, the main one first: ``blur``, ``black``, ``mean`` (of the
            tissue), ``references`` (frames of the fit part, averaged over).
        steps: Most path points of integrated gradients; fewer where the completeness gap allows.
        tolerance: Completeness gap, as a share of the logit difference, under which a path counts as converged.
        dpi: Resolution of the figures in dots per inch.
        label_randomisation: Whether the gate also compares with a network trained on shuffled labels; it is trained
            for that, which takes as long as the training did.
        masks: Folder with a mask (PNG, not zero inside) for each image, where the truth is known; else empty.
    """

    top: int = 5
    errors: int = 5
    survey: int = 64
    methods: tuple[str, ...] = ("saliency", "integrated_gradients")
    baselines: tuple[str, ...] = ("blur", "black")
    steps: int = 256
    tolerance: float = 0.01
    dpi: int = 600
    label_randomisation: bool = False
    masks: str = ""


@dataclass(frozen=True)
class ReportConfig:
    """The report.

    Attributes:
        title: Heading of the report.
        dpi: Resolution of the report's figures, saved as PNG under ``figures/``, in dots per inch.
    """

    title: str = "Sonoproof report"
    dpi: int = 300


@dataclass(frozen=True)
class Config:
    """All settings of a run."""

    sheet: SheetConfig = field(default_factory=SheetConfig)
    frames: FramesConfig = field(default_factory=FramesConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    calibrate: CalibrateConfig = field(default_factory=CalibrateConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    explain: ExplainConfig = field(default_factory=ExplainConfig)
    report: ReportConfig = field(default_factory=ReportConfig)


# (stage, key) -> (lowest, highest) allowed value, both included.
_RANGES: dict[tuple[str, str], tuple[float, float]] = {
    ("frames", "size"): (0, 2048),
    ("frames", "max_pixels"): (1, 2**40),
    ("frames", "workers"): (0, 1024),
    ("split", "val"): (0.01, 0.9),
    ("split", "test"): (-1, 0.9),
    ("split", "stop"): (0, 0.5),
    ("split", "folds"): (0, 100),
    ("model", "width"): (0.05, 2.0),
    ("fit", "epochs"): (0, 10_000),
    ("fit", "batch"): (1, 4096),
    ("fit", "learning_rate"): (0, 10),
    ("fit", "weight_decay"): (-1, 10),
    ("fit", "patience"): (0, 10_000),
    ("fit", "zoom"): (0, 0.9),
    ("fit", "shear_degrees"): (0, 60),
    ("fit", "seeds"): (1, 100),
    ("fit", "threads"): (0, 1024),
    ("calibrate", "target"): (0, 1),
    ("calibrate", "cost_false_positive"): (1e-9, 1e9),
    ("calibrate", "cost_false_negative"): (1e-9, 1e9),
    ("calibrate", "prevalence"): (0, 0.999999),
    ("calibrate", "error"): (0, 0.5),
    ("calibrate", "least_groups"): (2, 10_000),
    ("evaluate", "threshold"): (0, 1),
    ("evaluate", "confidence"): (0.5, 0.999),
    ("evaluate", "resamples"): (100, 1_000_000),
    ("evaluate", "prevalence"): (0, 0.999999),
    ("explain", "top"): (0, 1000),
    ("explain", "errors"): (0, 1000),
    ("explain", "survey"): (0, 100_000),
    ("explain", "steps"): (8, 4096),
    ("explain", "tolerance"): (1e-6, 1),
    ("explain", "dpi"): (50, 2400),
    ("report", "dpi"): (50, 2400),
}

# (stage, key) -> the words that a list may hold; an empty list is refused.
_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("explain", "methods"): ("saliency", "integrated_gradients", "smoothgrad", "grad_cam", "occlusion"),
    ("explain", "baselines"): ("blur", "black", "mean", "references"),
}


def load_config(path: Path | None = None, *, settings: Sequence[str] = (), over: Config | None = None) -> Config:
    """Read a TOML file and apply ``stage.key=value`` settings over it.

    Args:
        path: TOML file with one table a stage, or None for the defaults.
        settings: Settings as given to ``--set``; values are TOML (``0.2``, ``true``, ``["a", "b"]``), bare words
            are strings.
        over: Configuration that both are laid over; None for the defaults.

    Raises:
        ConfigError: The file is missing or no TOML, or a stage, key or value is not valid.
    """
    config = over or Config()
    if path is not None:
        config = override(config, _read_toml(path), origin=str(path))
    for setting in settings:
        config = override(config, _parse_setting(setting), origin=f"--set {setting}")
    return config


def override(config: Config, values: Mapping[str, Any], *, origin: str) -> Config:
    """Return the configuration with a mapping ``stage -> key -> value`` laid over it.

    Raises:
        ConfigError: A stage, key or value is not valid; the message names ``origin``.
    """
    stages = {f.name: f for f in dataclasses.fields(Config)}
    changed: dict[str, Any] = {}
    for stage, table in values.items():
        if stage not in stages:
            raise ConfigError(f"{origin}: there is no stage {stage!r}{_suggest(stage, stages)}")
        if not isinstance(table, Mapping):
            raise ConfigError(f"{origin}: {stage} must be a table of settings")
        changed[stage] = _override_stage(getattr(config, stage), table, stage=stage, origin=origin)
    return dataclasses.replace(config, **changed)


def to_toml(config: Config) -> str:
    """The configuration as TOML that `load_config` reads back to an equal object."""
    lines: list[str] = []
    for stage, table in dataclasses.asdict(config).items():
        lines.append(f"[{stage}]")
        lines.extend(f"{key} = {_toml_value(value)}" for key, value in table.items())
        lines.append("")
    return "\n".join(lines)


def _override_stage(current: Any, table: Mapping[str, Any], *, stage: str, origin: str) -> Any:
    hints = typing.get_type_hints(type(current))
    changed = {}
    for key, value in table.items():
        if key not in hints:
            raise ConfigError(f"{origin}: {stage} has no setting {key!r}{_suggest(key, hints)}")
        changed[key] = _checked(value, hints[key], stage=stage, key=key, origin=origin)
    return dataclasses.replace(current, **changed)


def _checked(value: Any, kind: Any, *, stage: str, key: str, origin: str) -> Any:
    name = f"{origin}: {stage}.{key}"
    if typing.get_origin(kind) is Literal:
        allowed = typing.get_args(kind)
        if value not in allowed:
            raise ConfigError(f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r}")
        return value
    if typing.get_origin(kind) is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{name} must be a list of strings, not {value!r}")
        _check_words(items, name=name, allowed=_WORDS.get((stage, key)))
        return tuple(items)
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{name} must be of type {kind.__name__}, not {value!r}")
    low, high = _RANGES.get((stage, key), (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not low <= value <= high:
        raise ConfigError(f"{name} must be between {low:g} and {high:g}, not {value!r}")
    return value


def _check_words(items: Sequence[str], *, name: str, allowed: tuple[str, ...] | None) -> None:
    if allowed is None:
        return
    unknown = [item for item in items if item not in allowed]
    if unknown:
        raise ConfigError(f"{name} has no {unknown[0]!r}{_suggest(unknown[0], allowed)}")
    if not items or len(set(items)) != len(items):
        raise ConfigError(f"{name} must hold each of its words once, and one at least: {', '.join(allowed)}")


def _parse_setting(setting: str) -> dict[str, dict[str, Any]]:
    name, equals, text = setting.partition("=")
    stage, dot, key = name.strip().partition(".")
    if not (equals and dot and stage and key):
        raise ConfigError(f"--set {setting}: write it as stage.key=value, for example fit.epochs=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return {stage: {key: value}}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML ({error})") from error


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, str):
        # A JSON string is a valid TOML basic string but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _suggest(word: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
