"""300 runs through the loop on an emulated AWS, while the processes that work on them are killed at random."""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from dispatcher import clock
from dispatcher.bootstrap import App
from dispatcher.front_door import StartRequest
from dispatcher.ports import RunQuery
from engine import Flow, Registry, Status, Step
from local.emulator import EmulatorClients
from local.provision import provision
from tests.kill.processes import Workers, emulated_aws, new_app

RUNS: Final = 300
STEPS: Final = 3
KILLED_AFTER_MESSAGES: Final = (3, 18)
"""A worker is killed each time the workers together have handled that many messages, evenly drawn."""

VISIBILITY_SECONDS: Final = 2
PATIENCE_SECONDS: Final = 4.0
SWEEPS_MAX: Final = 6
LATE_MS: Final = 10 * 60_000


def counting(log: Path) -> Registry:
    """A workflow of steps that each append a line to a file: run, node and idempotency key."""
    registry = Registry()

    @registry.node("test:told")
    def told(data: dict[str, int], step: Step) -> int:
        line = f"{step.workflow_id} {step.node_id} {step.idempotency_key}\n"
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)
        return data["n"] + 1

    flow = Flow("count")
    nodes = [flow.node(f"n{i}", told, {"n": "{{ previous || 0 }}"}) for i in range(STEPS)]
    for before, after in itertools.pairwise(nodes):
        _ = before >> after
    registry.add(flow)
    return registry


def test_no_run_is_lost_and_none_is_committed_twice(tmp_path: Path) -> None:
    """All runs end with the output they have without a kill; each version once; executions at most 1 + kills."""
    log = tmp_path / "executions"
    registry = counting(log)
    rng = random.Random(7)  # noqa: S311  (repeatable, not secret)
    with emulated_aws() as url:
        resources = provision(EmulatorClients(url), signing_secret="whsec_test", visibility_seconds=VISIBILITY_SECONDS)
        app = new_app(url, resources, registry)
        for number in range(RUNS):
            app.front_door.start(StartRequest(workflow="count", workflow_id=f"run-{number}"))
        with Workers(url, resources, registry, count=2) as workers:
            _work_to_the_end(workers, app, rng)
            kills = workers.kills
        assert kills >= RUNS * STEPS // (2 * KILLED_AFTER_MESSAGES[1])
        for number in range(RUNS):
            head = app.archive.load(f"run-{number}")
            assert head is not None
            assert (head.snapshot.status, head.snapshot.output) == (Status.COMPLETED, STEPS)
            placed = list(app.archive.placed_entries(head, after=0, limit=2 * STEPS))
            assert [(place.version, place.entry.node_id) for place in placed] == [
                (version, f"n{version - 1}") for version in range(1, STEPS + 1)
            ]
        _check_executions(log, kills)


def _work_to_the_end(workers: Workers, app: App, rng: random.Random) -> None:
    """Lets the workers work, kills them, and sweeps when nothing moves any more."""
    until_kill, sweeps = rng.randint(*KILLED_AFTER_MESSAGES), 0
    while True:
        handled = workers.handled(patience_seconds=PATIENCE_SECONDS)
        until_kill -= handled
        if until_kill <= 0:
            workers.kill(rng.randrange(2))
            until_kill = rng.randint(*KILLED_AFTER_MESSAGES)
        if handled:
            continue
        if not _unfinished(app):
            return
        sweeps += 1
        assert sweeps <= SWEEPS_MAX, f"never end: {_unfinished(app)}"
        _late(app).sweep.run()


def _unfinished(app: App) -> list[str]:
    statuses = (Status.ACTIVE, Status.ERROR, Status.PAUSED)
    pages = [app.adapters.store.find(RunQuery(workflow="count", status=status, limit=200)) for status in statuses]
    return [workflow_id for page in pages for workflow_id in page.workflow_ids]


def _late(app: App) -> App:
    """The same deployment as seen by a clock that is late enough for every message to count as lost."""
    adapters = replace(app.adapters, now_ms=lambda: clock.now_ms() + LATE_MS)
    return App(app.settings, adapters, app.registry)


def _check_executions(log: Path, kills: int) -> None:
    lines = Counter(log.read_text().splitlines())
    steps = {line.rsplit(" ", 1)[0] for line in lines}
    assert len(steps) == RUNS * STEPS
    # One key for each step, however often it was executed.
    assert len(lines) == len(steps)
    assert sum(lines.values()) <= RUNS * STEPS + kills
