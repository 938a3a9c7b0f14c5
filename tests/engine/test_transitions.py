"""The transition table: every status with every outcome, by the table or refused, one version at a time."""

from __future__ import annotations

import json
import typing
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Snapshot, Status
from engine.effects import AwaitSignal, EnqueueStep, effects_of
from engine.errors import IllegalTransition
from engine.json_value import JsonValue
from engine.outcome import (
    Advanced,
    Cancelled,
    Caught,
    Completed,
    Failed,
    Outcome,
    Rescheduled,
    Retried,
    StepError,
    Suspended,
    Wait,
)
from engine.snapshot import RetryState
from engine.transition import TRANSITIONS, advance

NAMES = st.sampled_from(["a", "b", "c"])
TIMES = st.integers(0, 2**45)
VALUES: st.SearchStrategy[JsonValue] = st.none() | st.integers() | st.text(max_size=3) | st.just({"k": [1]})
ERRORS = st.builds(StepError.named, st.sampled_from(["Busy", "Broken"]), st.text(max_size=5))
WAITS = st.builds(
    Wait,
    signal=st.none() | NAMES,
    due_at_ms=st.none() | TIMES,
    by=st.sampled_from(["timeout", "timer"]),
    visit=st.integers(1, 3),
    attempt=st.integers(1, 3),
    resumes=st.integers(0, 3),
    heartbeat_ms=st.none() | TIMES,
    counts=st.tuples() | st.tuples(st.integers(0, 3)),
    data=VALUES,
)
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Advanced, VALUES, NAMES),
    st.builds(Completed, VALUES),
    st.builds(Suspended, WAITS),
    st.builds(Rescheduled, ERRORS, TIMES, st.tuples(st.integers(0, 3))),
    st.builds(Caught, ERRORS, NAMES),
    st.builds(Failed, ERRORS),
    st.builds(Cancelled, st.text(max_size=5)),
    st.builds(Retried),
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A snapshot of any status, with the wait or the retry that its status calls for."""
    status = draw(st.sampled_from(Status))
    return Snapshot(
        workflow_id="run-1",
        status=status,
        current_node_id=None if status is Status.COMPLETED else draw(NAMES),
        version=draw(st.integers(0, 1000)),
        retry_state=RetryState("a", draw(st.integers(1, 5)), draw(TIMES)) if status is Status.ERROR else None,
        wait=draw(WAITS) if status is Status.PAUSED else None,
        input=draw(VALUES),
        tags=draw(st.none() | st.just({"team": "x"})),
        tenant=draw(st.none() | NAMES),
    )


def test_the_table_knows_every_outcome() -> None:
    """No outcome is without a row, and no row is of something that is no outcome."""
    assert {outcome for _, outcome in TRANSITIONS} == set(get_args(Outcome))


def test_a_live_run_takes_every_outcome_of_a_step() -> None:
    """Active, paused and error are alike: whatever a step comes to is possible in each."""
    rows = {status: {outcome for row, outcome in TRANSITIONS if row is status} for status in Status}
    assert rows[Status.ACTIVE] == rows[Status.PAUSED] == rows[Status.ERROR] == set(get_args(Outcome)) - {Retried}


def test_nothing_leaves_a_terminal_status_but_a_retry_of_a_failed_run() -> None:
    """Completed and cancelled are for ever; failed has one way back."""
    assert [row for row in TRANSITIONS if row[0].terminal] == [(Status.FAILED, Retried)]


@settings(derandomize=True, deadline=None, max_examples=400)
@given(snapshots(), OUTCOMES, TIMES, TIMES)
def test_each_pair_is_by_the_table_or_refused(
    snapshot: Snapshot, outcome: Outcome, now_ms: int, started_at_ms: int
) -> None:
    """Whatever the state: the row's status and the next version, or IllegalTransition; the state before stays."""
    before = json.dumps(snapshot.to_json())
    expected = TRANSITIONS.get((snapshot.status, type(outcome)))
    if expected is None:
        with pytest.raises(IllegalTransition, match=type(outcome).__name__):
            advance(snapshot, outcome, now_ms=now_ms, started_at_ms=started_at_ms)
    else:
        transition = advance(snapshot, outcome, now_ms=now_ms, started_at_ms=started_at_ms)
        after = transition.snapshot
        assert (after.status, after.version) == (expected, snapshot.version + 1)
        assert transition.effects == effects_of(after)
        assert after.total_execution_time >= snapshot.total_execution_time
        assert (after.wait is not None) == (after.status is Status.PAUSED)
        assert (after.retry_state is not None) == (after.status is Status.ERROR)
        kept = ("workflow_id", "input", "tags", "tenant", "definition", "metadata", "parent")
        assert all(getattr(after, name) == getattr(snapshot, name) for name in kept)
        assert Snapshot.from_json(json.loads(json.dumps(after.to_json()))).to_json() == after.to_json()
    assert json.dumps(snapshot.to_json()) == before


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(OUTCOMES, max_size=30))
def test_any_line_of_outcomes_keeps_the_history(outcomes: list[Outcome]) -> None:
    """Along any line of legal outcomes versions have no gap, and each history begins with the one before."""
    snapshot = Snapshot(workflow_id="run-1", status=Status.ACTIVE, current_node_id="a")
    line = [snapshot]
    for outcome in outcomes:
        if (snapshot.status, type(outcome)) in TRANSITIONS and snapshot.current_node_id is not None:
            snapshot = advance(snapshot, outcome, now_ms=1).snapshot
            line.append(snapshot)
    for index, before in enumerate(line):
        assert before.version == index
        entries = list(before.context.entries())
        assert list(snapshot.context.entries())[: len(entries)] == entries


def test_a_step_at_no_node_is_refused() -> None:
    """A snapshot that is active but nowhere cannot go on; it is told so, and nothing is written."""
    nowhere = Snapshot(workflow_id="run-1", status=Status.ACTIVE, current_node_id=None)
    with pytest.raises(IllegalTransition, match="at no node"):
        advance(nowhere, Completed(1), now_ms=1)


def test_effects_say_what_each_status_calls_for() -> None:
    """A continuation at once, one for later, a look into the inbox, or nothing."""
    wait = Wait("go", 500, "timeout", visit=1, attempt=1, resumes=0)

    def effects(status: Status, **fields: typing.Any) -> tuple[object, ...]:
        return effects_of(Snapshot(workflow_id="r", status=status, current_node_id="a", version=4, **fields))

    assert effects(Status.ACTIVE) == (EnqueueStep("r", 4),)
    assert effects(Status.ERROR, retry_state=RetryState("a", 1, 300)) == (EnqueueStep("r", 4, 300),)
    assert effects(Status.PAUSED, wait=wait) == (AwaitSignal("r", 4, "go"), EnqueueStep("r", 4, 500))
    assert [effects(status) for status in Status if status.terminal] == [(), (), ()]
