"""The manifest of a run: which stage wrote what, from which inputs, with which hashes, settings and versions.

It is what ``--resume`` trusts: a stage is done if it was finished with the same fingerprint and everything that it
wrote is still there, byte for byte.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sonoproof import __version__
from sonoproof.errors import SonoproofError
from sonoproof.runfolder import RunFolder, read_json, sha256_of_file, write_json

SCHEMA = "manifest"
LIBRARIES = (
    "torch", "transformers", "lightning", "captum", "scikit-learn", "numpy", "scipy", "pandas", "pillow",
    "opencv-python-headless", "matplotlib", "python-calamine", "openpyxl",
)  # fmt: skip


class Manifest:
    """Reads and writes ``manifest.json``; every change is on disk when the method returns.

    Args:
        run: The run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.content: dict[str, Any] = read_json(run.manifest, schema=SCHEMA) if run.manifest.is_file() else {}

    def begin(self, *, command: str, seed: int, inputs: Mapping[str, Path]) -> None:
        """Note the command, the machine, the versions and the inputs; keep the stages of an earlier attempt.

        Args:
            command: The command line.
            seed: Seed of the training.
            inputs: The files that the run reads, by what they are.
        """
        self.content = {
            "sonoproof": __version__,
            "created": self.content.get("created", _now()),
            "finished": None,
            "command": command,
            "folder": str(self._run.root.absolute()),
            "seed": seed,
            "versions": {"python": platform.python_version(), **library_versions()},
            "machine": {
                "system": platform.platform(),
                "processors": os.cpu_count(),
                "architecture": platform.machine(),
            },
            "inputs": [_input(name, path, root=self._run.root) for name, path in inputs.items()],
            "files": {},
            "stages": self.content.get("stages", {}),
            "opened": self.content.get("opened", {}),
            "notes": [],
            "warnings": [],
        }
        self._write()

    def note_file(self, path: Path) -> None:
        """Note the hash of a file that no stage writes."""
        self.content.setdefault("files", {})[self._run.relative(path)] = sha256_of_file(path)
        self._write()

    def finish(self) -> None:
        """Note that the run is complete."""
        self.content["finished"] = _now()
        self._write()

    def is_done(self, stage: str, *, depends: Mapping[str, Any]) -> bool:
        """Whether a stage was finished from the same dependencies and all that it wrote is still as it was."""
        same = self._stage(stage).get("fingerprint") == fingerprint(stage, depends)
        return same and self.is_finished(stage) and not self.first_changed_output(stage)

    def is_finished(self, stage: str) -> bool:
        """Whether a stage was finished, from whatever dependencies."""
        return bool(self._stage(stage).get("done"))

    def was_begun(self, stage: str, *, depends: Mapping[str, Any]) -> bool:
        """Whether a stage was begun from the same dependencies, so that it may continue from where it was killed."""
        return bool(self._stage(stage).get("fingerprint") == fingerprint(stage, depends))

    def dependencies(self, stage: str) -> dict[str, Any]:
        """What a stage depended on when it was begun."""
        return dict(self._stage(stage).get("depends", {}))

    def first_changed_output(self, stage: str) -> str:
        """A file that a finished stage wrote and that is gone or has changed; empty if all are as they were."""
        outputs: Mapping[str, str] = self._stage(stage).get("outputs", {})
        paths = ((name, self._run.root / name) for name in outputs)
        changed = (name for name, path in paths if not path.is_file() or sha256_of_file(path) != outputs[name])
        return next(changed, "")

    def noted_sha256(self, path: Path) -> str:
        """The hash of a file that no stage writes, as it was noted; empty if it was not."""
        return str(self.content.get("files", {}).get(self._run.relative(path), ""))

    def moved(self, inputs: Mapping[str, Path]) -> list[str]:
        """What lies elsewhere than in the earlier attempt, a line each: the run itself, and what it reads.

        Args:
            inputs: The files that the run reads now, by what they are.
        """
        root, folder = self._run.root.absolute(), self.content.get("folder", "")
        found = [f"run folder: now {root}, before {folder}"] if folder and folder != str(root) else []
        before = {entry["name"]: entry for entry in self.content.get("inputs", []) if entry.get("from_run")}
        found += [
            f"{name.replace('_', ' ')}: now {path}, before {before[name]['path']}"
            for name, path in inputs.items()
            if name in before and before[name]["from_run"] != _relative(path, self._run.root)
        ]
        return [f"{line}; what has the same content is not done again" for line in found]

    def input_beside_run(self, name: str) -> Path | None:
        """Where an input lies now if it was moved together with the run; None if it is not there.

        Args:
            name: What it is, such as ``images``.
        """
        entries = [entry for entry in self.content.get("inputs", []) if entry["name"] == name]
        relative = entries[0].get("from_run", "") if entries else ""
        path = Path(os.path.normpath(self._run.root.absolute() / relative))
        return path if relative and path.exists() else None

    @contextlib.contextmanager
    def stage_begun(self, stage: str, *, depends: Mapping[str, Any]) -> Iterator[None]:
        """Note that a stage has begun; if it refuses before it has changed a file, it is noted as it was before."""
        before = self._stage(stage)
        mark = fingerprint(stage, depends)
        entry = {"done": False, "fingerprint": mark, "depends": dict(depends)}
        self.content.setdefault("stages", {})[stage] = entry
        self._write()
        try:
            yield
        except SonoproofError:
            self.content["stages"][stage] = before
            if not self.is_finished(stage) or self.first_changed_output(stage):
                self.content["stages"][stage] = entry
            self._write()
            raise

    def end_stage(
        self,
        stage: str,
        *,
        depends: Mapping[str, Any],
        seconds: float,
        outputs: Sequence[Path],
        notes: Sequence[str] = (),
    ) -> None:
        """Note that a stage is done, with the hash of everything that it wrote."""
        self.content["stages"][stage] = {
            "done": True,
            "fingerprint": fingerprint(stage, depends),
            "depends": dict(depends),
            "seconds": round(seconds, 2),
            "outputs": {self._run.relative(path): sha256_of_file(path) for path in sorted(outputs)},
            "notes": list(notes),
        }
        self._write()

    def open_part(self, part: str, *, predictions: Path) -> None:
        """Note that the labels of a part were read to measure predictions; other predictions open a part again.

        Args:
            part: Name of the part, such as ``test``.
            predictions: The predictions measured; equal bytes are the same opening, measured again.
        """
        opened = self.content.setdefault("opened", {}).setdefault(part, [])
        sha256 = sha256_of_file(predictions)
        if not opened or opened[-1]["predictions_sha256"] != sha256:
            opened.append({"predictions_sha256": sha256, "first": _now(), "times": 0})
        opened[-1]["times"] += 1
        self._write()

    def _stage(self, stage: str) -> dict[str, Any]:
        entry: dict[str, Any] = self.content.get("stages", {}).get(stage, {})
        return entry

    def _write(self) -> None:
        content = {key: value for key, value in self.content.items() if key not in ("schema", "schema_version")}
        write_json(self._run.manifest, content, schema=SCHEMA)


def fingerprint(*parts: Any) -> str:
    """A short hash of JSON-able values: equal inputs and settings, equal hash."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide the results, by name."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def _input(name: str, path: Path, *, root: Path) -> dict[str, str]:
    return {
        "name": name,
        "path": str(path),
        "from_run": _relative(path, root),
        "sha256": sha256_of_file(path) if path.is_file() else "",
    }


def _relative(path: Path, root: Path) -> str:
    """The path from the run folder, by which an input is found again that was moved together with it."""
    try:
        return os.path.relpath(path.absolute(), root.absolute())
    except ValueError:  # on another drive
        return ""


def _now() -> str:
    return datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")


def command_line() -> str:
    """The command that was typed."""
    return " ".join(["sonoproof", *sys.argv[1:]])
