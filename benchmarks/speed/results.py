"""From rounds to medians, the table of the page, and the comparison with the last recorded ratios."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.comparisons import Comparison
from benchmarks.speed.rounds import Round

__all__ = [
    "WORST_LOSS",
    "Result",
    "as_json",
    "has_fallen",
    "merged",
    "read_recorded",
    "regressions",
    "summarise",
    "table",
    "with_section",
    "write_recorded",
]

# A ratio that has lost as much of its recorded value counts as a regression.
WORST_LOSS = 0.2


@dataclass(frozen=True)
class Result:
    """What the rounds of a comparison say.

    Attributes:
        name: Of the comparison.
        threads: Threads of both sides.
        rounds: Rounds done.
        quiet: Rounds of them that could be believed.
        ratio: Median of peer's time over ours, by processor time on one thread, by wall time on all and where an answer
            is waited for.
        low: Smallest of the believed rounds.
        high: Largest of them.
        ours_per_s: Our units per second of wall time, median.
        peer_per_s: The peer's.
        share: Share of the limit that ours reaches, median; None where there is no limit.
        more: What else the works reported in the last round.
    """

    name: str
    threads: int
    rounds: int
    quiet: int
    ratio: float | None
    low: float | None
    high: float | None
    ours_per_s: float
    peer_per_s: float | None
    share: float | None
    more: dict[str, Any]


def summarise(comparison: Comparison, rounds: Sequence[Round], *, threads: int, quick: bool) -> Result:
    """Median and range over the rounds that can be believed; over all, where none can."""
    by_cpu = threads == 1 and (quick or comparison.clock == "cpu")
    quiet = [one for one in rounds if one.is_quiet(by_cpu=by_cpu)]
    counted = quiet or list(rounds)
    ratios = [_ratio(one, by_cpu=by_cpu) for one in counted if one.peer is not None]
    rates = [one.ours["units"] / one.ours["wall_s"] for one in counted]
    theirs = [one.peer["units"] / one.peer["wall_s"] for one in counted if one.peer is not None]
    shares = [rate / one.limit for rate, one in zip(rates, counted, strict=True) if one.limit is not None]
    return Result(
        name=comparison.name,
        threads=threads,
        rounds=len(rounds),
        quiet=len(quiet),
        ratio=statistics.median(ratios) if ratios else None,
        low=min(ratios) if ratios else None,
        high=max(ratios) if ratios else None,
        ours_per_s=statistics.median(rates),
        peer_per_s=statistics.median(theirs) if theirs else None,
        share=statistics.median(shares) if shares else None,
        more={side: _more(said) for side, said in (("ours", counted[-1].ours), ("peer", counted[-1].peer)) if said},
    )


def _ratio(one: Round, *, by_cpu: bool) -> float:
    assert one.peer is not None
    ours, peer = (_seconds(side, by_cpu=by_cpu) for side in (one.ours, one.peer))
    return peer / ours


def _seconds(done: Mapping[str, Any], *, by_cpu: bool) -> float:
    """Seconds per unit; for single answers, the median waiting time."""
    if not by_cpu and "median_s" in done:
        return float(done["median_s"])
    return float(done["cpu_s" if by_cpu else "wall_s"] / done["units"])


def _more(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key not in ("units", "wall_s", "cpu_s")}


def has_fallen(now: float, recorded: float) -> bool:
    """Whether a ratio has lost 20 % or more of its recorded value."""
    return now <= (1.0 - WORST_LOSS) * recorded


def regressions(now: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """A line for each ratio that has lost 20 % or more of its recorded value, or that is no longer measured."""
    lines = []
    for name, before in sorted(recorded.items()):
        if name not in now:
            lines.append(f"{name}: recorded as {before:.2f}, not measured now")
        elif has_fallen(now[name], before):
            lines.append(f"{name}: {now[name]:.2f} against {before:.2f} recorded, {1 - now[name] / before:.0%} less")
    return lines


def table(results: Sequence[Result], comparisons: Sequence[Comparison]) -> str:
    """The table of the page."""
    of_name = {comparison.name: comparison for comparison in comparisons}
    head = "| task | threads | ratio (range) | goal | ours per second | peer per second | share of limit | rounds |"
    rows = [head, "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    rows += [_row(result, of_name[result.name]) for result in results]
    return "\n".join(rows)


def _row(result: Result, comparison: Comparison) -> str:
    judged = (result.threads == 1) == (comparison.judged == "core")
    goal = f"{comparison.goal:g}" if comparison.goal is not None and judged else ""
    ratio = "" if result.ratio is None else f"**{result.ratio:.1f}** ({result.low:.1f} to {result.high:.1f})"
    if goal and result.ratio is not None and comparison.goal is not None and result.ratio < comparison.goal:
        goal += " (missed)"
    share = "" if result.share is None else f"{result.share:.0%}"
    if share and comparison.limit_goal is not None and judged:
        share += f" (goal: {comparison.limit_goal:.0%})"
    theirs = "" if result.peer_per_s is None else f"{result.peer_per_s:.3g}"
    rounds = f"{result.quiet} of {result.rounds}"
    cells = [comparison.title, str(result.threads), ratio, goal, f"{result.ours_per_s:.3g}", theirs, share, rounds]
    return f"| {' | '.join(cells)} |"


def with_section(page: str, *, title: str, body: str) -> str:
    """A page with one section replaced or added at its end; every other section stays as it is."""
    lines = page.rstrip("\n").split("\n") if page.strip() else ["# Results"]
    starts = [number for number, line in enumerate(lines) if line.startswith("## ")] + [len(lines)]
    section = [f"## {title}", "", *body.strip("\n").split("\n")]
    for start, end in zip(starts[:-1], starts[1:], strict=True):  # noqa: RUF007
        if lines[start] == f"## {title}":
            after = ["", *lines[end:]] if end < len(lines) else []
            return "\n".join([*lines[:start], *section, *after]) + "\n"
    return "\n".join([*lines, "", *section]) + "\n"


def read_recorded(path: Path) -> dict[str, Any]:
    """What was recorded, or nothing."""
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_recorded(path: Path, content: Mapping[str, Any]) -> None:
    """Write what was measured."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Results as they are recorded."""
    return [asdict(result) for result in results]


def merged(recorded: Mapping[str, Any], results: Sequence[Result]) -> list[Result]:
    """What was recorded, with some results replaced by new measurements."""
    anew = {(result.name, result.threads): result for result in results}
    before = [Result(**result) for result in recorded.get("results", [])]
    known = {(result.name, result.threads) for result in before}
    kept = [anew.get((result.name, result.threads), result) for result in before]
    return [*kept, *(result for place, result in anew.items() if place not in known)]
