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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoproof.config import Config, ModelConfig, override, to_toml
from sonoproof.errors import CohortError, ConfigError, RunFolderError
from sonoproof.interrupts import LOCK, alone_in
from sonoproof.manifest import Manifest, fingerprint
from sonoproof.parts import Part
from sonoproof.progress import SILENT, Reporter
from sonoproof.resume import backbone_content, changes, edited_settings, input_content, mask_content, settings
from sonoproof.runfolder import RunFolder, sweep, write_text
from sonoproof.stages.audit import audit as audit_data
from sonoproof.stages.calibrate import calibrate
from sonoproof.stages.context import Inputs, RunContext
from sonoproof.stages.cross_validate import cross_validate
from sonoproof.stages.evaluate import evaluate
from sonoproof.stages.explain import explain
from sonoproof.stages.fit import fit
from sonoproof.stages.predict import predict
from sonoproof.stages.probe import probe
from sonoproof.stages.report import report
from sonoproof.stages.seeds import repeat_with_seeds
from sonoproof.stages.split import split
from sonoproof.training.backbone import backbone_image_size
from sonoproof.training.model import resolve_device


def _always(_config: Config) -> bool:
    return True


def _nothing(_config: Config) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: Its name, also on the command line.
        title: What it does, for the terminal.
        work: Does it; returns the files written.
        settings: Tables of the configuration, or single keys of one, that it depends on, beside those of the stages
            before it.
        reads: Gives hashes of further files that it reads, by what they are.
        is_wanted: Whether a run with these settings has this stage.
        audits: Whether it is part of an audit alone.
        opens: The part whose labels it measures predictions by, if that is to be noted.
        from_tables: Whether it computes from the tables of the run alone, so that `sonoproof verify` does it again.
    """

    name: str
    title: str
    work: Callable[[RunContext], list[Path]]
    settings: tuple[str, ...] = ()
    reads: Callable[[Config], Mapping[str, str]] = _nothing
    is_wanted: Callable[[Config], bool] = _always
    audits: bool = False
    opens: Part | None = None
    from_tables: bool = False


def _validates_apart(config: Config) -> bool:
    return config.split.folds > 0 and not config.fit.ensemble


def _has_further_seeds(config: Config) -> bool:
    return config.fit.seeds > 1


STAGES = (
    Stage("audit", "reading and auditing the data", audit_data, ("sheet", "frames", "audit", "model"), audits=True),
    Stage(
        "probe",
        "probing for shortcuts, leaks and doubtful labels",
        probe,
        ("seed",),
        reads=backbone_content,
        audits=True,
    ),
    Stage("split", "splitting by groups", split, ("split", "fit.ensemble")),
    Stage("fit", "training", fit, ("fit", "model")),
    Stage("cross-validate", "cross-validating by groups", cross_validate, is_wanted=_validates_apart),
    Stage("calibrate", "calibrating, choosing the threshold", calibrate, ("calibrate", "evaluate.threshold")),
    Stage("predict", "predicting", predict),
    Stage("seeds", "training with further seeds", repeat_with_seeds, ("fit.seeds",), is_wanted=_has_further_seeds),
    Stage("evaluate", "evaluating", evaluate, ("evaluate",), opens=Part.TEST, from_tables=True),
    Stage("explain", "explaining", explain, ("explain",), reads=mask_content),
    Stage("report", "writing the report", report, ("report",), audits=True, from_tables=True),
)


def run(
    out: Path,
    *,
    inputs: Inputs,
    config: Config,
    reporter: Reporter = SILENT,
    command: str = "",
    resume: bool = False,
    stages_wanted: tuple[Stage, ...] = STAGES,
) -> RunFolder:
    """Run all stages into a folder.

    Args:
        out: The run folder; must be new or empty, unless resumed.
        inputs: What the user gives.
        config: The settings.
        reporter: Receives messages and progress.
        command: The command line, for the manifest.
        resume: Whether to continue an earlier attempt.
        stages_wanted: The stages, in their order.

    Raises:
        SonoproofError: Anything that the user can fix, with what, where and how.
    """
    run_folder = RunFolder(out)
    given = {name: path for name, path in dataclasses.asdict(inputs).items() if path is not None}
    # What would fail late fails first: before anything is read or written.
    _check_together(config)
    _check_given(given, config)
    _check_place(out, given)
    _check_folder(run_folder, resume=resume)
    resolve_device(config.model.device)
    backbone_image_size(config.model)
    with alone_in(out):
        sweep(out)
        manifest = Manifest(run_folder)
        _check_edits(config, run_folder, manifest)
        for line in manifest.moved(given):
            reporter.say(line)
        manifest.begin(command=command, seed=config.fit.effective_seed, inputs=given)
        _note_config(config, run_folder, manifest)
        before: Mapping[str, Any] = input_content(given)
        for stage in (stage for stage in stages_wanted if stage.is_wanted(config)):
            depends = _dependencies(stage, config, before=before)
            before = {"earlier stages": fingerprint(stage.name, depends)}
            if resume and manifest.is_done(stage.name, depends=depends):
                reporter.say(f"{stage.title}: done before")
                continue
            if why := resume and _why_again(manifest, stage, depends):
                reporter.say(f"{stage.title}: done again, because {why}")
            begun = manifest.was_begun(stage.name, depends=depends)
            context = RunContext(run_folder, config=config, inputs=inputs, reporter=reporter, resume=begun)
            _do(stage, context, manifest=manifest, depends=depends)
        manifest.finish()
    return run_folder


def audit(out: Path, *, inputs: Inputs, config: Config, reporter: Reporter = SILENT, command: str = "") -> RunFolder:
    """Audit alone, into a folder of its own: nothing is split or trained.

    The cheap classifier takes features from the backbone; where none is at hand, it works on the texture of the frames,
    and says so.

    Args:
        out: The folder; must be new or empty.
        inputs: What the user gives.
        config: The settings.
        reporter: Receives messages and progress.
        command: The command line, for the manifest.

    Raises:
        AuditBlocked: A policy stops it; what was found is written.
        SonoproofError: Anything else that the user can fix.
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
    wanted = tuple(stage for stage in STAGES if stage.audits)
    return run(out, inputs=inputs, config=config, reporter=reporter, command=command, stages_wanted=wanted)


