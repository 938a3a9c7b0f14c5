"""Capacity a step consumes on DynamoDB: small, flat however long the run, and never more than the naive store's.

Runs the real dispatcher, its handlers and its store over DynamoDB Local, which reports what AWS would bill; queue and
bucket are in memory. Nothing is timed, so the figures are the same on every machine. Run it with ``make bench``; with
``--long`` each of 100,000 steps goes through DynamoDB Local, which takes hours. The budgets are those the project has
set itself; the exit code tells whether they hold.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from naive_store import ItemFull, NaiveStore
from storage_deployment import NOW_MS, RUN, STEP_MS, Deployment, RecordingStore, Table
from storage_workloads import ALL, FAR, LOOKING_BACK, SMALL, Workload, loop, registry_of

from dispatcher.dynamodb_store import DynamoDbRunStore
from dispatcher.messages import Continuation
from engine import Status
from local.provision import TABLE_NAME
from tests.dispatcher.contract.dynamodb_local import DynamoDbLocal, java

WRITE_UNITS_MAX: Final = 3.0
READ_UNITS_MAX: Final = 1.0
GROWTH_MAX: Final = 1.1
FIRST_STEPS_MAX: Final = 10

NAIVE_STEPS_MAX: Final = 2_000
FAR_STEPS: Final = 200
STEPS_IN_MEMORY: Final = 100
COPIED_OBJECTS: Final = 100


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the steps from ``first`` to ``last`` consumed, on average."""

    first: int
    last: int
    write_units: float
    read_units: float


@dataclass(slots=True)
class Measured:
    """What a run of one workload consumes; ``costs``: the sum after each of its steps, in write units."""

    workload: Workload
    start: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    head_bytes_max: int = 0
    bucket_objects: int = 0


def measure(server: DynamoDbLocal, workload: Workload, lengths: Sequence[int]) -> Measured:
    """Runs one run from its start to its end, and looks at each stretch between two lengths."""
    measured = Measured(workload)
    table = Table(server)
    store = DynamoDbRunStore(table.client, TABLE_NAME)
    deployment = Deployment(store, loop(workload, lengths[-1]))
    with table.consuming() as measured.start:
        deployment.start()
    start_cost = table.meter.cost
    for before, length in itertools.pairwise((0, *lengths)):
        # The last step of all ends the run, which is a row of its own.
        last = length - (length == lengths[-1])
        with table.consuming(last - before) as units:
            for _ in range(before, last):
                if workload.cold:
                    deployment.restart()
                deployment.step()
                measured.costs.append(table.meter.cost - start_cost)
        measured.stretches.append(Stretch(before + 1, length, *units))
        tell(workload, measured.stretches[-1])
    with table.consuming() as measured.end:
        deployment.step()
    head = store.load(RUN)
    if head is None or head.snapshot.status is not Status.COMPLETED:
        raise RuntimeError(f"the run did not end well: {head}")
    table.meter.check()
    measured.head_bytes_max = table.meter.head_bytes_max
    measured.bucket_objects = len(deployment.bucket.objects)
    return measured


def measure_far(server: DynamoDbLocal, workload: Workload) -> Iterator[Stretch]:
    """Looks at the last steps before each far length alone.

    The steps before those run in memory, and the head and its newest sealed objects are then copied: how many older
    ones there are makes no difference to DynamoDB, and one that were missed would fail the step.
    """
    if not workload.far:
        return
    memory = RecordingStore()
    workflow = loop(workload, workload.far[-1] + 1)
    before = Deployment(memory, workflow, steps_per_invocation=STEPS_IN_MEMORY)
    before.start()
    for length in workload.far:
        head = before.step_until(length - FAR_STEPS, memory)
        table = Table(server)
        store = DynamoDbRunStore(table.client, TABLE_NAME)
        for sealed in memory.sealed[-COPIED_OBJECTS:]:
            store.put_sealed(sealed)
        if store.create(head) is not None:
            raise RuntimeError("the run was not copied")
        deployment = Deployment(store, workflow)
        deployment.now_ms = before.now_ms
        deployment.queue.send(Continuation(RUN, head.version))
        with table.consuming(FAR_STEPS) as units:
            for _ in range(FAR_STEPS):
                deployment.step()
        table.meter.check()
        stretch = Stretch(length - FAR_STEPS + 1, length, *units)
        tell(workload, stretch)
        yield stretch


def tell(workload: Workload, stretch: Stretch) -> None:
    """Shows progress: it takes minutes."""
    print(
        f"{workload.name}: steps {stretch.first} to {stretch.last} "
        f"{stretch.write_units:.2f} write and {stretch.read_units:.2f} read units each",
        flush=True,
    )


