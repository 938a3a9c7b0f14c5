"""Cost of a step: flat however long the run, small, and sharing what it keeps.

Prints ratios and times of one process. Run it with ``make bench``; nothing is asserted by the tests, for wall
time is the machine's. The budgets are those the project has set itself; the exit code tells whether they hold.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine import (
    JexlTransformEngine,
    NodeDefinition,
    Output,
    Registry,
    Snapshot,
    Step,
    WorkflowDefinition,
    WorkflowEngine,
)
from engine.json_value import JsonValue

STEP_US_MAX = 15.0
EXPRESSION_STEP_US_MAX = 30.0
GROWTH_MAX = 1.2
GROWTH_WITH_COLLECTOR_MAX = 1.5
STEP_BYTES_MAX = 600
EXPRESSION_US_MAX = 3.0
IMPORT_MS_MAX = 120.0

ROOT = Path(__file__).resolve().parent.parent

LENGTHS = (100, 1_000, 10_000, 100_000)
LOOP_NODES = 10
REFERENCE_MACHINE_MS = 2.0
STRETCH = 100
ROUNDS = 60
PAIRS = 3
NOW_MS = 1_700_000_000_000


def count(_data: JsonValue, step: Step) -> Output:
    """A step that does next to nothing: what remains is the engine."""
    return Output({"val": step.visit})


REGISTRY = Registry()
REGISTRY.add_node("bench:count", NodeDefinition(count))


def chain(length: int) -> WorkflowDefinition:
    """A workflow of so many nodes in a row."""
    return WorkflowDefinition.parse(
        {
            "nodes": [{"id": f"n{i}", "type": "bench:count"} for i in range(length)],
            "edges": [{"source": f"n{i}", "target": f"n{i + 1}"} for i in range(length - 1)],
        }
    )


def loop(expression: str | None) -> WorkflowDefinition:
    """Ten nodes in a ring, for ever; with one expression in each node's data, or with none."""
    data = {} if expression is None else {"data": {"value": expression}}
    return WorkflowDefinition.parse(
        {
            "nodes": [{"id": f"n{i}", "type": "bench:count", **data} for i in range(LOOP_NODES)],
            "edges": [{"source": f"n{i}", "target": f"n{(i + 1) % LOOP_NODES}"} for i in range(LOOP_NODES)],
        }
    )


def engine_of(workflow: WorkflowDefinition) -> WorkflowEngine:
    """An engine without the check of definitions, which is not what is measured."""
    return WorkflowEngine(workflow, REGISTRY.node_definitions, (JexlTransformEngine(),), check=False)


def run(engine: WorkflowEngine, steps: int) -> Snapshot:
    """Executes so many steps."""
    snapshot = engine.create_initial_snapshot("bench", now_ms=NOW_MS)
    return engine.execute(snapshot, step_limit=steps, now_ms=NOW_MS)


def step_us(engine: WorkflowEngine, lengths: tuple[int, ...]) -> dict[int, float]:
    """Microseconds of a step after so many others, the least disturbed of many stretches.

    The lengths take turns, so that a machine whose speed drifts does so under all of them.
    """
    snapshots = {length: run(engine, length - STRETCH) for length in lengths}
    best = dict.fromkeys(lengths, float("inf"))
    for _ in range(ROUNDS):
        for length in lengths:
            # Each stretch goes on from where the last one ended: an older snapshot would copy its part of the log.
            started = time.perf_counter()
            snapshots[length] = engine.execute(snapshots[length], step_limit=STRETCH, now_ms=NOW_MS)
            best[length] = min(best[length], (time.perf_counter() - started) / STRETCH * 1e6)
    return best


