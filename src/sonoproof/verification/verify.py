"""``sonoproof verify``: every hash of the manifest, and every reported number computed again from the predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sonoproof import __version__
from sonoproof.config import load_config
from sonoproof.errors import SonoproofError
from sonoproof.manifest import Manifest
from sonoproof.pipeline import STAGES, Stage
from sonoproof.runfolder import RunFolder, sha256_of_file
from sonoproof.stages.context import RunContext
from sonoproof.verification.files import compared, differing_places
from sonoproof.verification.predictions import prediction_differences
from sonoproof.verification.shadow import shadow_of

# Once one of these is not what the run wrote, nothing can be made from it; a changed table can still be read.
_MUST_BE_WHOLE = (".json", ".toml", ".safetensors")


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        files: Files whose hash was checked.
        recomputed: Files made again and compared, relative to the run.
        differences: What differs, each with its file; empty for a run that holds.
        other_version: The version that wrote the run, if it is not this one: then sentences were not compared.
    """

    files: int
    recomputed: tuple[str, ...]
    differences: tuple[str, ...]
    other_version: str = ""


def verify_run(run: RunFolder) -> Verification:
    """Check every hash of the manifest, the predictions, and everything that is computed from them.

    Args:
        run: The run folder. It is only read.

    Raises:
        RunFolderError: There is no manifest, or it is damaged: nothing says what the run wrote.
    """
    content = _manifest_content(run)
    wrong = wrong_hashes(run)
    files = len(_hashes(content))
    differences = [*_unfinished(content), *(f"{name}: {fault}" for name, fault in wrong.items())]
    made = {name for stage in _computed(content) for name in _outputs(content, stage.name)}
    damaged = [name for name in wrong if name.endswith(_MUST_BE_WHOLE) and name not in made]
    if damaged:
        differences.append(f"the numbers were not computed again: that needs {', '.join(damaged)} undamaged")
        return Verification(files, (), tuple(differences), _other_version(content))
    names: list[str] = []
    try:
        for name, places in recomputed(run):
            names.append(name)
            differences += [f"{name}: {place}" for place in places]
    except SonoproofError as error:
        differences.append(f"the numbers cannot be computed again: {error}")
    return Verification(files, tuple(names), tuple(differences), _other_version(content))


def wrong_hashes(run: RunFolder) -> dict[str, str]:
    """What is wrong with each file whose SHA-256 is not the one in the manifest; empty where all agree.

    Raises:
        RunFolderError: There is no manifest, or it is damaged.
    """
    faults = {name: _fault(run.root / name, sha256) for name, sha256 in _hashes(_manifest_content(run)).items()}
    return {name: fault for name, fault in faults.items() if fault}


def recomputed(run: RunFolder) -> Iterator[tuple[str, list[str]]]:
    """Make metrics, tables and report again beside the run, and compare them place by place.

    They are made from ``predictions/*.csv``, records and split, with the settings of the run, which is only read.

    Yields:
        Name of every file that was made again, and where it differs.

    Raises:
        RunFolderError: There is no manifest, or it is damaged.
        SonoproofError: The files of the run are too damaged to compute anything from them.
    """
    content = _manifest_content(run)
    with tempfile.TemporaryDirectory(prefix="sonoproof-verify-") as work:
        yield from _computed_again(run, content, work=Path(work))


def _manifest_content(run: RunFolder) -> Mapping[str, Any]:
    return Manifest(run.existing()).content


def _other_version(content: Mapping[str, Any]) -> str:
    """The version that wrote the run, if it is not this one; empty if it is."""
    version = str(content.get("sonoproof") or "of an unknown version")
    return "" if version == __version__ else version


def _hashes(content: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every file that the manifest answers for."""
    stages = (content.get("stages") or {}).values()
    hashes = {name: sha256 for stage in stages for name, sha256 in (stage.get("outputs") or {}).items()}
    return {**hashes, **(content.get("files") or {})}


def _fault(path: Path, sha256: str) -> str:
    if not path.is_file():
        return "is missing"
    if sha256_of_file(path) != sha256:
        return "is not the file that the run wrote (its SHA-256 differs from the manifest's)"
    return ""


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
    stages, sentences = _computed(content), not _other_version(content)
    made = {run.root / name for stage in stages for name in _outputs(content, stage.name)}
    shadow = shadow_of(run, work / "run", without={run.evaluation("val").parent, run.figures, run.report, *made})
    if run.predictions("val").parent.is_dir():
        (work / "workbooks").mkdir()
        yield from prediction_differences(run, work=work / "workbooks", sentences=sentences).items()
    for stage in stages:
        again = {shadow.relative(path) for path in stage.work(_TablesOnly(shadow, config=config))}
        for name in sorted(again | set(_outputs(content, stage.name))):
            if compared(Path(name), sentences=sentences):
                yield name, _file_differences(run.root / name, shadow.root / name, sentences=sentences)


class _TablesOnly(RunContext):
    """A context for stages that compute from tables: frames are not available."""

    @property
    def frames(self) -> NoReturn:
        raise ValueError("a stage that computes from tables asked for frames")


def _file_differences(found: Path, expected: Path, *, sentences: bool) -> list[str]:
    if not expected.is_file():
        return ["is a file that this version does not write for such a run"]
    return differing_places(found, expected, sentences=sentences) if found.is_file() else ["is missing"]
