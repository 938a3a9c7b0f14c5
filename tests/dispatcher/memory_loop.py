"""The loop over adapters in memory: for what is too large or too long to be played over an emulator."""

from __future__ import annotations

import random
from collections.abc import Callable

from dispatcher.bootstrap import Adapters, App
from dispatcher.front_door import StartRequest
from dispatcher.head import Head
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue
from dispatcher.messages import Delivery, decode
from dispatcher.operator_calls import Caller
from dispatcher.settings import Settings
from engine import Registry
from engine.json_value import JsonValue
from tests.dispatcher.settings import SETTINGS, NoSecret
from tests.dispatcher.virtual_time import VirtualTime

_MESSAGES_MAX = 20_000


class MemoryLoop:
    """A deployment in this process's memory."""

    def __init__(
        self,
        registry: Registry,
        time: VirtualTime,
        settings: Settings = SETTINGS,
        pause_ms: Callable[[int], None] | None = None,
    ) -> None:
        self.time = time
        self.store = InMemoryRunStore()
        self.queue = InMemoryStepQueue(lambda: time.now_ms)
        self.bucket = InMemoryBucket()
        adapters = Adapters(
            self.store,
            self.queue,
            self.bucket,
            NoSecret(),
            now_ms=lambda: time.now_ms,
            new_rng=lambda: random.Random(1),  # noqa: S311  (jitter)
            pause_ms=time.pass_by if pause_ms is None else pause_ms,
        )
        self.app = App(settings, adapters, registry)

    def start(self, workflow: str, input: JsonValue = None, *, run: str = "run-1", **request: object) -> None:  # noqa: A002
        """Starts a run."""
        asked = StartRequest(workflow=workflow, input=input, workflow_id=run, **request)  # type: ignore[arg-type]
        self.app.front_door.start(asked)

    def hold(self, run: str = "run-1") -> None:
        """Holds a run."""
        self.app.operator_calls.hold(run, Caller(actor="ops"))

    def deliver(self) -> int:
        """Delivers what is visible now; returns how many messages there were."""
        messages = self.queue.receive()
        for message in messages:
            delivery = Delivery(message.message_id, message.receive_count, decode(message.body))
            self.app.dispatcher.deliver(delivery)
            self.queue.delete(message.message_id)
        return len(messages)

    def settle(self) -> None:
        """Delivers until nothing is visible."""
        for _ in range(_MESSAGES_MAX):
            if not self.deliver():
                return
        raise AssertionError("messages without end")

    def head(self, run: str = "run-1") -> Head:
        """A run's head, opened."""
        return self.app.front_door.show(run)