def growth(engine: WorkflowEngine) -> float:
    """A step of a long run over one of a short run, whole runs, each pair side by side; the median of several."""
    ratios = []
    for _ in range(PAIRS):
        short = min(_run_us(engine, LENGTHS[0]) for _ in range(20))
        long = _run_us(engine, LENGTHS[-1])
        short = min(short, *(_run_us(engine, LENGTHS[0]) for _ in range(20)))
        ratios.append(long / short)
    return sorted(ratios)[PAIRS // 2]


def _run_us(engine: WorkflowEngine, steps: int) -> float:
    started = time.perf_counter()
    run(engine, steps)
    return (time.perf_counter() - started) / steps * 1e6


def machine_ms() -> float:
    """Milliseconds in which this machine counts to 100,000 in Python, at its best: what the times stand beside."""
    best = float("inf")
    for _ in range(50):
        started = time.perf_counter()
        for _ in range(100_000):
            pass
        best = min(best, time.perf_counter() - started)
    return best * 1e3


def step_bytes(engine: WorkflowEngine, steps: int) -> float:
    """Bytes that a step adds to what a run keeps, its output included."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    snapshot = run(engine, steps)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return kept / snapshot.version


def evaluate_us() -> float:
    """Microseconds of a compiled ``nodes.n1.last.data.val * 2``, the cache look-up included."""
    jexl = JexlTransformEngine()
    names = {"nodes": {"n1": {"last": {"data": {"val": 21}}}}}
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(5_000):
            jexl.evaluate("nodes.n1.last.data.val * 2", names)
        best = min(best, time.perf_counter() - started)
    return best / 5_000 * 1e6


def import_ms() -> float:
    """Milliseconds of ``import engine`` in a new interpreter, pydantic included; the best of ten, precompiled."""
    code = "import time; t = time.perf_counter(); import engine; print((time.perf_counter() - t) * 1000)"
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(ROOT)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times = [
            float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment).stdout)  # noqa: S603
            for _ in range(11)
        ]
    return min(times[1:])


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure and its budget."""

    name: str
    value: float
    budget: float
    unit: str
    slowness: float = 1.0

    @property
    def note(self) -> str:
        """How much slower than the budget's machine this one was."""
        return "" if self.slowness == 1 else f", machine {self.slowness:.1f} x slower"

    @property
    def held(self) -> bool:
        """Whether the budget holds, on a machine as slow as this one was just then."""
        return self.value <= self.budget * self.slowness


def timed(name: str, value: float, budget: float, unit: str) -> Row:
    """A row of a time, with how slow the machine is right now: its speed drifts."""
    return Row(name, value, budget, unit, max(1.0, machine_ms() / REFERENCE_MACHINE_MS))


def with_collector(enabled: bool, measure: Callable[[], float]) -> float:
    """A measurement with the garbage collector on or off."""
    gc.collect()
    if not enabled:
        gc.disable()
    try:
        return measure()
    finally:
        gc.enable()


def rows() -> list[Row]:
    """Everything measured."""
    plain, expressed = engine_of(loop(None)), engine_of(loop("{{ (nodes.n0.last.data.val || 1) * 2 }}"))
    measured: list[Row] = []
    for name, engine, budget in (
        ("loop, plain", plain, STEP_US_MAX),
        ("loop, one expression", expressed, EXPRESSION_STEP_US_MAX),
    ):
        gc.collect()
        gc.disable()
        off = step_us(engine, LENGTHS)
        gc.enable()
        print(f"{name}: " + ", ".join(f"after {n} steps {us:.1f} us" for n, us in off.items()) + " (collector off)")
        measured += [
            timed(f"{name}: a step after {LENGTHS[-1]}", off[LENGTHS[-1]], budget, "us"),
            Row(
                f"{name}: after {LENGTHS[-1]} / after {LENGTHS[0]}, collector off",
                off[LENGTHS[-1]] / off[LENGTHS[0]],
                GROWTH_MAX,
                "x",
            ),
            Row(
                f"{name}: run of {LENGTHS[-1]} / of {LENGTHS[0]}, collector on",
                growth(engine),
                GROWTH_WITH_COLLECTOR_MAX,
                "x",
            ),
        ]
    for length in LENGTHS:
        engine = engine_of(chain(length + ROUNDS * STRETCH))
        us = with_collector(False, lambda n=length, e=engine: step_us(e, (n,))[n])  # type: ignore[misc]
        measured.append(timed(f"chain: a step after {length}", us, STEP_US_MAX, "us"))
    measured.append(Row("memory of a step", step_bytes(plain, 20_000), STEP_BYTES_MAX, "B"))
    measured.append(timed("nodes.n1.last.data.val * 2", evaluate_us(), EXPRESSION_US_MAX, "us"))
    measured.append(timed("import engine", import_ms(), IMPORT_MS_MAX, "ms"))
    return measured


def main() -> int:
    """Measures and prints; 1 when a budget does not hold."""
    print(f"the budgets are for a machine that counts to 100,000 in {REFERENCE_MACHINE_MS} ms; its speed may drift")
    measured = rows()
    for row in measured:
        mark = "ok  " if row.held else "OVER"
        print(f"{mark} {row.name:<58} {row.value:8.2f} {row.unit}  (budget {row.budget:g}{row.note})")
    return 0 if all(row.held for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
