"""One simulation: a program, a schedule, and the product between them, from the first request until nothing moves.

The world plays the platform (queue, event source, scheduler, functions that die and are replaced) and the callers.
It decides nothing by itself: what is strange is the schedule's doing, and without a fault everything goes in the
plainest order.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from dispatcher.archive import Archive
from dispatcher.bootstrap import Adapters, App
from dispatcher.dead_letter_handler import handle_dead_letters
from dispatcher.errors import Retryable, UnknownSchema
from dispatcher.handler import handle
from dispatcher.head import Head
from dispatcher.limits import SWEEP_PERIOD_MS
from dispatcher.memory import InMemoryBucket, InMemoryRunStore
from engine import WorkflowEngine
from tests.dispatcher.settings import SETTINGS, NoSecret
from tests.simulation.clock import DAY, SECOND, VirtualClock
from tests.simulation.faults import Boundary, Death, Fault, Kind, Schedule
from tests.simulation.invariants import EVENLY, Account, Ledger, require
from tests.simulation.nodes import CANARY
from tests.simulation.oracle import judge_the_end
from tests.simulation.ports import FaultyBucket, FaultyQueue, FaultyStore
from tests.simulation.process import Process
from tests.simulation.programs import BEGINNING_MS, AtEnd, AtRest, Program, Request, Timed
from tests.simulation.queue import Queued, SimulatedQueue
from tests.simulation.recording import STAGE, SimulatedRegistry, parsed
from tests.simulation.timeline import Timeline

RUN: Final = "run-1"

RECEIVE: Final = Boundary("platform.receive", Kind.RECEIVE)
ACKNOWLEDGE: Final = Boundary("platform.acknowledge", Kind.ACKNOWLEDGE)

_INVOCATION_MS: Final = 30 * SECOND
_ASKED_AGAIN_AFTER_MS: Final = 2 * SECOND
_BOUNDARIES_MAX: Final = 20_000
_DEPTH_MAX: Final = 2


_LOG: Final = logging.getLogger("refluxo")


class _Unexpected(logging.Handler):
    """Listens to the product's log for what a handler caught and did not expect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.error: BaseException | None = None
        self._level = _LOG.level

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, Retryable | UnknownSchema):
            self.error = self.error or error

    def listen(self) -> None:
        """Instead of whoever listens else."""
        _LOG.setLevel(logging.ERROR)
        _LOG.propagate = False
        _LOG.addHandler(self)

    def listen_no_more(self) -> None:
        """As it was."""
        _LOG.removeHandler(self)
        _LOG.propagate = True
        _LOG.setLevel(self._level)


class _Context:
    """Lambda's context object: the time left of one invocation."""

    aws_request_id = "request-1"

    def __init__(self, process: Process) -> None:
        self._process = process

    def get_remaining_time_in_millis(self) -> int:
        return max(self._process.ends_ms - self._process.world.clock.now_ms, 0)


