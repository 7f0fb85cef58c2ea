"""The speed benchmark: ``make bench``, ``make bench-quick``, or ``python -m benchmarks.speed --help``.

The quick one compares with the last recorded ratios and exits with 1 if one has lost 20 %, twice in a row. Progress
goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.comparisons import Comparison, chosen
from benchmarks.speed.environments import ROOT, peer_python
from benchmarks.speed.materials import prepare_materials
from benchmarks.speed.results import (
    Result,
    as_json,
    has_fallen,
    merged,
    read_recorded,
    regressions,
    summarise,
    table,
    with_section,
    write_recorded,
)
from benchmarks.speed.rounds import Side, measure

PAGE = ROOT / "benchmarks" / "RESULTS.md"
RECORDED = ROOT / "benchmarks" / "results.json"
SECTION = "Speed"
REASONS = ROOT / "benchmarks" / "speed" / "reasons.md"
MAX_LOGIT_DIFFERENCE = 1e-3
QUICK_ROUNDS = 3
# What others are compared with must not be a lucky draw.
RECORDED_ROUNDS = 9


def main() -> int:
    """Measure, print, record; the exit code."""
    options = _options()
    python = peer_python(options.peer)
    materials = prepare_materials(options.materials)
    sides = {"ours": Path(sys.executable), "peer": python}
    if options.quick:
        return _quick(options, sides=sides, folder=materials.folder)
    everything = sorted({1, os.cpu_count() or 1})
    works = chosen(options.works)
    measured = [
        _measure(works, sides=sides, folder=materials.folder, threads=threads, rounds=options.rounds, quick=False)
        for threads in everything
    ]
    results = [result for found, _ in measured for result in found]
    limits = [line for _, line in measured]
    print(table(results, works))
    if options.works and not options.record:
        print("not recorded: only some tasks were run (--record adds them to the others)", file=sys.stderr)
        return 0
    recorded = read_recorded(RECORDED)
    if options.works:
        results, works = merged(recorded, results), chosen([])
        write_recorded(RECORDED, {**recorded, "results": as_json(results)})
    else:
        quick = _quick_ratios(sides, folder=materials.folder, rounds=RECORDED_ROUNDS)
        write_recorded(RECORDED, {"results": as_json(results), "quick": quick, "machine": _machine()})
    before = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    PAGE.write_text(
        with_section(before, title=SECTION, body=_section(results, works, rounds=options.rounds, limits=limits)),
        encoding="utf-8",
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("works", nargs="*", help="only these comparisons, printed and not recorded without --record")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="ratios only, compared with the last recorded ones")
    parser.add_argument(
        "--record", action="store_true", help="record the measurements even if only some tasks were run"
    )
    parser.add_argument("--materials", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--peer", type=Path, default=ROOT / ".venv-peer", help="folder of the peer's environment")
    options = parser.parse_args()
    options.materials, options.peer = options.materials.resolve(), options.peer.resolve()
    return options


def _measure(
    works: Sequence[Comparison], *, sides: dict[str, Path], folder: Path, threads: int, rounds: int, quick: bool
) -> tuple[list[Result], str]:
    """The results on as many threads, and the processor's own limits in a line."""
    with (
        Side("ours", python=sides["ours"], threads=threads, folder=folder) as ours,
        Side("peer", python=sides["peer"], threads=threads, folder=folder) as peer,
    ):
        _require_agreement(ours, peer)
        limits = f"Limits on {threads} thread(s): {_limits(ours)}."
        print(limits, file=sys.stderr)
        results = [
            summarise(
                work,
                measure(work, ours=ours, peer=peer, rounds=rounds, quick=quick, threads=threads),
                threads=threads,
                quick=quick,
            )
            for work in works
        ]
        return results, limits


def _require_agreement(ours: Side, peer: Side) -> None:
    """Both sides must compute the same network, or their times say nothing."""
    first, second = (side.do("agree", {})["logits"] for side in (ours, peer))
    largest = max(abs(a - b) for a, b in zip(first, second, strict=True))
    if not largest <= MAX_LOGIT_DIFFERENCE:
        raise SystemExit(f"the two sides do not compute the same network: their logits differ by {largest:.2g}")


