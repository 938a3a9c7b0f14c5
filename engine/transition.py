"""Every change of a run's status, in one table.

A run is *live* while it is active, paused or waiting to retry. A step may be executed in any live status:
from ``active`` because the run has just come to the node, from ``error`` because a retry is due, from
``paused`` because the wait has ended. What the step comes to decides the next status, and nothing else
does:

- it succeeded, and an edge leads on (``Advanced``): active at the next node;
- it succeeded, and none does (``Completed``): completed;
- it asked to wait (``Suspended``): paused, at the same node;
- it failed, and a retry policy allows one more attempt (``Rescheduled``): error, at the same node;
- it failed for good, and a catch edge leads on (``Caught``): active at the handler;
- it failed for good (``Failed``): failed;
- somebody ended the run (``Cancelled``): cancelled.

A terminal run stays as it is. The one way back is an operator's retry of a failed run (``Retried``): it waits
to retry, from now on, within the visit that failed, and with its retry policies begun anew.

This is the only module that writes ``status``, and each accepted outcome raises ``version`` by exactly one,
so that a conditional write on the version misses nothing. A pair without a row raises IllegalTransition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from engine.context import Context
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
from engine.snapshot import RetryState, Snapshot, Status

if TYPE_CHECKING:
    from engine.effects import Effect

TRANSITIONS: Final[dict[tuple[Status, type[Outcome]], Status]] = {
    (Status.ACTIVE, Advanced): Status.ACTIVE,
    (Status.ACTIVE, Completed): Status.COMPLETED,
    (Status.ACTIVE, Suspended): Status.PAUSED,
    (Status.ACTIVE, Rescheduled): Status.ERROR,
    (Status.ACTIVE, Caught): Status.ACTIVE,
    (Status.ACTIVE, Failed): Status.FAILED,
    (Status.ACTIVE, Cancelled): Status.CANCELLED,
    (Status.PAUSED, Advanced): Status.ACTIVE,
    (Status.PAUSED, Completed): Status.COMPLETED,
    (Status.PAUSED, Suspended): Status.PAUSED,
    (Status.PAUSED, Rescheduled): Status.ERROR,
    (Status.PAUSED, Caught): Status.ACTIVE,
    (Status.PAUSED, Failed): Status.FAILED,
    (Status.PAUSED, Cancelled): Status.CANCELLED,
    (Status.ERROR, Advanced): Status.ACTIVE,
    (Status.ERROR, Completed): Status.COMPLETED,
    (Status.ERROR, Suspended): Status.PAUSED,
    (Status.ERROR, Rescheduled): Status.ERROR,
    (Status.ERROR, Caught): Status.ACTIVE,
    (Status.ERROR, Failed): Status.FAILED,
    (Status.ERROR, Cancelled): Status.CANCELLED,
    (Status.FAILED, Retried): Status.ERROR,
}


class Transition(NamedTuple):
    """The next snapshot, and what must happen once it is saved."""

    snapshot: Snapshot

    @property
    def effects(self) -> tuple[Effect, ...]:
        """What must happen once the snapshot is saved: a function of the snapshot alone."""
        from engine.effects import effects_of  # noqa: PLC0415  (a host's, which imports them; the engine needs none)

        return effects_of(self.snapshot)


def advance(snapshot: Snapshot, outcome: Outcome, *, now_ms: int, started_at_ms: int | None = None) -> Transition:
    """Makes the next snapshot of a run.

    Args:
        snapshot: the state before; it stays as it is.
        outcome: what the step came to, or what an operator asked for.
        now_ms: when, epoch milliseconds; the timestamp of the result.
        started_at_ms: when the step began; its duration is added to the run's.

    Raises:
        IllegalTransition: the table has no row for this status and outcome.
    """
    status = TRANSITIONS.get((snapshot.status, type(outcome)))
    if status is None:
        raise IllegalTransition(
            f"run {snapshot.workflow_id!r} is {snapshot.status.value}: {type(outcome).__name__} does not apply"
        )
    started_at_ms = now_ms if started_at_ms is None else started_at_ms
    node_id = snapshot.current_node_id
    context = snapshot.context
    last_node_id = snapshot.last_node_id
    retry_state: RetryState | None = None
    wait: Wait | None = None
    definition = snapshot.definition
    attempt = snapshot.attempt
    match outcome:
        case Advanced(output, next_node_id):
            context = _with_output(snapshot, output, attempt, now_ms)
            node_id, last_node_id = next_node_id, node_id
        case Completed(output):
            context = _with_output(snapshot, output, attempt, now_ms)
            node_id, last_node_id = None, node_id
        case Suspended(asked):
            wait = asked
        case Rescheduled(error, retry_at_ms, counts):
            context = _with_error(snapshot, error, attempt, now_ms)
            retry_state = RetryState(_node_id(snapshot), attempt, retry_at_ms, counts, snapshot.resumes)
        case Caught(error, next_node_id):
            context = _with_error(snapshot, error, attempt, now_ms)
            node_id = next_node_id
        case Failed(error):
            context = _with_error(snapshot, error, attempt, now_ms)
        case Cancelled():
            pass
        case Retried(resumes, newer):
            failure = snapshot.error
            # A count of 0 begins the policies anew; the attempts go on, for the visit and its key are the same.
            retry_state = RetryState(
                _node_id(snapshot), failure.attempt if failure is not None else 0, now_ms, (0,), resumes
            )
            definition = newer if newer is not None else definition
        case _:
            assert_never(outcome)
    following = Snapshot(
        workflow_id=snapshot.workflow_id,
        status=status,
        current_node_id=node_id,
        context=context,
        version=snapshot.version + 1,
        last_started_at=started_at_ms,
        total_execution_time=snapshot.total_execution_time + max(now_ms - started_at_ms, 0),
        metadata=snapshot.metadata,
        retry_state=retry_state,
        wait=wait,
        last_node_id=last_node_id,
        definition=definition,
        input=snapshot.input,
        tags=snapshot.tags,
        tenant=snapshot.tenant,
        parent=snapshot.parent,
    )
    return Transition(following)


def _node_id(snapshot: Snapshot) -> str:
    if snapshot.current_node_id is None:
        raise IllegalTransition(f"run {snapshot.workflow_id!r} is {snapshot.status.value} but at no node")
    return snapshot.current_node_id


def _with_output(snapshot: Snapshot, output: JsonValue, attempt: int, now_ms: int) -> Context:
    return snapshot.context.appended(_node_id(snapshot), output=output, timestamp=now_ms, attempt=attempt)


def _with_error(snapshot: Snapshot, error: StepError, attempt: int, now_ms: int) -> Context:
    return snapshot.context.appended(
        _node_id(snapshot),
        output=None,
        timestamp=now_ms,
        attempt=attempt,
        error=str(error),
        error_type=error.type,
    )
