"""What is compared: the works, their goals, and how much of each is done in a full and in a quick benchmark."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.speed.materials import IG_FRAMES, IG_TOLERANCE

__all__ = ["COMPARISONS", "Comparison", "chosen"]

# MobileNet V1 1.0 224: multiply-adds of the forward pass (Howard et al. 2017, table 4), two operations each.
FORWARD_OPERATIONS = 2 * 569e6
# Backward takes about twice the forward pass: gradients of the inputs and of the weights.
STEP_OPERATIONS = 3 * FORWARD_OPERATIONS


@dataclass(frozen=True)
class Comparison:
    """One work on both sides.

    Attributes:
        name: Key in the results.
        title: What a reader sees.
        work: Name of the work in the workers.
        full: Arguments in a full benchmark.
        quick: Arguments in a quick one; None where it is left out.
        peer: Arguments of the peer where they differ; None where the peer has no such work.
        goal: Ratio to be reached.
        judged: Whether the goal is meant for one thread (``core``) or for all (``all``).
        clock: Whether one thread is compared by processor time (``cpu``), which other processes lengthen less, or by
            ``wall`` time, where somebody waits for the answer.
        operations: Floating-point operations a unit, where the peak of matrix multiplication is the limit.
        limit_work: Our own work whose rate is the limit instead.
        limit_goal: Share of the limit to be reached.
    """

    name: str
    title: str
    work: str
    full: dict[str, Any]
    quick: dict[str, Any] | None
    peer: dict[str, Any] | None = field(default_factory=dict)
    goal: float | None = None
    judged: Literal["core", "all"] = "core"
    clock: Literal["cpu", "wall"] = "cpu"
    operations: float | None = None
    limit_work: tuple[str, dict[str, Any]] | None = None
    limit_goal: float | None = None


IN_MEMORY = ("score_memory", {"precision": "fp32", "count": 64})
IN_MEMORY_INT8 = ("score_memory", {"precision": "int8", "count": 64})


ENGINE_OF = {"fp32": "ONNX Runtime", "int8": "OpenVINO"}


def _scoring(kind: str, precision: str, *, goal: float, limit_goal: float | None, quick: bool) -> Comparison:
    return Comparison(
        name=f"score_{precision}_{kind}",
        title=f"scoring frames on disk, {precision} ({ENGINE_OF[precision]}), {kind} JPEG",
        work="score_files",
        full={"kind": kind, "precision": precision, "count": 96},
        quick={"kind": kind, "precision": precision, "count": 32} if quick else None,
        peer={"precision": "fp32"},
        goal=goal,
        judged="all" if precision == "fp32" else "core",
        limit_work=IN_MEMORY if precision == "fp32" else IN_MEMORY_INT8,
        limit_goal=limit_goal,
    )


COMPARISONS = (
    *(
        Comparison(
            name=f"decode_augment_{kind}",
            title=f"decode and augment, from the store, {kind} JPEG",
            work="decode_augment",
            full={"kind": kind},
            quick={"kind": kind} if kind == "300x300" else None,
            goal=10.0,
        )
        for kind in ("300x300", "800x600")
    ),
    Comparison(
        name="train_step",
        title="training step, MobileNet V1 1.0 224, batch 32, fp32",
        work="train_step",
        full={"batch": 32},
        quick={"batch": 16},
        goal=1.8,
        operations=STEP_OPERATIONS,
        limit_goal=0.4,
    ),
    _scoring("300x300", "fp32", goal=3.0, limit_goal=0.75, quick=True),
    _scoring("800x600", "fp32", goal=3.0, limit_goal=0.75, quick=False),
    _scoring("300x300", "int8", goal=5.0, limit_goal=None, quick=True),
    _scoring("800x600", "int8", goal=5.0, limit_goal=None, quick=False),
    Comparison(
        name="warm_frame",
        title="one frame, warm, 800x600 JPEG",
        work="warm_frame",
        full={"kind": "800x600", "count": 40},
        quick={"kind": "800x600", "count": 15},
        goal=6.0,
        clock="wall",
    ),
    Comparison(
        name="cold_frame",
        title="one frame, cold, process start to answer",
        work="cold_frame",
        full={"kind": "800x600"},
        quick={"kind": "800x600"},
        goal=5.0,
        clock="wall",
    ),
    Comparison(
        name="attribute",
        title="integrated gradients, to a completeness gap of 5 %",
        work="attribute",
        full={"count": IG_FRAMES, "tolerance": IG_TOLERANCE},
        quick={"count": 1, "tolerance": IG_TOLERANCE},
        goal=4.0,
    ),
    Comparison(
        name="figure",
        title="600-DPI explanation figures (png, pdf, preview), a set of 10; goal: 2 per second",
        work="figure",
        full={},
        quick=None,
        peer=None,
        judged="all",
    ),
)


def chosen(names: list[str]) -> tuple[Comparison, ...]:
    """The comparisons of these names; all where none is named."""
    unknown = set(names) - {comparison.name for comparison in COMPARISONS}
    if unknown:
        known = ", ".join(comparison.name for comparison in COMPARISONS)
        raise SystemExit(f"there is no comparison {', '.join(sorted(unknown))}; there are {known}")
    return tuple(comparison for comparison in COMPARISONS if not names or comparison.name in names)
