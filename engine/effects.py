"""What the shell must do once a snapshot is saved, as data.

Effects are a function of the saved snapshot, never of the transition that made it: whoever finds a snapshot
whose effects may not have happened can work them out and do them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from engine.snapshot import Snapshot, Status


@dataclass(frozen=True, slots=True)
class EnqueueStep:
    """Execute the next step of this version: at once, or not before ``not_before_ms`` (epoch milliseconds)."""

    workflow_id: str
    version: int
    not_before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AwaitSignal:
    """The run waits: look whether what it waits for has come already.

    ``signal`` is the name it waits for; None for a wait that only its own link, or its time, ends.
    """

    workflow_id: str
    version: int
    signal: str | None


Effect: TypeAlias = EnqueueStep | AwaitSignal


def effects_of(snapshot: Snapshot) -> tuple[Effect, ...]:
    """Effects that a saved snapshot calls for."""
    match snapshot.status:
        case Status.ACTIVE:
            return (EnqueueStep(snapshot.workflow_id, snapshot.version),)
        case Status.ERROR:
            return (EnqueueStep(snapshot.workflow_id, snapshot.version, snapshot.due_at_ms),)
        case Status.PAUSED:
            effects: tuple[Effect, ...] = ()
            if snapshot.wait is not None:
                effects += (AwaitSignal(snapshot.workflow_id, snapshot.version, snapshot.wait.signal),)
            if snapshot.due_at_ms is not None:
                effects += (EnqueueStep(snapshot.workflow_id, snapshot.version, snapshot.due_at_ms),)
            return effects
        case Status.COMPLETED | Status.FAILED | Status.CANCELLED:
            return ()
        case _:
            assert_never(snapshot.status)
