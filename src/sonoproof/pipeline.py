"""The whole run: the stages in their order, each resumable.

::

    audit -> probe -> split -> fit -> (cross-validate) -> calibrate -> predict
          -> (seeds) -> evaluate -> explain -> report

A stage is skipped on ``--resume`` when it was finished from the same inputs and settings and everything that it wrote
is still there, byte for byte.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sonoproof import stages
from sonoproof.config import Config, ModelConfig, override, to_toml
from sonoproof.errors import ConfigError, RunFolderError
from sonoproof.manifest import Manifest, fingerprint
from sonoproof.runfolder import RunFolder, sha256_of_file, sweep, write_text
from sonoproof.stages import Inputs, Job
from sonoproof.training.model import backbone_image_size, resolve_device

__all__ = ["STAGES", "Reporter", "Stage", "audit", "rerun", "run"]

# Settings that a later stage than their table's depends on: changing them does not train again.
_OF_LATER_STAGES = {"fit": ("seeds",)}


class Reporter(Protocol):
    """Who is told how the run goes."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def say(self, line: str) -> None:
        """Something worth reading."""

    def progress(self, done: int, total: int) -> None:
        """How far the stage is."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: Its name, also on the command line.
        title: What it does, for the terminal.
        work: Does it; returns the files written.
        settings: Tables of the configuration, or single keys of one, that it depends on, beside those of the stages
            before it.
        from_tables: Whether it computes from the tables of the run alone, so that `sonoproof verify` does it again.
    """

    name: str
    title: str
    work: Callable[[Job], list[Path]]
    settings: tuple[str, ...]
    from_tables: bool = False


STAGES = (
    Stage("audit", "reading and auditing the data", stages.audit, ("sheet", "frames", "audit", "model")),
    Stage("probe", "probing for shortcuts, leaks and doubtful labels", stages.probe, ()),
    Stage("split", "splitting by groups", stages.split, ("split", "fit.ensemble")),
    Stage("fit", "training", stages.train, ("fit", "model")),
    Stage("cross-validate", "cross-validating by groups", stages.cross_validate, ()),
    Stage("calibrate", "calibrating, choosing the threshold", stages.calibrate, ("calibrate", "evaluate.threshold")),
    Stage("predict", "predicting", stages.predict, ()),
    Stage("seeds", "training with further seeds", stages.repeat_with_seeds, ("fit.seeds",)),
    Stage("evaluate", "evaluating", stages.evaluate, ("evaluate",), from_tables=True),
    Stage("explain", "explaining", stages.explain, ("explain",)),
    Stage("report", "writing the report", stages.report, ("report",), from_tables=True),
)


def run(
    out: Path,
    *,
    inputs: Inputs,
    config: Config,
    reporter: Reporter,
    command: str = "",
    resume: bool = False,
    stages_wanted: tuple[Stage, ...] = STAGES,
) -> RunFolder:
    """Run all stages into a folder.

    Args:
        out: The run folder; must be new or empty, unless resumed.
        inputs: What the user gives.
        config: The settings.
        reporter: Who is told how it goes.
        command: The command line, for the manifest.
        resume: Whether to go on with an earlier attempt.
        stages_wanted: The stages, in their order.

    Raises:
        SonoproofError: Anything that the user can mend, with what, where and how.
    """
    run_folder = RunFolder(out)
    # What would fail late fails first: before anything is read or written.
    _check_together(config)
    resolve_device(config.model.device)
    backbone_image_size(config.model)
    manifest = _open(run_folder, resume=resume)
    given = {name: path for name, path in dataclasses.asdict(inputs).items() if path is not None}
    manifest.begin(command=command, seed=config.fit.seed, inputs=given)
    write_text(run_folder.config, to_toml(config))
    manifest.note_file(run_folder.config)
    mark = fingerprint({name: _identity(path) for name, path in given.items()})
    for stage in stages_wanted:
        if not _is_wanted(stage, config):
            continue
        mark = _mark(stage, config, before=mark)
        if resume and manifest.is_done(stage.name, mark=mark):
            reporter.say(f"{stage.title}: done before")
            continue
        _do(stage, run_folder, config=config, inputs=inputs, manifest=manifest, mark=mark, reporter=reporter)
    manifest.finish()
    return run_folder


