"""Section "Provenance": settings, versions, inputs and the hash of every file."""

from __future__ import annotations

from collections.abc import Sequence

from sonoproof.parts import Part
from sonoproof.reporting.page.blocks import Block, Listing, Notice, Prose, Section, Table
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.types import Json
from sonoproof.wording import counted, humanise

OUTPUTS_SHOWN = 150
_SOURCE = ("manifest.json",)
_A_FOLDER = "a folder; the hash of each file is in records.csv"
# The stage that writes this page is not done while it writes.
_THIS_STAGE = "report"


def provenance_section(files: RunFiles) -> Section:
    """How, from what and with which versions this run was made."""
    blocks: list[Block] = []
    if files.manifest:
        blocks += _manifest(files.manifest)
    else:
        blocks.append(Notice("The run has no manifest.json: versions and hashes are unknown."))
    if files.settings:
        lines = tuple(files.settings.rstrip("\n").split("\n"))
        blocks.append(Listing("Settings of the run.", lines, ("config.toml",)))
    else:
        blocks.append(Notice("The run has no config.toml."))
    return Section("provenance", "Settings, versions and hashes", tuple(blocks))


def _manifest(manifest: Json) -> list[Block]:
    makers = (_run_facts, _versions, _inputs, _stages, _stage_notes, _outputs)
    blocks: list[Block] = [block for maker in makers if (block := maker(manifest)) is not None]
    blocks += [Notice(str(warning), level="warning") for warning in manifest.get("warnings") or []]
    blocks += [Prose(str(note)) for note in manifest.get("notes") or []]
    return blocks


def _run_facts(manifest: Json) -> Table | None:
    keys = (("command", "Command"), ("created", "Started"), ("finished", "Finished"), ("seed", "Seed"))
    rows = [(name, humanise(manifest[key])) for key, name in keys if manifest.get(key) is not None]
    for part, opened in (manifest.get("opened") or {}).items():
        rows.append((f"{Part(part).title} labels read", _openings(opened)))
    machine = manifest.get("machine") or {}
    rows += [(str(key).replace("_", " ").capitalize(), humanise(value)) for key, value in machine.items()]
    return _table("The run.", ("Item", "Value"), rows)


def _openings(opened: Sequence[Json]) -> str:
    """For how many sets of predictions, and how often these were evaluated."""
    times = sum(int(opening.get("times", 0)) for opening in opened)
    if (len(opened), times) == (1, 1):
        return "once"
    sets = "one set" if len(opened) == 1 else f"{len(opened)} different sets"
    return f"for {sets} of predictions, evaluated {counted(times, 'time')}"


def _versions(manifest: Json) -> Table | None:
    own = {"sonoproof": manifest["sonoproof"]} if manifest.get("sonoproof") else {}
    versions = {**own, **(manifest.get("versions") or {})}
    return _table("Versions.", ("Package", "Version"), [(name, humanise(found)) for name, found in versions.items()])


def _inputs(manifest: Json) -> Table | None:
    rows = [
        (humanise(entry.get("name")), humanise(entry.get("path")), str(entry.get("sha256") or _A_FOLDER))
        for entry in manifest.get("inputs") or []
    ]
    return _table("Inputs.", ("Input", "Path", "SHA-256"), rows, code=True)


def _stages(manifest: Json) -> Table | None:
    rows = []
    for name, stage in (manifest.get("stages") or {}).items():
        seconds = stage.get("seconds")
        took = "–" if seconds is None or name == _THIS_STAGE else f"{float(seconds):,.1f} s"
        rows.append(
            (name.capitalize(), "writing this page" if name == _THIS_STAGE else humanise(stage.get("done")), took)
        )
    return _table("Stages.", ("Stage", "Done", "Time"), rows)


def _stage_notes(manifest: Json) -> Listing | None:
    stages = (manifest.get("stages") or {}).items()
    lines = tuple(f"{name}: {note}" for name, stage in stages for note in stage.get("notes") or [])
    return Listing("What the stages reported.", lines, _SOURCE) if lines else None


def _outputs(manifest: Json) -> Table | None:
    stages = (manifest.get("stages") or {}).values()
    files = [file for stage in stages for file in (stage.get("outputs") or {}).items()]
    left_out = len(files) - OUTPUTS_SHOWN
    note = f"The first {OUTPUTS_SHOWN} files; {left_out:,} more are in manifest.json." if left_out > 0 else ""
    return _table("Files of the run.", ("File", "SHA-256"), files[:OUTPUTS_SHOWN], note=note, code=True)


def _table(
    caption: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, note: str = "", code: bool = False
) -> Table | None:
    """A table from the manifest; None where it would be empty."""
    return Table(caption, header, tuple(rows), sources=_SOURCE, note=note, code=code) if rows else None
