from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.shared import ROOT


@pytest.fixture(autouse=True)
def _driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is no part of the package: it is imported from the repository's root, as ``make bench`` does."""
    monkeypatch.syspath_prepend(str(ROOT))


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.speed.{name}")


def side(seconds: float, *, wall: float | None = None, units: int = 10) -> dict[str, float]:
    return {"units": units, "cpu_s": seconds, "wall_s": seconds if wall is None else wall}


def test_a_planted_slow_down_of_a_fifth_is_noticed_and_less_is_not() -> None:
    regressions = module("results").regressions
    recorded = {"train_step": 1.5, "cold_frame": 10.0}
    assert regressions({"train_step": 1.25, "cold_frame": 8.1}, recorded) == []
    (line,) = regressions({"train_step": 1.2, "cold_frame": 12.0}, recorded)
    assert line == "train_step: 1.20 against 1.50 recorded, 20% less"


def test_a_work_that_is_no_longer_measured_is_noticed() -> None:
    assert module("results").regressions({}, {"train_step": 1.5}) == ["train_step: recorded as 1.50, not measured now"]


def test_the_quick_benchmark_exits_with_1_on_a_slow_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    main, results = module("__main__"), module("results")
    results.write_recorded(tmp_path / "results.json", {"quick": {"train_step": 1.5}})
    monkeypatch.setattr(main, "RECORDED", tmp_path / "results.json")
    monkeypatch.setattr(main, "peer_python", lambda _folder: Path(sys.executable))
    monkeypatch.setattr(main, "prepare_materials", lambda folder: module("materials").Materials(folder))
    monkeypatch.setattr(sys, "argv", ["speed", "--quick"])
    for first, second, code in ((1.45, None, 0), (1.1, 1.15, 1), (1.1, 1.45, 0)):
        answers = iter([first, second])
        asked: list[tuple[str, ...]] = []

        def ratios(_sides: object, *, only: Sequence[str] = (), answers: Any = answers, **_how: object) -> Any:
            asked.append(tuple(only))  # noqa: B023
            return {"train_step": next(answers)}

        monkeypatch.setattr(main, "_quick_ratios", ratios)
        assert main.main() == code
        assert asked == ([()] if second is None else [(), ("train_step",)])


def test_rounds_in_which_others_were_at_work_are_thrown_out() -> None:
    rounds, results, comparisons = (module(name) for name in ("rounds", "results", "comparisons"))
    work = next(one for one in comparisons.COMPARISONS if one.name == "train_step")
    quiet = rounds.Round(side(1.0), side(2.0), 20.0, 0.02)
    crowded = rounds.Round(side(1.0), side(9.0), 20.0, 0.4)
    diverging = rounds.Round(side(1.0, wall=1.9), side(9.0), 20.0, 0.02)
    found = results.summarise(work, [quiet, crowded, diverging, quiet], threads=1, quick=False)
    assert (found.ratio, found.quiet, found.rounds) == (2.0, 2, 4)
    assert found.share == pytest.approx(0.5)  # ten units a second of a limit of twenty


def test_on_one_thread_processor_time_counts_and_on_all_the_wall() -> None:
    rounds, results, comparisons = (module(name) for name in ("rounds", "results", "comparisons"))
    one = rounds.Round(side(1.0, wall=1.1), side(3.0, wall=3.3, units=5), None, 0.0)
    assert results.summarise(comparisons.COMPARISONS[0], [one], threads=1, quick=False).ratio == pytest.approx(6.0)
    two = rounds.Round(side(2.0, wall=1.0), side(2.0, wall=2.0), None, 0.0)
    assert results.summarise(comparisons.COMPARISONS[0], [two], threads=2, quick=False).ratio == pytest.approx(2.0)


def test_where_an_answer_is_waited_for_its_median_counts_but_not_in_the_quick_benchmark() -> None:
    rounds, results, comparisons = (module(name) for name in ("rounds", "results", "comparisons"))
    work = next(one for one in comparisons.COMPARISONS if one.name == "warm_frame")
    peer = side(3.0, wall=6.0) | {"median_s": 0.5}  # it waits half of its time
    one = rounds.Round(side(1.0) | {"median_s": 0.1}, peer, None, 0.0)
    assert results.summarise(work, [one], threads=1, quick=False).ratio == pytest.approx(5.0)
    assert results.summarise(work, [one], threads=1, quick=True).ratio == pytest.approx(3.0)


def test_some_works_measured_anew_take_the_place_of_theirs() -> None:
    rounds, results, comparisons = (module(name) for name in ("rounds", "results", "comparisons"))

    def measured(name: str, seconds: float) -> Any:
        work = next(one for one in comparisons.COMPARISONS if one.name == name)
        return results.summarise(work, [rounds.Round(side(1.0), side(seconds), None, 0.0)], threads=1, quick=False)

    before = {"results": results.as_json([measured("train_step", 2.0), measured("warm_frame", 5.0)])}
    after = results.merged(before, [measured("train_step", 3.0), measured("cold_frame", 8.0)])
    assert [one.name for one in after] == ["train_step", "warm_frame", "cold_frame"]
    assert [one.ratio for one in after] == pytest.approx([3.0, 5.0, 8.0])


def test_only_the_own_section_of_the_page_is_rewritten() -> None:
    with_section = module("results").with_section
    page = "# Results\n\n## Statistics\n\nold figures\n\n## Speed\n\nslow\n\n## Explanations\n\nmaps\n"
    changed = with_section(page, title="Speed", body="fast")
    assert changed == page.replace("slow", "fast")
    assert with_section(changed, title="Speed", body="fast") == changed
    assert with_section("# Results\n\n## Statistics\n\nx\n", title="Speed", body="fast").endswith(
        "## Statistics\n\nx\n\n## Speed\n\nfast\n"
    )


def test_a_goal_that_is_missed_is_said_in_the_table() -> None:
    results, comparisons = module("results"), module("comparisons")
    work = next(one for one in comparisons.COMPARISONS if one.name == "train_step")
    found = results.Result("train_step", 1, 5, 4, 1.5, 1.4, 1.6, 8.0, 5.3, 0.5, {})
    assert "| 1.8 (missed) |" in results.table([found], [work])
    assert "50% (goal: 40%)" in results.table([found], [work])
