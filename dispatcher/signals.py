"""Signals as the run's inbox sees them: under which names a wait looks, and how one gets there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from dispatcher.archive import Archive
from dispatcher.due import mark_of_outside_call
from dispatcher.errors import Retryable
from dispatcher.head import Head
from dispatcher.messages import Message, Wake
from dispatcher.ports import RunStore, Sealed, Signal, StepQueue
from engine import WaitAddress
from engine.json_value import JsonValue

_LOG: Final = logging.getLogger("refluxo.signals")


def inbox_name(address: WaitAddress) -> str:
    """Name of a signal meant for one wait alone, as a webhook's is. No signal of a user can have it."""
    return f"@{address.node_id}!{address.visit}!{address.resumes}"


def names_awaited(address: WaitAddress, signal: str | None) -> Sequence[str]:
    """Inbox names that end a wait: its own address, and its signal's name."""
    own = inbox_name(address)
    return (own,) if signal is None else (own, signal)


def awaited_signal(store: RunStore, head: Head) -> Signal | None:
    """The oldest signal in the inbox that ends the wait a run is in; None when there is none, or no wait."""
    address, wait = head.wait_address, head.snapshot.wait
    if address is None or wait is None:
        return None
    names = names_awaited(address, wait.signal)
    return store.oldest_signal(head.workflow_id, names, besides=[taken.inbox_key for taken in head.takes])


def deliver(
    store: RunStore,
    archive: Archive,
    queue: StepQueue,
    head: Head,
    *,
    name: str,
    signal_id: str,
    payload: JsonValue,
    now_ms: int,
) -> bool:
    """Puts a signal into the inbox of a run, then nudges the run.

    Returns False when a signal of that id had come before. The nudge is sent either way: the one that came
    before may have crashed in between.

    Raises:
        RunFinished: the run has ended.
        ItemTooLarge: the payload is larger than the table takes.
    """
    objects: list[Sealed] = []
    stored = archive.stored(payload, head.owner, objects)
    archive.put(objects)
    signal = Signal(head.workflow_id, name, signal_id, stored, now_ms, head.nonce)
    fresh = store.add_signal(signal, due_at_ms=mark_of_outside_call(head.due_at_ms, now_ms))
    nudge(queue, Wake(head.workflow_id), group=head.snapshot.tenant)
    return fresh


def nudge(queue: StepQueue, message: Message, *, group: str | None) -> None:
    """Sends a message about something that is written already, whose due mark will see to it if this cannot.

    A caller who was told to try again would do again what is done: a second signal, a second run.
    """
    try:
        queue.send(message, group=group)
    except Retryable as passing:
        _LOG.warning("left to the sweep", extra={"workflow_id": message.workflow_id, "reason": str(passing)})