def _limits(ours: Side) -> str:
    """The processor's two numbers: best of three."""
    rates = {
        work: max(done["units"] / done["wall_s"] for done in (ours.do(work, {}) for _ in range(3)))
        for work in ("matmul", "bandwidth")
    }
    return f"matrix multiplication {rates['matmul'] / 1e9:.0f} GFLOP/s, copying {rates['bandwidth'] / 1e9:.1f} GB/s"


def _quick(options: argparse.Namespace, *, sides: dict[str, Path], folder: Path) -> int:
    recorded = read_recorded(RECORDED)
    if options.record:
        now = _quick_ratios(sides, folder=folder, rounds=RECORDED_ROUNDS)
        write_recorded(RECORDED, {**recorded, "quick": now})
        return 0
    before: dict[str, float] = recorded.get("quick", {})
    now = _quick_ratios(sides, folder=folder, rounds=QUICK_ROUNDS)
    fallen = [name for name, ratio in now.items() if name in before and has_fallen(ratio, before[name])]
    if fallen:
        print(f"worse than recorded, measured again: {', '.join(fallen)}", file=sys.stderr)
        again = _quick_ratios(sides, folder=folder, rounds=QUICK_ROUNDS, only=fallen)
        now = {name: max(ratio, again.get(name, 0.0)) for name, ratio in now.items()}
    for name, ratio in now.items():
        print(f"{name:28s} {ratio:6.2f}" + (f"   recorded {before[name]:.2f}" if name in before else ""))
    if not before:
        print("there is no record to compare with yet; make bench writes one", file=sys.stderr)
        return 0
    lost = regressions(now, before)
    print("\n".join(lost) if lost else "no ratio has lost 20 %")
    return 1 if lost else 0


def _quick_ratios(sides: dict[str, Path], *, folder: Path, rounds: int, only: Sequence[str] = ()) -> dict[str, float]:
    """Ratios on one thread, by processor time: they hold on a busy machine too."""
    works = [work for work in chosen(list(only)) if work.quick is not None and work.peer is not None]
    results, _ = _measure(works, sides=sides, folder=folder, threads=1, rounds=rounds, quick=True)
    return {result.name: result.ratio for result in results if result.ratio is not None}


def _section(results: Sequence[Result], works: Sequence[Comparison], *, rounds: int, limits: Sequence[str]) -> str:
    return "\n".join(
        [
            f"Written by `make bench` on {time.strftime('%Y-%m-%d')}. {_machine()}",
            "",
            "Ours compared with Keras MobileNet on TensorFlow, with the same frames, weights, width, padding,",
            f"decoding and augmentation, in turn, {rounds} rounds. The ratio is the peer's time divided by ours,",
            "as median and range. It uses processor time on one thread, wall time on all threads, and wall time",
            "where a user waits for one answer. Rounds in which other processes were active, or in which wall",
            "and processor time differ although processor time counts, are discarded. The last column shows the",
            "rounds that were kept; if none was kept, all are used and the figure is not reliable. The limit of",
            "a training step is matrix multiplication, measured in the same round; the limit of scoring is the",
            "same network on frames in memory.",
            "",
            table(results, works),
            "",
            *[line for limit in limits for line in (limit, "")],
            *_latencies(results),
            REASONS.read_text(encoding="utf-8").strip(),
        ]
    )


def _latencies(results: Sequence[Result]) -> list[str]:
    lines = []
    for result in results:
        ours, peer = result.more.get("ours", {}), result.more.get("peer", {})
        if "median_s" in ours:
            lines += [
                f"One frame, warm, {result.threads} thread(s): median {1e3 * ours['median_s']:.1f} ms, 99th percentile "
                f"{1e3 * ours['p99_s']:.1f} ms (peer {1e3 * peer['median_s']:.1f} and {1e3 * peer['p99_s']:.1f} ms).",
                "",
            ]
        if "gaps" in ours:
            gaps, theirs = statistics.median(ours["gaps"]), statistics.median(peer["gaps"])
            points, of_peer = statistics.median(ours["steps"]), statistics.median(peer["steps"])
            lines += [
                f"Integrated gradients, {result.threads} thread(s): gap {gaps:.2g} with {points:g} points of the path "
                f"(peer {theirs:.2g} with {of_peer:g}).",
                "",
            ]
    return lines


def _machine() -> str:
    """The machine in general terms."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"Machine: {model}, {os.cpu_count()} processors, {pages:.0f} GiB of memory, {platform.system()}."


if __name__ == "__main__":
    raise SystemExit(main())
