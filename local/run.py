"""One run of a LocalRunner: what a test asks of it, and what it asserts about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from dispatcher.bootstrap import App
from dispatcher.head import Head
from dispatcher.history import Entry
from dispatcher.operator_calls import Caller
from engine import Snapshot, Status
from engine.json_value import JsonValue, checked_copy, read_value

_ENTRIES_MAX = 1_000_000
_TEXT_MAX = 100

_Condition: TypeAlias = Callable[[], bool]


class Deployment(Protocol):
    """What a run needs of the runner it belongs to."""

    @property
    def app(self) -> App:
        """The deployment as callers reach it."""
        ...

    def work(self, done: _Condition) -> bool:
        """Lets things happen until something is so; says whether it is."""
        ...


class NeverEnds(AssertionError):
    """More has happened than any test needs."""


class NotReached(AssertionError):
    """The run did not come to where the test expected it; the message tells its history."""


class RunFailed(AssertionError):
    """The run failed or was cancelled where a result was asked for; the message tells its history."""


class LocalRun:
    """A run. Asking it for something lets time pass until that is so.

    In tests that are coroutines all of them work, async executors included, and hold up the test's event loop
    meanwhile; those with an ``async`` twin can be awaited instead.
    """

    def __init__(self, runner: Deployment, workflow_id: str) -> None:
        self._runner = runner
        self.workflow_id = workflow_id

    def __repr__(self) -> str:
        return f"<LocalRun {self.workflow_id!r}, {self.status.value}>"

    # --- where it stands -----------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The run as it is stored."""
        return self._runner.app.front_door.show(self.workflow_id)

    @property
    def snapshot(self) -> Snapshot:
        """The engine's state of the run."""
        return self.head.snapshot

    @property
    def status(self) -> Status:
        """Where the run stands."""
        return self.snapshot.status

    @property
    def node_id(self) -> str | None:
        """The node the run stands at."""
        return self.snapshot.current_node_id

    # --- letting time pass ---------------------------------------------------------------------

    def until_paused(self) -> LocalRun:
        """Lets time pass until the run waits for a signal. Retries and sleeps go by meanwhile.

        Raises:
            NotReached: it ended before.
        """
        return self._until("waits for a signal", self._waits)

    def until(self, node_id: str) -> LocalRun:
        """Lets time pass until the run stands at a node, which has not been executed then.

        Raises:
            NotReached: it never comes there.
        """
        return self._until(f"comes to {node_id!r}", lambda: self.node_id == node_id and not self.status.terminal)

    def result(self) -> JsonValue:
        """Lets time pass until the run has ended, and gives its output. Sleeps, retries and timeouts go by.

        Raises:
            RunFailed: it failed, or was cancelled.
            NotReached: it waits for a signal that has no timeout.
        """
        self.until_ended()
        if self.status is not Status.COMPLETED:
            raise RunFailed(f"run {self.workflow_id!r} is {self.status.value}\n{self.story()}")
        return self.snapshot.output

    def until_ended(self) -> LocalRun:
        """Lets time pass until the run has ended, however it ends.

        Raises:
            NotReached: it waits for a signal that has no timeout.
        """
        return self._until("ends", lambda: self.status.terminal)

    async def until_paused_async(self) -> LocalRun:
        """As :meth:`until_paused`."""
        return await asyncio.to_thread(self.until_paused)

    async def until_async(self, node_id: str) -> LocalRun:
        """As :meth:`until`."""
        return await asyncio.to_thread(self.until, node_id)

    async def until_ended_async(self) -> LocalRun:
        """As :meth:`until_ended`."""
        return await asyncio.to_thread(self.until_ended)

    async def result_async(self) -> JsonValue:
        """As :meth:`result`."""
        return await asyncio.to_thread(self.result)

    def _waits(self) -> bool:
        wait = self.snapshot.wait
        return wait is not None and wait.signal is not None

    def _until(self, what: str, done: _Condition) -> LocalRun:
        if not self._runner.work(lambda: done() or self.status.terminal) or not done():
            raise NotReached(f"run {self.workflow_id!r} never {what}; it is {self._where()}\n{self.story()}")
        return self

    def _where(self) -> str:
        snapshot = self.snapshot
        wait = snapshot.wait
        if wait is not None and wait.signal is not None and self.head.hold is None:
            return f"paused at {snapshot.current_node_id!r}, waiting for {wait.signal!r}: run.signal() delivers it"
        at = f" at {snapshot.current_node_id!r}" if snapshot.current_node_id is not None else ""
        held = ", on hold: run.release() lets it go" if self.head.hold is not None else ""
        return f"{snapshot.status.value}{at}{held}"

    # --- what others do to it ------------------------------------------------------------------

    def signal(self, name: str, payload: object = None, *, key: str | None = None) -> LocalRun:
        """Delivers a signal, early or not. ``key`` is its ``Idempotency-Key``."""
        front_door = self._runner.app.front_door
        front_door.signal(self.workflow_id, name, checked_copy(payload, "payload"), idempotency_key=key)
        return self

    def resume(self, payload: object = None, *, key: str | None = None) -> LocalRun:
        """Ends the wait the run is in."""
        front_door = self._runner.app.front_door
        front_door.resume(self.workflow_id, checked_copy(payload, "payload"), idempotency_key=key)
        return self

    def webhook(self, url: str, payload: object = None) -> LocalRun:
        """Sends a payload to a capability URL, as whoever was given it would."""
        self._runner.app.front_door.webhook(url.rpartition("/")[2], checked_copy(payload, "payload"))
        return self

    @property
    def callback_url(self) -> str | None:
        """The capability URL of the wait the run is in."""
        return self._runner.app.front_door.callback_url(self.head)

    def hold(self, reason: str | None = None) -> LocalRun:
        """Holds the run."""
        self._runner.app.operator_calls.hold(self.workflow_id, _caller(reason))
        return self

    def release(self, reason: str | None = None) -> LocalRun:
        """Lets the run go on."""
        self._runner.app.operator_calls.release(self.workflow_id, _caller(reason))
        return self

    def cancel(self, reason: str | None = None) -> LocalRun:
        """Ends the run."""
        self._runner.app.operator_calls.cancel(self.workflow_id, _caller(reason))
        return self

    def retry(self, *, data: Mapping[str, JsonValue] | None = None, definition: str | None = None) -> LocalRun:
        """Takes the failed run back to the node that failed."""
        self._runner.app.operator_calls.retry(self.workflow_id, _caller(None), data=data, definition=definition)
        return self

    def fork(self, *, version: int | None = None) -> LocalRun:
        """Starts a new run from a version of this one."""
        head, _ = self._runner.app.operator_calls.fork(self.workflow_id, _caller(None), version=version)
        return LocalRun(self._runner, head.workflow_id)

    # --- its history ---------------------------------------------------------------------------

    @property
    def history(self) -> Sequence[Entry]:
        """Each transition so far, in order."""
        placed = self._runner.app.archive.placed_entries(self.head, after=0, limit=_ENTRIES_MAX)
        return [place.entry for place in placed]

    @property
    def executed(self) -> Sequence[str]:
        """The nodes that left a result, in order, failed attempts included."""
        return [str(entry.node_id) for entry in self.history if entry.has_result]

    def outputs(self, node_id: str) -> Sequence[JsonValue]:
        """What a node has given, in order."""
        return self.snapshot.context.outputs(node_id)

    def errors(self, node_id: str) -> Sequence[str]:
        """How the attempts at a node have failed, in order: ``Type: message``."""
        return [result.error for result in self.snapshot.context[node_id] if result.error is not None]

    def story(self) -> str:
        """The history as text, one line a transition: what a failed assertion tells."""
        lines = [f"  {version:>4}  {_told(entry)}" for version, entry in enumerate(self.history, 1)]
        return "\n".join(lines) or "  nothing has been executed"

    def assert_executed(self, *node_ids: str) -> LocalRun:
        """Asserts which nodes have left a result, in order."""
        if list(self.executed) != list(node_ids):
            raise AssertionError(f"executed: {' '.join(self.executed)}\n{self.story()}")
        return self

    def assert_failed(self, error_type: str | None = None) -> LocalRun:
        """Lets time pass until the run has ended, and asserts that it failed, by that type of error."""
        self.until_ended()
        error = self.snapshot.error
        found = error.error_type if error is not None else None
        if self.status is not Status.FAILED or error_type not in {None, found}:
            how = f"{self.status.value} with {found}" if found is not None else self.status.value
            raise AssertionError(f"the run is {how}\n{self.story()}")
        return self

    async def assert_failed_async(self, error_type: str | None = None) -> LocalRun:
        """As :meth:`assert_failed`."""
        return await asyncio.to_thread(self.assert_failed, error_type)


def _caller(reason: str | None) -> Caller:
    return Caller(actor="test", reason=reason)


def _told(entry: Entry) -> str:
    if entry.error is not None:
        return f"{entry.node_id}  attempt {entry.attempt} failed: {entry.error}"
    if entry.has_result:
        text = json.dumps(read_value(entry.output), ensure_ascii=False)
        return f"{entry.node_id}  {text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX] + '…'}"
    by = f" by {entry.actor}" if entry.actor is not None else ""
    return f"{entry.node_id}  {entry.status.value}{by}"