def rerun(run_folder: RunFolder, *, name: str, config: Config, reporter: Reporter = SILENT) -> RunFolder:
    """Do one stage again, from what is in the run folder.

    Args:
        run_folder: A run that has got past this stage's inputs.
        name: Name of the stage.
        config: The run's settings, with whatever is to be different.
        reporter: Receives messages and progress.

    Raises:
        SonoproofError: Anything that the user can fix.
    """
    run_folder.existing()
    _check_together(config)
    stage = next(stage for stage in STAGES if stage.name == name)
    depends = _dependencies(stage, config, before={"done again alone": True})
    with alone_in(run_folder.root):
        manifest = Manifest(run_folder)
        # A killed stage continues from where it was; a finished one starts again.
        begun = manifest.was_begun(name, depends=depends) and not manifest.is_finished(name)
        context = RunContext(run_folder, config=config, reporter=reporter, resume=begun)
        _do(stage, context, manifest=manifest, depends=depends)
        _note_config(config, run_folder, manifest)
    later = [other.name for other in STAGES[STAGES.index(stage) + 1 :]]
    if later:
        reporter.say(f"the stages after it were not done again: {', '.join(later)}")
    return run_folder


def _do(stage: Stage, context: RunContext, *, manifest: Manifest, depends: Mapping[str, Any]) -> None:
    started = time.monotonic()
    context.reporter.stage(stage.title)
    with manifest.stage_begun(stage.name, depends=depends):
        written = stage.work(context)
    seconds = time.monotonic() - started
    manifest.end_stage(stage.name, depends=depends, seconds=seconds, outputs=written, notes=context.notes)
    if stage.opens is not None and context.run.evaluation(stage.opens) in written:
        manifest.open_part(stage.opens, predictions=context.run.predictions(stage.opens))


def _dependencies(stage: Stage, config: Config, *, before: Mapping[str, Any]) -> dict[str, Any]:
    return {**before, **settings(config, stage.settings), **stage.reads(config)}


def _why_again(manifest: Manifest, stage: Stage, depends: Mapping[str, Any]) -> str:
    """Why a stage that was finished is done again; empty where it was not finished."""
    if not manifest.is_finished(stage.name):
        return ""
    known = manifest.dependencies(stage.name)
    if not known:
        return "another version of Sonoproof did it"
    return (
        changes(known, depends)
        or f"{manifest.first_changed_output(stage.name)} is missing or is not as this stage wrote it"
    )


def _note_config(config: Config, run_folder: RunFolder, manifest: Manifest) -> None:
    write_text(run_folder.config, to_toml(config))
    manifest.note_file(run_folder.config)


def _check_edits(config: Config, run_folder: RunFolder, manifest: Manifest) -> None:
    """An edited ``config.toml`` must not be written over, nor be thought to have been obeyed."""
    file = run_folder.config
    if edits := edited_settings(file, noted_sha256=manifest.noted_sha256(file), config=config):
        raise ConfigError(
            f"{file}: was edited after the run wrote it ({edits}). --resume takes its settings from the command: add "
            f"--config {file} to use the edited ones, or remove the file to go on without them"
        )


def _check_given(inputs: Mapping[str, Path], config: Config) -> None:
    for name, path in inputs.items():
        kind = "folder" if name.endswith("images") else "file"
        if not path.exists():
            raise CohortError(f"{path}: there is no such {kind}")
    if config.explain.masks and not Path(config.explain.masks).is_dir():
        raise ConfigError(f"--masks {config.explain.masks}: there is no such folder")


def _check_place(out: Path, inputs: Mapping[str, Path]) -> None:
    """A run inside an image folder would take its own figures for images."""
    for name, folder in inputs.items():
        if folder.is_dir() and out.absolute().resolve().is_relative_to(folder.resolve()):
            raise RunFolderError(
                f"--out {out}: lies inside the {name.replace('_', ' ')} folder {folder}, so the figures of the run "
                "would be read as images; name a folder outside of it with --out"
            )


def _check_folder(run_folder: RunFolder, *, resume: bool) -> None:
    root = run_folder.root
    if root.exists() and not root.is_dir():
        raise RunFolderError(f"{root}: is a file; name a new folder with --out")
    if not root.is_dir() or all(path.name == LOCK for path in root.iterdir()):
        return
    if not resume:
        raise RunFolderError(
            f"{root}: exists and is not empty; name a new folder with --out, or continue with --resume"
        )
    if not run_folder.manifest.is_file():
        raise RunFolderError(f"{root}: is not a run folder (it has no manifest.json); name another one with --out")


def _check_together(config: Config) -> None:
    if config.fit.ensemble and config.split.folds < 2:
        raise ConfigError(
            f"fit.ensemble needs split.folds of 2 or more, not {config.split.folds}: each member is trained without "
            "one fold; for example --folds 5 --ensemble"
        )
