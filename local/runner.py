"""LocalRunner: the real dispatcher over ports in memory and in virtual time, for tests of workflows.

What it runs is what runs on Lambda: the same dispatcher, front door and sweep. What it stands for is the platform: it
delivers messages, lets visibility end, and moves the clock to whatever happens next, so that 30 days pass at once.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from dispatcher.bootstrap import Adapters, App
from dispatcher.event_handler import start_runs
from dispatcher.front_door import StartRequest
from dispatcher.http_node.address import networks_of
from dispatcher.limits import SWEEP_PERIOD_MS
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue, QueuedMessage
from dispatcher.queue_handler import handle_batch
from dispatcher.settings import Settings
from dispatcher.table_schema import DUE_SHARDS
from engine import Registry, Step
from engine.errors import NeedsHost
from engine.json_value import checked_copy
from engine.node_definition import NodeDefinition
from local.mortal_ports import Boundary, Death, MortalPort, boundary_of
from local.run import LocalRun, NeverEnds

BEGINNING_MS: Final = 1_767_225_600_000
"""When virtual time begins unless told otherwise: 2026-01-01, 00:00 UTC."""

VISIBILITY_MS: Final = 180_000
"""How long a message is hidden from its first delivery on, as in the cloud stack."""

DELIVERIES_MAX: Final = 100_000
"""Deliveries within one call, far more than any test needs: a workflow that loops for ever fails instead."""

_FOREVER_MS: Final = 10**15

_SETTINGS: Final = Settings(
    table_name="memory",
    queue_url="memory",
    parked_queue_url="memory",
    payload_bucket="memory",
    public_url="http://local.test",
    webhook_secret_id="memory",  # noqa: S106  (a name)
)


class _TestSecret:
    """Signs the links of a test."""

    def signing_secret(self) -> bytes:
        return b"local-runner"


def _no_call(_data: object, step: Step) -> NoReturn:
    """A test of a workflow is not to depend on the network, nor to do anything out there."""
    raise NeedsHost(
        f"node {step.node_id!r} would call a URL, which LocalRunner does not: fake it by runner.fake('core:http', ...) "
        "or let it by LocalRunner(registry, network=True)"
    )


_NO_NETWORK: Final[Mapping[str, Callable[..., object]]] = {"core:http": _no_call}


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class EventParked(AssertionError):
    """An event matches a route and can start no run; the message says of which route, and why."""


@dataclass(slots=True)
class Fake:
    """What stands for a node type in one runner. ``calls``: the data of each of its executions, in order."""

    answer: Callable[..., object]
    calls: list[object] = field(default_factory=list)


class LocalRunner:
    """Runs workflows of a registry on this machine, in virtual time.

    Args:
        registry: the workflows and node types.
        now: when virtual time begins: an aware datetime, or epoch milliseconds.
        seed: of everything random, jitter included.
        crash_after: where a process dies, once for each version of each run: after it has loaded the run (``load``),
            committed a step (``save``) or sent a message (``send``). The message is delivered again to another.
        duplicates: whether each message is delivered twice, the second time to another process.
        steps_per_invocation: steps executed per message at most.
        network: whether ``core:http`` makes its calls; without it such a step fails and asks for a fake.
        allowed_networks: networks that it may call although they are not public, ``127.0.0.0/8`` say, as the setting
            HTTP_ALLOWED_NETWORKS has them: with commas between them.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        now: datetime | int = BEGINNING_MS,
        seed: int = 0,
        crash_after: Boundary | None = None,
        duplicates: bool = False,
        steps_per_invocation: int = 1,
        network: bool = False,
        allowed_networks: str = "",
    ) -> None:
        self._now_ms = now if isinstance(now, int) else round(now.timestamp() * 1000)
        self._registry = copy.copy(registry)
        self._registry._nodes = dict(registry.node_definitions)
        self._seed = seed
        self._crash_after = crash_after
        self._duplicates = duplicates
        self._executors = None if network else _NO_NETWORK
        self._settings = replace(
            _SETTINGS,
            steps_per_invocation=steps_per_invocation,
            http_allowed_networks=networks_of(allowed_networks),
        )
        self._swept_at_ms = self._now_ms
        self._crashed: set[object] = set()
        self._ids = itertools.count(1)
        self._store = InMemoryRunStore()
        self._bucket = InMemoryBucket()
        self._queue = InMemoryStepQueue(lambda: self._now_ms)
        self.executions: Counter[tuple[str, str]] = Counter()
        """Executions of nodes by run and node, duplicates and crashed ones included."""
        self.crashes = 0
        """Processes that have died so far."""
        self._outside = self._new_app(mortal=False)
        self._process = self._new_app(mortal=True)

    # --- processes -----------------------------------------------------------------------------

    def _new_app(self, *, mortal: bool) -> App:
        store: Any = MortalPort(self._store, self._told) if mortal else self._store
        queue: Any = MortalPort(self._queue, self._told) if mortal else self._queue
        adapters = Adapters(
            store=store,
            queue=queue,
            bucket=self._bucket,
            secrets=_TestSecret(),
            now_ms=lambda: self._now_ms,
            new_id=lambda: f"id-{next(self._ids)}",
            new_rng=lambda: random.Random(self._seed),  # noqa: S311  (repeatable, not secret)
            executors=self._executors,
        )
        return App(self._settings, adapters, self._counted() if mortal else self._registry)

    def _counted(self) -> Registry:
        counted = copy.copy(self._registry)
        counted._nodes = {
            name: replace(definition, executor=self._counting(definition))
            for name, definition in self._registry.node_definitions.items()
        }
        return counted

    def _counting(self, definition: NodeDefinition) -> Callable[[Any, Step], object]:
        def executor(data: object, step: Step) -> object:
            self.executions[step.workflow_id, step.node_id] += 1
            return definition.executor(data, step) if definition.takes_step else definition.executor(data)

        return executor

    def _told(self, method: str, arguments: Sequence[object]) -> None:
        boundary = boundary_of(method)
        if boundary is None or boundary != self._crash_after:
            return
        what = (boundary, *(_identity(argument) for argument in arguments[:1]))
        if what not in self._crashed:
            self._crashed.add(what)
            raise Death

    # --- what a test does ----------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Virtual time, epoch milliseconds."""
        return self._now_ms

    @property
    def app(self) -> App:
        """The deployment as callers reach it; nothing of it ever crashes."""
        return self._outside

    def start(
        self,
        workflow: str,
        input: object = None,  # noqa: A002  (the wire's name)
        *,
        workflow_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        tenant: str | None = None,
    ) -> LocalRun:
        """Starts a run. No step is executed before the run is asked for something.

        Raises:
            UnknownWorkflow: the registry has no such workflow.
            InvalidRunInput: the input breaks the workflow's schema.
            InvalidOutput: JSON cannot hold the input.
        """
        name = workflow_id if workflow_id is not None else f"{workflow}-{next(self._ids)}"
        request = StartRequest(
            workflow=workflow, input=checked_copy(input, "input"), workflow_id=name, tags=tags, tenant=tenant
        )
        started = self._outside.front_door.start(request)
        return LocalRun(self, started.snapshot.workflow_id)

    def event(self, event: Mapping[str, object]) -> Sequence[LocalRun]:
        """Hands an EventBridge event to the routes, as the event function is handed it.

        Returns:
            The runs it has started, in the order of the routes; none for a repeat of an event, or one of no route.

        Raises:
            EventParked: it matches a route and can start no run.
        """
        report = start_runs(self._outside, event)
        if report["parked"]:
            raise EventParked("; ".join(reason for _, reason in self._queue.parked[-len(report["parked"]) :]))
        return [LocalRun(self, workflow_id) for workflow_id in report["started"]]

    def fake(self, node_type: str, function: Callable[..., object] | object) -> Fake:
        """Puts a function, or a value to return, in the place of a node type, in this runner alone.

        Returns:
            What tells the calls there were.

        Raises:
            ValueError: there is no such node type.
        """
        definition = self._registry.node_definitions.get(node_type)
        if definition is None:
            known = ", ".join(sorted(self._registry.node_definitions))
            raise ValueError(f"there is no node type {node_type!r} to fake; there are {known}")
        made = NodeDefinition(function if callable(function) else lambda _data: function)
        fake = Fake(made.executor)

        def executor(data: object, step: Step) -> object:
            fake.calls.append(copy.deepcopy(data))
            return made.executor(data, step) if made.takes_step else made.executor(data)

        self._registry._nodes[node_type] = replace(definition, executor=executor)
        self._process = self._new_app(mortal=True)
        return fake

    def advance(self, by: timedelta | int) -> None:
        """Lets time pass, milliseconds or a timedelta, with all that happens meanwhile to any run."""
        until_ms = self._now_ms + (round(by / timedelta(milliseconds=1)) if isinstance(by, timedelta) else by)
        self.work(lambda: False, until_ms=until_ms)
        self._now_ms = until_ms

    async def advance_async(self, by: timedelta | int) -> None:
        """As :meth:`advance`, for tests that are coroutines."""
        await asyncio.to_thread(self.advance, by)

    def work(self, done: Callable[[], bool], *, until_ms: int = _FOREVER_MS) -> bool:
        """Lets things happen, in the order of their times, until something is so; says whether it is.

        Stops when nothing more will happen by itself, or when the next thing is later than ``until_ms``. In a thread
        of its own where this one runs an event loop: async executors have theirs.

        Raises:
            NeverEnds: too much has happened.
        """
        if not _in_event_loop():
            return self._work(done, until_ms)
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._work, done, until_ms).result()

    def _work(self, done: Callable[[], bool], until_ms: int) -> bool:
        for _ in range(DELIVERIES_MAX):
            if done():
                return True
            message = next(iter(self._queue.receive(batch_size=1, visibility_ms=VISIBILITY_MS)), None)
            if message is not None:
                self._deliver(message)
                continue
            at_ms, sweeps = self._next()
            if at_ms is None or at_ms > until_ms:
                return done()
            self._now_ms = max(self._now_ms, at_ms)
            if sweeps:
                self._swept_at_ms = self._now_ms
                self._outside.sweep.run()
        raise NeverEnds(f"{DELIVERIES_MAX} deliveries and no end: a loop without one?")

    def _next(self) -> tuple[int | None, bool]:
        """When something happens next, and whether that is a sweep."""
        message_ms = self._queue.next_visible_at_ms()
        marks = [
            mark.due_at_ms
            for shard in range(DUE_SHARDS)
            for mark in self._store.due_marks(shard, until_ms=_FOREVER_MS, limit=1)
        ]
        # The sweep sends for what is due within its period: it is of no use before that, and comes once a period.
        sweep_ms = max(min(marks) - SWEEP_PERIOD_MS, self._swept_at_ms + SWEEP_PERIOD_MS) if marks else None
        if message_ms is not None and (sweep_ms is None or message_ms <= sweep_ms):
            return message_ms, False
        return sweep_ms, True

    def _deliver(self, message: QueuedMessage) -> None:
        processes = [self._process, self._new_app(mortal=True)] if self._duplicates else [self._process]
        failed = False
        for process in processes:
            failed = self._handed_to(process, message) or failed
        if not failed:
            self._queue.delete(message.message_id)

    def _handed_to(self, process: App, message: QueuedMessage) -> bool:
        """Whether the message must be delivered again."""
        record = {
            "messageId": message.message_id,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receive_count)},
        }
        try:
            return bool(handle_batch(process, {"Records": [record]}, _Context())["batchItemFailures"])
        except Death:
            self.crashes += 1
            self._process = self._new_app(mortal=True)
            return True


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _identity(argument: object) -> object:
    """What a call is about, by which it is known again: a run, or a version of one."""
    workflow_id, version = getattr(argument, "workflow_id", argument), getattr(argument, "version", None)
    return workflow_id, version
