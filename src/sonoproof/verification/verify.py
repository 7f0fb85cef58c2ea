"""``sonoproof verify``: every hash of the manifest, and every reported number computed again from the predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoproof.config import load_config
from sonoproof.errors import RunFolderError, SonoproofError
from sonoproof.manifest import Manifest
from sonoproof.pipeline import STAGES, Stage
from sonoproof.runfolder import RunFolder, sha256_of_file
from sonoproof.stages import Job
from sonoproof.verification.files import compared, differing_places
from sonoproof.verification.predictions import prediction_differences
from sonoproof.verification.shadow import shadow_of

__all__ = ["Verification", "verify_run"]

# Once one of these is not what the run wrote, nothing can be made from it; a changed table can still be read.
_MUST_BE_WHOLE = (".json", ".toml", ".safetensors")


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        files: Files whose hash was checked.
        recomputed: Files made again and compared, relative to the run.
        differences: What differs, each with its file; empty for a run that holds.
    """

    files: int
    recomputed: tuple[str, ...]
    differences: tuple[str, ...]


def verify_run(run: RunFolder) -> Verification:
    """Check every hash of the manifest, the predictions, and everything that is computed from them.

    Metrics, tables and report are made again beside the run, from ``predictions/*.csv``, records and split, with the
    settings of the run, and compared place by place. The run is only read.

    Args:
        run: The run folder.

    Raises:
        RunFolderError: There is no manifest, or it is damaged: nothing says what the run wrote.
    """
    if not run.manifest.is_file():
        raise RunFolderError(f"{run.root}: is no run folder (it has no manifest.json)")
    manifest = Manifest(run)
    hashes = _hashes(manifest.content)
    wrong = dict(_wrong_files(run, hashes))
    differences = [*_unfinished(manifest.content), *(f"{name}: {fault}" for name, fault in wrong.items())]
    made = {name for stage in _computed(manifest.content) for name in _outputs(manifest.content, stage.name)}
    damaged = [name for name in wrong if name.endswith(_MUST_BE_WHOLE) and name not in made]
    if damaged:
        differences.append(f"the numbers were not computed again: {', '.join(damaged)} must be whole for that")
        return Verification(len(hashes), (), tuple(differences))
    recomputed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sonoproof-verify-") as work:
        try:
            for name, places in _computed_again(run, manifest.content, work=Path(work)):
                recomputed.append(name)
                differences += [f"{name}: {place}" for place in places]
        except SonoproofError as error:
            differences.append(f"the numbers cannot be computed again: {error}")
    return Verification(len(hashes), tuple(recomputed), tuple(differences))


def _hashes(content: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every file that the manifest answers for."""
    stages = (content.get("stages") or {}).values()
    hashes = {name: sha256 for stage in stages for name, sha256 in (stage.get("outputs") or {}).items()}
    return {**hashes, **(content.get("files") or {})}


def _wrong_files(run: RunFolder, hashes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, sha256 in hashes.items():
        path = run.root / name
        if not path.is_file():
            yield name, "is missing"
        elif sha256_of_file(path) != sha256:
            yield name, "is not the file that the run wrote (its SHA-256 differs from the manifest's)"


def _unfinished(content: Mapping[str, Any]) -> list[str]:
    stages = content.get("stages") or {}
    lines = [f"manifest.json: the stage {name} was not finished" for name in stages if not stages[name].get("done")]
    return lines if stages else ["manifest.json: the run has no finished stage"]


def _computed(content: Mapping[str, Any]) -> list[Stage]:
    """The stages of this run that are computed from tables and can be done again."""
    done = content.get("stages") or {}
    return [stage for stage in STAGES if stage.from_tables and (done.get(stage.name) or {}).get("done")]


def _outputs(content: Mapping[str, Any], stage: str) -> list[str]:
    return list(content["stages"][stage].get("outputs") or {})


def _computed_again(run: RunFolder, content: Mapping[str, Any], *, work: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and differing places of every file that was made again, stage by stage."""
    config = load_config(run.config)
    stages = _computed(content)
    made = {run.root / name for stage in stages for name in _outputs(content, stage.name)}
    shadow = shadow_of(run, work / "run", without={run.evaluation("val").parent, run.figures, run.report, *made})
    if run.predictions("val").parent.is_dir():
        (work / "workbooks").mkdir()
        yield from prediction_differences(run, work=work / "workbooks").items()
    for stage in stages:
        job = Job(run=shadow, config=config, inputs=None, say=_unheard, progress=_unwatched)
        again = {shadow.relative(path) for path in stage.work(job)}
        for name in sorted(again | set(_outputs(content, stage.name))):
            if compared(Path(name)):
                yield name, _file_differences(run.root / name, shadow.root / name)


def _file_differences(found: Path, expected: Path) -> list[str]:
    if not expected.is_file():
        return ["is not made by this version from these files"]
    return differing_places(found, expected) if found.is_file() else ["is missing"]


def _unheard(line: str) -> None:
    """The stages speak to nobody: what differs is what is said."""


def _unwatched(done: int, total: int) -> None:
    """No progress is shown: it takes seconds."""