def audit(out: Path, *, inputs: Inputs, config: Config, reporter: Reporter, command: str = "") -> RunFolder:
    """Audit alone, into a folder of its own: nothing is split or trained.

    The cheap classifier takes features from the backbone; where none is at hand, the texture of the frames is described
    instead, and that is said.

    Args:
        out: The folder; must be new or empty.
        inputs: What the user gives.
        config: The settings.
        reporter: Who is told how it goes.
        command: The command line, for the manifest.

    Raises:
        AuditBlocked: A policy stops it; what was found is written.
        SonoproofError: Anything else that the user can mend.
    """
    try:
        backbone_image_size(config.model)
    except ConfigError:
        if config.model.backbone != ModelConfig().backbone:
            raise
        reporter.say(
            "no pretrained backbone at hand (--backbone): the cheap classifier works on edges, spots and grey levels"
        )
        config = override(config, {"model": {"backbone": "random"}}, origin="audit")
    wanted = tuple(stage for stage in STAGES if stage.name in ("audit", "probe", "report"))
    return run(out, inputs=inputs, config=config, reporter=reporter, command=command, stages_wanted=wanted)


def rerun(run_folder: RunFolder, *, name: str, config: Config, reporter: Reporter) -> RunFolder:
    """Do one stage again, from what is in the run folder.

    Args:
        run_folder: A run that has got past this stage's inputs.
        name: Name of the stage.
        config: The run's settings, with whatever is to be different.
        reporter: Who is told how it goes.

    Raises:
        SonoproofError: Anything that the user can mend.
    """
    if not run_folder.manifest.is_file():
        raise RunFolderError(f"{run_folder.root}: is no run folder (it has no manifest.json)")
    _check_together(config)
    manifest = Manifest(run_folder)
    stage = next(stage for stage in STAGES if stage.name == name)
    mark = _mark(stage, config, before="alone")
    _do(stage, run_folder, config=config, inputs=None, manifest=manifest, mark=mark, reporter=reporter)
    write_text(run_folder.config, to_toml(config))
    manifest.note_file(run_folder.config)
    later = [other.name for other in STAGES[STAGES.index(stage) + 1 :]]
    if later:
        reporter.say(f"what follows is not done again by itself: {', '.join(later)}")
    return run_folder


def _do(
    stage: Stage,
    run_folder: RunFolder,
    *,
    config: Config,
    inputs: Inputs | None,
    manifest: Manifest,
    mark: str,
    reporter: Reporter,
) -> None:
    reporter.stage(stage.title)
    begun = manifest.was_begun(stage.name, mark=mark)
    manifest.begin_stage(stage.name, mark=mark)
    started = time.monotonic()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        reporter.say(line)

    job = Job(run=run_folder, config=config, inputs=inputs, say=say, progress=reporter.progress, resume=begun)
    written = stage.work(job)
    manifest.end_stage(stage.name, mark=mark, seconds=time.monotonic() - started, outputs=written, notes=lines)
    if stage.name == "evaluate" and run_folder.evaluation("test") in written:
        manifest.open_part("test", predictions=run_folder.predictions("test"))


def _open(run_folder: RunFolder, *, resume: bool) -> Manifest:
    root = run_folder.root
    if root.exists() and not root.is_dir():
        raise RunFolderError(f"{root}: is a file; name a new folder with --out")
    if resume:
        sweep(root)
    elif root.is_dir() and any(root.iterdir()):
        raise RunFolderError(f"{root}: exists and is not empty; name a new folder with --out, or go on with --resume")
    if resume and root.is_dir() and any(root.iterdir()) and not run_folder.manifest.is_file():
        raise RunFolderError(f"{root}: is no run folder (it has no manifest.json); name another one with --out")
    return Manifest(run_folder)


def _check_together(config: Config) -> None:
    if config.fit.ensemble and config.split.folds < 2:
        raise ConfigError(
            f"fit.ensemble needs split.folds of 2 or more, not {config.split.folds}: each member is trained without "
            "one fold; for example --folds 5 --ensemble"
        )


def _is_wanted(stage: Stage, config: Config) -> bool:
    apart = config.split.folds > 0 and not config.fit.ensemble
    wanted = {"cross-validate": apart, "seeds": config.fit.seeds > 1}
    return wanted.get(stage.name, True)


def _mark(stage: Stage, config: Config, *, before: str) -> str:
    return fingerprint(stage.name, before, {name: _setting(config, name) for name in stage.settings})


def _setting(config: Config, name: str) -> Any:
    """A table of the configuration, or one key of it, by ``table`` or ``table.key``."""
    table, _, key = name.partition(".")
    values = dataclasses.asdict(getattr(config, table))
    if key:
        return values[key]
    return {key: value for key, value in values.items() if key not in _OF_LATER_STAGES.get(table, ())}


def _identity(path: Path) -> Any:
    """What tells whether an input is still the same: a file's hash; of a folder, the names, sizes and times."""
    if path.is_file():
        return sha256_of_file(path)
    if not path.is_dir():
        return None
    files = ((file, file.stat()) for file in sorted(path.rglob("*")) if file.is_file())
    return [(file.relative_to(path).as_posix(), stat.st_size, stat.st_mtime_ns) for file, stat in files]
