"""One process of the product: an app over ports that may fail it, until it dies and a fresh one takes its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from dispatcher.errors import Retryable
from tests.simulation.clock import SkewedClock, VirtualClock
from tests.simulation.faults import Boundary, Death, Fault, Schedule
from tests.simulation.timeline import Event, Timeline

_T = TypeVar("_T")

_CALL_MS = 3
"""What a call takes when nothing is strange."""

_STALL_MS = 20_000
"""Less than the time limit of a function, so that it goes on."""


_NOT_DONE: Final = frozenset({Fault.DIE_BEFORE, Fault.THROTTLED})
_DONE_UNSEEN: Final = frozenset({Fault.DIE_AFTER, Fault.LOST_ANSWER, Fault.REPEATED})
_FATAL: Final = frozenset({Fault.DIE_BEFORE, Fault.DIE_AFTER})
_TOLD_FAILED: Final = frozenset({Fault.THROTTLED, Fault.LOST_ANSWER})


class Surroundings(Protocol):
    """What else there is: what the processes share, and what can come between two calls of one of them."""

    clock: VirtualClock
    schedule: Schedule
    timeline: Timeline
    depth: int

    def survey(self) -> None:
        """Notes what could come between here, if anybody wants to know."""
        ...

    def come_between(self, process: Process, fault: Fault) -> None:
        """Lets somebody else do something before this process goes on."""
        ...

    def purge(self) -> None:
        """Loses all messages."""
        ...


class Process:
    """A place where the product runs.

    ``lives`` counts the processes that have been in it. ``work`` does once more, elsewhere, what the process is doing:
    the twin's work. ``begun_ms``: when it was given that work; ``ends_ms``: when the platform stops it; ``seen_ms``:
    when it last saw a head as it was; true times all. ``decision``: what it has decided and not yet written.
    """

    def __init__(self, name: str, world: Surroundings, skew_ms: int = 0) -> None:
        self.name = name
        self.world = world
        self.now_ms = SkewedClock(world.clock, skew_ms)
        self.dead = False
        self.lives = 1
        self.work: Callable[[], None] | None = None
        self.busy = False
        self.begun_ms = 0
        self.ends_ms = 0
        self.seen_ms = 0
        self.decision: object = None

    def replaced(self) -> None:
        """A fresh process takes the place of this one, which is dead."""
        self.dead = False
        self.lives += 1

    def call(
        self,
        boundary: Boundary,
        do: Callable[[], _T],
        detail: Callable[[], str] | str = "",
        *,
        older: Callable[[], _T] | None = None,
    ) -> _T:
        """Meets a boundary, and does what lies behind it unless the schedule decides otherwise.

        Args:
            boundary: which.
            do: the call itself.
            detail: what a reader of the timeline should know of it.
            older: gives an older answer, for what may lag.
        """
        world = self.world
        # The platform stops a function at its time limit; and a process that is gone does nothing any more on its way
        # out, whatever its code says.
        if self.dead or world.clock.now_ms > self.ends_ms:
            self.dead = True
            raise Death
        number = len(world.timeline.boundaries)
        world.survey()
        fault = world.schedule.fault_at(number, boundary)
        world.timeline.met(boundary, fault)
        world.clock.now_ms += _CALL_MS
        noted = _Noted(self, boundary, detail, number, fault)
        if fault is None:
            return noted(do)
        if fault in _NOT_DONE:
            noted.as_("not done")
        elif fault is Fault.LAG:
            return noted(do if older is None else older)
        elif fault in _DONE_UNSEEN:
            noted(do)
        elif fault is Fault.STALL:
            world.clock.pass_by(_STALL_MS)
        else:
            noted.as_("before it")
            world.come_between(self, fault)
        if fault in _FATAL:
            self.dead = True
            raise Death
        if fault in _TOLD_FAILED:
            raise Retryable(fault.value)
        return noted(do)

    def happens(self, what: str, detail: str = "", effect: object = None) -> None:
        """Notes something at which nothing can go wrong."""
        world = self.world
        world.timeline.note(Event(world.clock.now_ms, world.depth, self.name, what, detail, effect))


@dataclass(slots=True)
class _Noted:
    """One call, as the timeline tells of it."""

    process: Process
    boundary: Boundary
    detail: Callable[[], str] | str
    number: int
    fault: Fault | None

    def __call__(self, do: Callable[[], _T]) -> _T:
        """Does it."""
        try:
            answer = do()
        except Exception as error:
            self.as_(f"raises {error!r}")
            raise
        self.as_(answer)
        return answer

    def as_(self, effect: object) -> None:
        """Notes what came of it."""
        process = self.process
        world = process.world
        world.timeline.note(
            Event(
                world.clock.now_ms,
                world.depth,
                process.name,
                self.boundary.name,
                self.detail,
                effect,
                self.number,
                self.fault,
            )
        )
