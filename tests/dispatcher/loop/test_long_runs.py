"""A run of any length: what its head has no room for is sealed, and read again where it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine import Status
from tests.dispatcher import long_examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.long_examples import EXPRESSIONS, READ
from tests.dispatcher.moto_loop import MotoLoop

HEAD_BYTES_MAX = 6 * 1024


def _objects(loop: MotoLoop, kind: str) -> list[str]:
    return [item["sk"]["S"] for item in loop.items() if item["sk"]["S"].startswith(f"{kind}#")]


def _head_bytes(loop: MotoLoop) -> int:
    (head,) = [item for item in loop.items() if item["sk"]["S"] == "head"]
    return len(head["body"]["B"])


def _history(loop: MotoLoop, *, limit: int) -> list[dict[str, Any]]:
    """The run's history through the API, page by page."""
    entries: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        body = loop.ask("GET", f"/runs/run-1/history?after={after}&limit={limit}").body
        assert len(body["entries"]) <= limit
        entries += body["entries"]
        after = body["after"]
    return entries


def test_hundreds_of_steps_are_sealed_and_read_again(new_loop: NewLoop) -> None:
    """Segments, written once each; a fresh process reads the first and the last result, and all between."""
    rounds = 100
    loop = new_loop(long_examples.counting(rounds, READ), steps_per_invocation=40)
    loop.start("counting")
    loop.settle()
    assert loop.head().version == 2 * rounds
    segments = _objects(loop, "segment")
    assert len(segments) == loop.head().history.segments > 30
    assert _head_bytes(loop) < HEAD_BYTES_MAX
    loop.restart()
    loop.signal("go", 1)
    loop.settle()
    assert loop.snapshot().output == {
        "visits": rounds,
        "first": 1,
        "middle": [2, 3, 4],
        "last": rounds,
        "newest": rounds,
        "sum": rounds * (rounds + 1) // 2,
        "nodes": ["count", "echo", "wait"],
    }
    assert set(loop.executed().values()) == {rounds, rounds - 1, 2, 1}
    entries = _history(loop, limit=100)
    assert [entry["version"] for entry in entries] == list(range(1, loop.head().version + 1))
    assert [entry["output"]["n"] for entry in entries if entry["nodeId"] == "echo"] == list(range(1, rounds))


def test_a_step_costs_the_same_however_long_the_run_is(new_loop: NewLoop) -> None:
    """Each step is one read, one conditional write and one message; sealing adds a write, and no read."""
    loop = new_loop(long_examples.counting(25, READ))
    loop.start("counting")
    loop.tap.clear()
    loop.settle()
    operations = [call.operation for call in loop.tap.calls]
    steps = loop.head().version
    # Of the reads, two belong to the wait at the end, which looks for an early signal.
    assert operations.count("GetItem") == steps
    assert operations.count("UpdateItem") == steps
    assert operations.count("PutItem") == loop.head().history.segments
    assert "TransactWriteItems" not in operations


def test_expressions_read_sealed_results(new_loop: NewLoop) -> None:
    """``nodes.x.all[i]`` and ``nodes.x.last``, by a process that has never seen them."""
    loop = new_loop(long_examples.counting(12, EXPRESSIONS), steps_per_invocation=10)
    loop.start("counting")
    loop.settle()
    assert loop.head().history.segments >= 4
    loop.restart()
    loop.signal("go", 1)
    loop.settle()
    assert loop.snapshot().output == {"first": 1, "second": 2, "last": 12}


@pytest.mark.parametrize("steps", [1, 20])
def test_more_nodes_than_a_head_has_room_for(new_loop: NewLoop, steps: int) -> None:
    """The index by node is spilled to pages; each node's newest result is found, and that of one that never ran."""
    width = 80
    loop = new_loop(long_examples.wide(width), steps_per_invocation=steps)
    loop.start("wide")
    for _ in range(3):
        loop.restart()
        for _ in range(50):
            loop.deliver()
    loop.settle()
    snapshot = loop.snapshot()
    assert snapshot.status is Status.COMPLETED
    assert snapshot.output == {"n000": "n000", "n040": "n040", "n079": "n079", "never": None}
    assert _objects(loop, "index")
    assert _head_bytes(loop) < HEAD_BYTES_MAX
    assert sorted(snapshot.context) == sorted([*(f"n{number:03d}" for number in range(width)), "end"])
    shown = loop.ask("GET", "/runs/run-1").body
    assert shown["context"]["n007"][0]["output"]["name"] == "n007"


def test_the_same_segments_whoever_executes(new_loop: NewLoop) -> None:
    """One step a message or ten, one process or many: sealed objects are the same, byte for byte."""
    loop = new_loop(long_examples.counting(8, READ))
    bodies = []
    for steps, fresh in ((1, True), (10, False)):
        run = f"run-{steps}"
        loop.settings = replace(loop.settings, steps_per_invocation=steps)
        loop.restart()
        loop.start("counting", run=run)
        while loop.deliver():
            if fresh:
                loop.restart()
        items = [item for item in loop.items() if item["pk"]["S"] == f"run#{run}"]
        bodies.append([item["body"] for item in items if item["sk"]["S"].startswith("segment#")])
    assert len(bodies[0]) >= 2
    assert bodies[0] == bodies[1]
