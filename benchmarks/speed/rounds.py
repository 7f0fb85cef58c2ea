"""Rounds: limit, ours and the peer in turn, with the time of both kinds, and whether anybody else was at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.speed.comparisons import Comparison
from benchmarks.speed.environments import ROOT, environment_of

__all__ = ["Round", "Side", "measure"]

# Of the machine's processors: what others may use during a round before it is thrown out.
MAX_OF_OTHERS = 0.1


class Side:
    """A worker process of one side.

    Args:
        module: ``ours`` or ``peer``.
        python: Its interpreter.
        threads: Threads and processors that it may use.
        folder: The materials.
    """

    def __init__(self, module: str, *, python: Path, threads: int, folder: Path) -> None:
        self._name = f"{module} on {threads} thread(s)"
        words = [str(python), "-m", f"benchmarks.speed.{module}", str(threads), str(folder)]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment_of(threads),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def do(self, work: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Have a work done, and return what it took.

        Raises:
            RuntimeError: The worker died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"work": work, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise RuntimeError(f"{self._name}: died before {work} {arguments}") from error
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name}: died at {work} {arguments}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True)
class Round:
    """One round of one comparison.

    Attributes:
        ours: What our worker answered: units, wall and processor seconds, and more.
        peer: What the peer's worker answered; None where it has no such work.
        limit: Units a second of the limit; None where there is none.
        others: Share of the machine's processors that other processes used; NaN where the system does not say.
    """

    ours: dict[str, Any]
    peer: dict[str, Any] | None
    limit: float | None
    others: float

    def is_quiet(self, *, by_cpu: bool) -> bool:
        """Whether the times can be believed: nobody else was at work and, where it matters, the two times agree."""
        if self.others == self.others and self.others > MAX_OF_OTHERS:
            return False
        sides = [side for side in (self.ours, self.peer) if side is not None]
        return not by_cpu or all(side["wall_s"] <= 1.15 * side["cpu_s"] + 0.01 for side in sides)


def measure(comparison: Comparison, *, ours: Side, peer: Side, rounds: int, quick: bool, threads: int) -> list[Round]:
    """Do a comparison as often as asked for."""
    arguments = comparison.quick if quick else comparison.full
    assert arguments is not None
    found: list[Round] = []
    for number in range(rounds):
        busy, started = _busy_seconds(), time.perf_counter()
        theirs = None if comparison.peer is None else peer.do(comparison.work, {**arguments, **comparison.peer})
        own = ours.do(comparison.work, arguments)
        limit = (None, 0.0) if quick else _limit(comparison, ours)
        # The first round holds the preparations of both sides, which are not in their own times.
        others = float("nan") if number == 0 else _others(busy, started, [own, theirs or {}, {"cpu_s": limit[1]}])
        found.append(Round(own, theirs, limit[0], others))
        print(f"  {comparison.name} threads {threads} round {number + 1}: {_line(found[-1])}", file=sys.stderr)
    return found


def _limit(comparison: Comparison, ours: Side) -> tuple[float | None, float]:
    """Units a second of the limit, and the processor time that measuring it took."""
    if comparison.limit_work is not None:
        done = ours.do(*comparison.limit_work)
        return done["units"] / done["wall_s"], done["cpu_s"]
    if comparison.operations is not None:
        done = ours.do("matmul", {})
        return done["units"] / done["wall_s"] / comparison.operations, done["cpu_s"]
    return None, 0.0


def _others(busy_before: float, started: float, known: list[dict[str, Any]]) -> float:
    available = (time.perf_counter() - started) * (os.cpu_count() or 1)
    used = _busy_seconds() - busy_before
    own = sum(float(done.get("cpu_s", 0.0)) for done in known)
    return max(0.0, used - own) / available


def _busy_seconds() -> float:
    """Processor time used on the whole machine, what the host took away included (Linux)."""
    file = Path("/proc/stat")
    if not file.is_file():
        return float("nan")
    ticks = [int(word) for word in file.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return float(sum(ticks) - idle) / os.sysconf("SC_CLK_TCK")


def _line(one: Round) -> str:
    sides = [("ours", one.ours), *([("peer", one.peer)] if one.peer else [])]
    times = ", ".join(f"{name} {side['wall_s']:.2f} s wall {side['cpu_s']:.2f} s processor" for name, side in sides)
    return f"{times}, others {one.others:.0%}"