class World:
    """Everything there is in one simulation.

    Args:
        program: what is run.
        schedule: what goes wrong, and when.
        skews_ms: how wrong the clocks of the processes are, in the order in which they come up.
        make_app: makes the product of its parts; another one for those who want to break it.
        surveyed: whether to note, at each boundary, which faults would change nothing there.
    """

    def __init__(
        self,
        program: Program,
        schedule: Schedule,
        *,
        skews_ms: Sequence[int] = (0,),
        make_app: Callable[..., App] = App,
        surveyed: bool = False,
    ) -> None:
        self.program = program
        self.schedule = schedule
        self.clock = VirtualClock(BEGINNING_MS)
        self.timeline = Timeline(BEGINNING_MS)
        self.depth = -1
        self.store = InMemoryRunStore()
        self.bucket = InMemoryBucket()
        self.queue = SimulatedQueue(self.clock)
        self.run = RUN
        self._registries = registries_of(program)
        self.registry = self._registries[0]
        self.archive = Archive(self.store, self.bucket)
        self.ledger = Ledger(
            self.clock,
            self.timeline,
            self._engine_of,
            lambda: dict(self.registry.globals()),
            self.archive,
            self._rested,
        )
        self.answers: dict[str, int] = {}
        self.deliveries = 0
        self.sweeps = 0
        self.surveyed: list[frozenset[Fault]] | None = [] if surveyed else None
        self.kept_by_a_fork = False
        self._make_app = make_app
        self._settings = replace(
            SETTINGS,
            steps_per_invocation=program.steps_per_invocation,
            retention_days=program.retention_days,
        )
        self._skews_ms = itertools.cycle(skews_ms)
        self.skew_max_ms = max(map(abs, skews_ms))
        self._ids = itertools.count()
        self._processes: dict[str, list[Process]] = {}
        self._apps: dict[Process, App] = {}
        self._agenda: list[tuple[int, int, Request]] = []
        self._order = itertools.count()
        self._swept_at_ms = BEGINNING_MS
        self._older_marks: dict[int, Any] = {}
        self._at_end: list[AtEnd] = []

    # --- the course of things ------------------------------------------------------------------

    def play(self) -> World:
        """Plays until nothing moves, then judges the end.

        Raises:
            RuleBroken: a rule was broken; the timeline tells how it came about.
        """
        STAGE.process, STAGE.judge = None, self.ledger
        unexpected = _Unexpected()
        unexpected.listen()
        # A play makes many objects and few cycles: to look for those in its midst costs a fifth of it.
        gc.disable()
        try:
            path = f"/workflows/{self.program.definition['name']}/runs"
            self._enter(0, Request(path, {"workflowId": RUN, "input": self.program.input}))
            for body in self.program.strays:
                self.queue.put(body)
            for action in self.program.actions:
                if isinstance(action, Timed):
                    self._enter(action.after_ms, action.request)
            while not self._is_kept_by_a_fork() and self._go_on():
                require(len(self.timeline.boundaries) < _BOUNDARIES_MAX, "it goes on for ever")
                require(self.clock.now_ms < BEGINNING_MS + 90 * DAY, "it goes on for months")
                require(unexpected.error is None, f"an error that nobody expected: {unexpected.error!r}")
            judge_the_end(self)
        finally:
            STAGE.process = STAGE.judge = None
            unexpected.listen_no_more()
            gc.enable()
        return self

    def _is_kept_by_a_fork(self) -> bool:
        """Whether all that goes on is a look, once a day, at a finished run whose fork is still there."""
        if self.clock.now_ms < BEGINNING_MS + 60 * DAY or self.queue.messages or len(self.ledger.accounts) == 1:
            return False
        self.kept_by_a_fork = self.ledger.accounts[self.run].snapshot.status.terminal
        return self.kept_by_a_fork

    def _go_on(self) -> bool:
        """Lets the next thing happen; False when there is none."""
        moments = [
            moment
            for moment in (
                self._agenda[0][0] if self._agenda else None,
                self.queue.next_visible_at_ms(),
                self._next_sweep_ms(),
                self.clock.now_ms if self.queue.dead_letters else None,
            )
            if moment is not None
        ]
        if not moments:
            return False
        self.clock.pass_until(min(moments))
        now = self.clock.now_ms
        possible: list[Callable[[], None]] = []
        visible = self.queue.visible()
        if self._agenda and self._agenda[0][0] <= now:
            possible.append(self._next_request)
        if visible:
            possible.append(lambda: self._deliver(visible[self.schedule.choice(len(visible))]))
        if self.queue.dead_letters:
            possible.append(self._redrive)
        sweep_ms = self._next_sweep_ms()
        if sweep_ms is not None and sweep_ms <= now:
            possible.append(self._sweep)
        if possible:
            possible[self.schedule.choice(len(possible))]()
        return True

    # --- processes -----------------------------------------------------------------------------

    def _free(self, kind: str) -> Process:
        """A process of a kind that does nothing at the moment."""
        pool = self._processes.setdefault(kind, [])
        free = [process for process in pool if not process.busy]
        if not free or (len(free) < 2 and self.schedule.choice(4) == 3):
            fresh = Process(f"{kind}-{len(pool) + 1}", self, next(self._skews_ms))
            pool.append(fresh)
            free.append(fresh)
        return free[self.schedule.choice(len(free))]

    def _work(
        self,
        process: Process,
        what: str,
        event: Mapping[str, object],
        again: Callable[[], None],
        handler: Callable[..., object] = handle,
    ) -> Any:
        """Has a process handle an event. Returns its answer, or None when it died."""
        app = self._apps.get(process)
        if app is None:
            app = self._apps[process] = self._app_of(process)
        outer, STAGE.process = STAGE.process, process
        process.busy, process.work, process.decision = True, again, None
        process.begun_ms = self.clock.now_ms
        process.ends_ms = process.begun_ms + _INVOCATION_MS
        self.depth += 1
        process.happens(f"begins {what}")
        try:
            answer: Any = handler(app, event, _Context(process))
        except Death:
            del self._apps[process]
            process.replaced()
            answer = None
        finally:
            self.depth -= 1
            process.busy = False
            STAGE.process = outer
        return answer

    def _app_of(self, process: Process) -> App:
        adapters = Adapters(
            store=FaultyStore(self.store, process, self.ledger, self._older_marks),
            queue=FaultyQueue(self.queue, process),
            bucket=FaultyBucket(self.bucket, process),
            secrets=NoSecret(),
            now_ms=process.now_ms,
            new_id=lambda: f"{next(self._ids):032x}",
            new_rng=lambda: EVENLY,
            executors={},  # nothing in here calls a network
        )
        registry = self._registries[self.schedule.choice(len(self._registries))]
        return self._make_app(self._settings, adapters, registry)

    def fresh_archive(self) -> Archive:
        """An archive of somebody who has seen nothing yet, and at whose calls nothing happens."""
        return Archive(self.store, self.bucket)

    def _engine_of(self, head: Head) -> WorkflowEngine:
        definition = head.snapshot.definition
        assert definition is not None
        workflows = (registry.workflow(definition.name) for registry in self._registries)
        return self.registry.engine(next(known for known in workflows if known.version == definition.version))

    # --- messages ------------------------------------------------------------------------------

    def _deliver(self, message: Queued, *, twin: bool = False) -> None:
        process = self._free("worker")
        if not twin:
            fault = self._platform(process, RECEIVE, message)
            if fault is Fault.PURGED:
                self.purge()
                return
        self.queue.received(message)
        self.deliveries += 1
        event = {
            "Records": [
                {
                    "messageId": message.message_id,
                    "body": message.body,
                    "attributes": {"ApproximateReceiveCount": str(message.receives)},
                }
            ]
        }
        what = f"{message.message_id} (receive {message.receives}) {message.body}"
        answer = self._work(process, what, event, lambda: self._deliver(message, twin=True))
        message.in_flight = False
        if answer is None or answer["batchItemFailures"]:
            process.happens("died" if answer is None else "failed")
            return
        fault = self._platform(process, ACKNOWLEDGE, message)
        if fault is Fault.PURGED:
            self.purge()
        elif fault is Fault.DUPLICATED:
            message.visible_at_ms = self.clock.now_ms
        elif fault is not Fault.UNACKNOWLEDGED:
            self.queue.acknowledged(message)

    def _platform(self, process: Process, boundary: Boundary, message: Queued) -> Fault | None:
        self.survey()
        number = len(self.timeline.boundaries)
        fault = self.schedule.fault_at(number, boundary)
        self.timeline.met(boundary, fault)
        if fault is not None:
            process.happens(boundary.name, message.message_id, f"{number}: ** {fault.value} **")
        return fault

    def _redrive(self, message: Queued | None = None) -> None:
        """Hands a dead letter to who looks after those."""
        message = self.queue.dead_letters[0] if message is None else message
        process = self._free("dead")
        what = f"dead letter {message.message_id} {message.body}"
        event = {"Records": [{"messageId": message.message_id, "body": message.body, "attributes": {}}]}
        again = message
        answer = self._work(process, what, event, lambda: self._redrive(again), handle_dead_letters)
        if answer is not None and not answer["batchItemFailures"] and message in self.queue.dead_letters:
            self.queue.dead_letters.remove(message)

    def purge(self) -> None:
        """All messages are lost."""
        self.queue.messages.clear()

    # --- the sweep -----------------------------------------------------------------------------

    def _next_sweep_ms(self) -> int | None:
        """When the next sweep is that has something to do: one a minute, but those find nothing before it."""
        marks = [
            stored.attributes.due_at_ms
            for stored in self.store._heads.values()
            if stored.attributes.due_at_ms is not None
        ]
        if not marks:
            return None
        earliest = max(min(marks) - SWEEP_PERIOD_MS, self._swept_at_ms + SWEEP_PERIOD_MS)
        return -(-earliest // SWEEP_PERIOD_MS) * SWEEP_PERIOD_MS

    def _sweep(self) -> None:
        self._swept_at_ms = self.clock.now_ms
        self.sweeps += 1
        process = self._free("sweep")
        if self._work(process, "a sweep", {"detail-type": "Scheduled Event"}, self._sweep) is None:
            process.happens("died")

    # --- callers -------------------------------------------------------------------------------

    def _enter(self, after_ms: int, request: Request) -> None:
        heapq.heappush(self._agenda, (self.clock.now_ms + after_ms, next(self._order), request))

    def _rested(self, workflow_id: str, account: Account) -> None:
        if workflow_id != self.run:
            return
        for action in self.program.actions:
            if isinstance(action, AtRest) and action.rest == account.rests - 1:
                wait = account.snapshot.wait
                signal = wait.signal if wait is not None and wait.signal is not None else "none"
                path = action.request.path.replace("{signal}", signal)
                self._enter(action.after_ms, replace(action.request, path=path))
            elif isinstance(action, AtEnd) and account.snapshot.status.terminal and action not in self._at_end:
                self._at_end.append(action)
                self._enter(action.after_ms, action.request)

    def _next_request(self) -> None:
        _, _, request = heapq.heappop(self._agenda)
        if not self._ask(request):
            # Whoever gets no answer asks again: with the same key, so that it counts once.
            self._enter(_ASKED_AGAIN_AFTER_MS, request)

    def _ask(self, request: Request) -> bool:
        path = request.path if request.path.startswith("/") else f"/runs/{self.run}/{request.path}".rstrip("/")
        event = {
            "rawPath": path,
            "requestContext": {"http": {"method": request.method}},
            "headers": {"content-type": "application/json"}
            | ({} if request.key is None else {"idempotency-key": request.key}),
            "body": "" if request.body is None else json.dumps(request.body),
        }
        process = self._free("http")
        answer = self._work(process, f"{request.method} {path}", event, lambda: self._asked_twice(request))
        if answer is None:
            process.happens("died")
            return False
        process.happens("answers", str(answer["statusCode"]), answer["body"])
        require(CANARY not in answer["body"], "a secret in an answer")
        if answer["statusCode"] >= 500 and request.method != "GET":
            return False
        if request.method == "DELETE" and answer["statusCode"] == 202:
            # There was more than one call can remove.
            return False
        if answer["statusCode"] == 404 and self.run not in self.ledger.accounts:
            # Whoever is too early for a run that is being started asks again.
            return False
        self.answers[f"{path} {request.key}"] = answer["statusCode"]
        return True

    def _asked_twice(self, request: Request) -> None:
        self._ask(request)

    # --- what comes between --------------------------------------------------------------------

    def survey(self) -> None:
        """See Surroundings. Only in a play that is surveyed."""
        if self.surveyed is not None:
            sweep_ms = self._next_sweep_ms()
            self.surveyed.append(
                frozenset(
                    fault
                    for fault, idle in (
                        (Fault.BACKLOG, not self.queue.visible()),
                        (Fault.SWEEP, sweep_ms is None or sweep_ms > self.clock.now_ms + SWEEP_PERIOD_MS),
                        (Fault.CALLER, not self._agenda),
                    )
                    if idle
                )
            )

    def come_between(self, process: Process, fault: Fault) -> None:
        """See Surroundings."""
        if self.depth >= _DEPTH_MAX:
            return
        match fault:
            case Fault.TWIN if process.work is not None:
                process.work()
            case Fault.BACKLOG:
                for message in self.queue.visible():
                    if message in self.queue.messages and message.visible_at_ms <= self.clock.now_ms:
                        self._deliver(message)
            case Fault.SWEEP:
                self._sweep()
            case Fault.CALLER if self._agenda:
                self._next_request()
            case _:
                pass


@lru_cache(maxsize=512)
def _registries(name: str, text: str) -> tuple[SimulatedRegistry, ...]:  # noqa: ARG001  (the name makes it quick)
    document = json.loads(text)
    return tuple(SimulatedRegistry.of(parsed(document | newer)) for newer in ({}, {"description": "newer"}))


def registries_of(program: Program) -> tuple[SimulatedRegistry, ...]:
    """The registries of two deployments: in the second, the workflow has another version. Made once."""
    return _registries(program.name, json.dumps(program.definition))