@dataclass(frozen=True, slots=True)
class Naive:
    """What the naive store consumes for the same run. ``full_at``: the step whose snapshot was refused, if any."""

    costs: Sequence[float]
    full_at: int | None

    def last_step_below(self, costs: Sequence[float]) -> int:
        """The last step after which the naive store had still consumed less than ``costs`` tell; 0 for never."""
        return max(
            (n for n, (ours, its) in enumerate(zip(costs, self.costs, strict=False), 1) if its < ours), default=0
        )


def measure_naive(server: DynamoDbLocal, workload: Workload, steps: int) -> Naive:
    """The same workflow on the naive store: so many steps, or until an item cannot hold the snapshot."""
    table = Table(server)
    store = NaiveStore(table.client, TABLE_NAME)
    workflow = loop(workload, steps)
    engine = registry_of(workflow).engine(workflow)
    store.save(engine.create_initial_snapshot(RUN, now_ms=NOW_MS))
    start_cost = table.meter.cost
    costs: list[float] = []
    for number in range(1, steps):
        try:
            store.save(engine.execute_step(store.load(RUN), now_ms=NOW_MS + number * STEP_MS))
        except ItemFull:
            return Naive(costs, number)
        costs.append(table.meter.cost - start_cost)
    return Naive(costs, None)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure and its budget, if it has one."""

    name: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def held(self) -> bool:
        """Whether the budget holds, to the two digits that are shown."""
        return self.budget is None or round(self.value, 2) <= self.budget

    def __str__(self) -> str:
        mark = "    " if self.budget is None else "ok  " if self.held else "OVER"
        budget = "" if self.budget is None else f"  (budget {self.budget:g})"
        return f"{mark} {self.name:<72} {self.value:9.2f} {self.unit}{budget}"


def rows(measured: Measured, naive: Naive | None) -> Iterator[Row]:
    """The figures of one workload."""
    workload, stretches = measured.workload, measured.stretches
    name, small = workload.name, workload in SMALL
    yield Row(f"{name}: start", measured.start[0], "write units")
    for stretch in stretches:
        steps = f"{name}: a step, {stretch.first} to {stretch.last}"
        yield Row(steps, stretch.write_units, "write units", WRITE_UNITS_MAX if small else None)
        yield Row(steps, stretch.read_units, "read units", READ_UNITS_MAX if small else None)
    yield Row(f"{name}: end", measured.end[0], "write units")
    if small:
        growth = stretches[-1].write_units / stretches[0].write_units
        yield Row(f"{name}: a step up to {stretches[-1].last} / up to {stretches[0].last}", growth, "x", GROWTH_MAX)
    yield Row(f"{name}: largest head", measured.head_bytes_max, "B")
    if measured.bucket_objects:
        yield Row(f"{name}: objects in the bucket", measured.bucket_objects, "")
    if naive is not None:
        yield from naive_rows(measured, naive)


def naive_rows(measured: Measured, naive: Naive) -> Iterator[Row]:
    """The same beside the naive store, in write units with a read unit as a fifth of one."""
    name, compared = measured.workload.name, min(len(naive.costs), len(measured.costs))
    if compared:
        last_below = naive.last_step_below(measured.costs)
        yield Row(f"{name}: the naive store has consumed less up to step", last_below, "", FIRST_STEPS_MAX)
    for length in sorted({10, 100, compared}):
        if 0 < length <= compared:
            ratio = naive.costs[length - 1] / measured.costs[length - 1]
            yield Row(f"{name}: {length} steps on the naive store / on ours", ratio, "x")
    if naive.full_at is not None:
        yield Row(f"{name}: the naive store's item is full (400 KB) at step", naive.full_at, "")


def measure_all(server: DynamoDbLocal, *, every_step: bool) -> Iterator[Row]:
    """Measures workload by workload. ``every_step``: on DynamoDB Local also those on the way to the far lengths."""
    naives: dict[int, Naive] = {}
    for workload in ALL:
        if every_step and workload in SMALL:
            measured = measure(server, workload, (*workload.lengths, *FAR))
        else:
            measured = measure(server, workload, workload.lengths)
            measured.stretches += measure_far(server, workload)
        # It does not compress: outputs of one size cost it the same, whatever they are.
        if workload.size not in naives:
            naives[workload.size] = measure_naive(server, workload, NAIVE_STEPS_MAX)
        yield from rows(measured, None if workload in LOOKING_BACK else naives[workload.size])


def main() -> int:
    """Measures and prints; 1 when a budget does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help=f"every one of {FAR[-1]} steps on DynamoDB Local")
    every_step: bool = parser.parse_args().long
    if java() is None:
        print("SKIPPED: there is no Java, on which DynamoDB Local runs; nothing was measured")
        return 0
    with DynamoDbLocal() as server:
        found = list(measure_all(server, every_step=every_step))
    for row in found:
        print(row)
    return 0 if all(row.held for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
