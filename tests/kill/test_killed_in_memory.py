"""10,000 runs through the loop in memory, whose process dies at random calls: all end, and its memory stays flat."""

from __future__ import annotations

import gc
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from dispatcher.bootstrap import Adapters, App
from dispatcher.front_door import StartRequest
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue, QueuedMessage
from dispatcher.queue_handler import handle_batch
from engine import Flow, Registry, Status, Step
from tests.dispatcher.settings import SETTINGS, NoSecret

RUNS: Final = 10_000
RUNS_AT_ONCE: Final = 500
STEPS: Final = 2
ONE_DEATH_IN_CALLS: Final = 40
OBJECTS_MORE_MAX: Final = 1_000


class _Death(BaseException):
    """The process is gone."""


class _Mortal:
    """A port whose caller dies at some of its calls, before or after they are carried out."""

    def __init__(self, port: object, dies: Callable[[], bool]) -> None:
        self._port = port
        self._dies = dies

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*positional: object, **named: object) -> object:
            if self._dies():
                raise _Death
            answer = method(*positional, **named)
            if self._dies():
                raise _Death
            return answer

        return call


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class _Deployment:
    """A deployment in memory, and the process that works for it until it dies."""

    def __init__(self, seed: int) -> None:
        self.now_ms = 1_700_000_000_000
        self.rng = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        self.deaths = 0
        self.executions: Counter[tuple[str, str]] = Counter()
        self.store, self.bucket = InMemoryRunStore(), InMemoryBucket()
        self.queue = InMemoryStepQueue(lambda: self.now_ms)
        self.registry = self._registry()
        self.outside = App(SETTINGS, self._adapters(self.store, self.queue), self.registry)
        self.process = self._new_process()

    def _registry(self) -> Registry:
        registry = Registry()

        @registry.node("test:counted")
        def counted(data: dict[str, int], step: Step) -> int:
            self.executions[step.workflow_id, step.node_id] += 1
            return data["n"] + 1

        flow = Flow("count")
        first = flow.node("n0", counted, {"n": 0})
        _ = first >> flow.node("n1", counted, {"n": "{{ previous }}"})
        registry.add(flow)
        return registry

    def _adapters(self, store: Any, queue: Any) -> Adapters:
        ids = iter(range(10**9))
        name = f"{self.deaths}-{id(store)}"
        return Adapters(
            store,
            queue,
            self.bucket,
            NoSecret(),
            now_ms=lambda: self.now_ms,
            new_id=lambda: f"{name}-{next(ids)}",
            new_rng=lambda: random.Random(1),  # noqa: S311
        )

    def _new_process(self) -> App:
        mortal = _Mortal(self.store, self._dies), _Mortal(self.queue, self._dies)
        return App(SETTINGS, self._adapters(*mortal), self.registry)

    def _dies(self) -> bool:
        return self.rng.randrange(2 * ONE_DEATH_IN_CALLS) == 0

    def work(self) -> None:
        """Delivers until nothing is left, with time and sweeps for what the dead have left behind."""
        while self.queue.messages or self._unfinished():
            for message in self.queue.receive(batch_size=1):
                self._deliver(message)
            next_at_ms = self.queue.next_visible_at_ms()
            if next_at_ms is None or next_at_ms > self.now_ms:
                self.now_ms += 60_000
                self.outside.sweep.run()

    def _deliver(self, message: QueuedMessage) -> None:
        record = {
            "messageId": message.message_id,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receive_count)},
        }
        try:
            failed = handle_batch(self.process, {"Records": [record]}, _Context())["batchItemFailures"]
        except _Death:
            self.deaths += 1
            self.process = self._new_process()
            return
        if not failed:
            self.queue.delete(message.message_id)

    def _unfinished(self) -> bool:
        return any(not stored.attributes.status.terminal for stored in self.store._heads.values())


@pytest.fixture
def no_log() -> Iterator[None]:
    """Keeps the log out of pytest, which holds each line of it in memory."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("no_log")
def test_all_end_and_memory_stays_flat() -> None:
    """Each run ends once, as without deaths; runs that are removed leave nothing behind in store or process."""
    deployment = _Deployment(seed=11)
    objects = []
    for begin in range(0, RUNS, RUNS_AT_ONCE):
        runs = [f"run-{number}" for number in range(begin, begin + RUNS_AT_ONCE)]
        for run in runs:
            deployment.outside.front_door.start(StartRequest(workflow="count", workflow_id=run))
        deaths_before = deployment.deaths
        deployment.work()
        for run in runs:
            head = deployment.outside.archive.load(run)
            assert head is not None
            assert (head.snapshot.status, head.snapshot.output, head.version) == (Status.COMPLETED, STEPS, STEPS)
            assert [entry.node_id for entry in head.history.tail] == ["n0", "n1"]
            assert deployment.outside.operator_calls.remove(run)
        executed = sum(deployment.executions.values())
        assert len(runs) * STEPS <= executed <= len(runs) * STEPS + deployment.deaths - deaths_before
        deployment.executions.clear()
        gc.collect()
        objects.append(len(gc.get_objects()))
    assert deployment.deaths > RUNS // ONE_DEATH_IN_CALLS
    assert objects[-1] - objects[1] < OBJECTS_MORE_MAX, objects
