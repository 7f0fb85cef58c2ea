"""Section "Provenance": settings, versions, inputs and the hash of every file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sonoproof.reporting.page.blocks import Block, Listing, Notice, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.wording import humanise

__all__ = ["provenance_section"]

OUTPUTS_SHOWN = 150
_SOURCE = ("manifest.json",)
_A_FOLDER = "a folder; the hash of each file stands in records.csv"
# The stage that writes this page is not done while it writes.
_THIS_STAGE = "report"


def provenance_section(evidence: Evidence) -> Section:
    """With what, from what, by what this run was made."""
    blocks: list[Block] = []
    if evidence.manifest:
        blocks += _manifest(evidence.manifest)
    else:
        blocks.append(Notice("The run holds no manifest.json: versions and hashes are not known."))
    if evidence.settings:
        lines = tuple(evidence.settings.rstrip("\n").split("\n"))
        blocks.append(Listing("Settings of the run.", lines, ("config.toml",)))
    else:
        blocks.append(Notice("The run holds no config.toml."))
    return Section("provenance", "Settings, versions and hashes", tuple(blocks))


def _manifest(manifest: Mapping[str, Any]) -> list[Block]:
    makers = (_run_facts, _versions, _inputs, _stages, _stage_notes, _outputs)
    blocks: list[Block] = [block for maker in makers if (block := maker(manifest)) is not None]
    blocks += [Notice(str(warning), level="warning") for warning in manifest.get("warnings") or []]
    blocks += [Prose(str(note)) for note in manifest.get("notes") or []]
    return blocks


def _run_facts(manifest: Mapping[str, Any]) -> Table | None:
    keys = (("command", "Command"), ("created", "Started"), ("finished", "Finished"), ("seed", "Seed"))
    rows = [(name, humanise(manifest[key])) for key, name in keys if manifest.get(key) is not None]
    rows += [
        (f"Labels of the part {part} opened", _openings(of)) for part, of in (manifest.get("opened") or {}).items()
    ]
    machine = manifest.get("machine") or {}
    rows += [(str(key).replace("_", " ").capitalize(), humanise(value)) for key, value in machine.items()]
    return Table("The run.", ("What", "Value"), tuple(rows), sources=_SOURCE) if rows else None


def _openings(opened: Sequence[Mapping[str, Any]]) -> str:
    """For how many sets of predictions, and how often these were measured."""
    times = sum(int(opening.get("times", 0)) for opening in opened)
    if (len(opened), times) == (1, 1):
        return "once"
    sets = "one set" if len(opened) == 1 else f"{len(opened)} different sets"
    return f"for {sets} of predictions, measured {times} times"


def _versions(manifest: Mapping[str, Any]) -> Table | None:
    own = {"sonoproof": manifest["sonoproof"]} if manifest.get("sonoproof") else {}
    versions = {**own, **(manifest.get("versions") or {})}
    rows = tuple((str(name), humanise(version)) for name, version in versions.items())
    return Table("Versions.", ("Package", "Version"), rows, sources=_SOURCE) if rows else None


def _inputs(manifest: Mapping[str, Any]) -> Table | None:
    rows = tuple(
        (humanise(entry.get("name")), humanise(entry.get("path")), str(entry.get("sha256") or _A_FOLDER))
        for entry in manifest.get("inputs") or []
    )
    return Table("Inputs.", ("Input", "Path", "SHA-256"), rows, sources=_SOURCE, code=True) if rows else None


def _stages(manifest: Mapping[str, Any]) -> Table | None:
    rows = []
    for name, stage in (manifest.get("stages") or {}).items():
        seconds = stage.get("seconds")
        took = "–" if seconds is None else f"{float(seconds):,.1f} s"
        done = "writes this page" if name == _THIS_STAGE else humanise(stage.get("done"))
        rows.append((str(name).capitalize(), done, "–" if name == _THIS_STAGE else took))
    return Table("Stages.", ("Stage", "Done", "Took"), tuple(rows), sources=_SOURCE) if rows else None


def _stage_notes(manifest: Mapping[str, Any]) -> Listing | None:
    stages = (manifest.get("stages") or {}).items()
    lines = tuple(f"{name}: {note}" for name, stage in stages for note in stage.get("notes") or [])
    return Listing("What the stages said.", lines, _SOURCE) if lines else None


def _outputs(manifest: Mapping[str, Any]) -> Table | None:
    files = [
        (str(path), str(sha256))
        for stage in (manifest.get("stages") or {}).values()
        for path, sha256 in (stage.get("outputs") or {}).items()
    ]
    if not files:
        return None
    left_out = len(files) - OUTPUTS_SHOWN
    note = f"The first {OUTPUTS_SHOWN} files; {left_out:,} more are in manifest.json." if left_out > 0 else ""
    shown = tuple(files[:OUTPUTS_SHOWN])
    return Table("Files of the run.", ("File", "SHA-256"), shown, sources=_SOURCE, note=note, code=True)
