"""What can go wrong, where, and who decides when it does.

A *boundary* is a place where the world may interfere: each call of a port, each execution of a node, each message
that is received or acknowledged. A *schedule* is asked at every boundary, in order, what happens there. It is the
only source of chance in a simulation, so the same schedule gives the same run, event by event.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol


class Death(BaseException):
    """The process ends here. No code of the product can catch it, and whatever it does on the way out has no effect."""


class Fault(StrEnum):
    """What happens at a boundary."""

    DIE_BEFORE = "dies before"
    """The process is gone, the call not made."""
    DIE_AFTER = "dies after"
    """The call is made and done, the process gone before it learns of it."""
    LOST_ANSWER = "answer lost"
    """The call is done; the process is told that it failed."""
    REPEATED = "repeated"
    """The call is done, its answer lost, and the client library makes it again: the second answer counts."""
    THROTTLED = "throttled"
    """The call is not done, and the process is told so."""
    LAG = "lags"
    """The answer is an older one."""
    TWIN = "twin"
    """Before the call, another process does the same piece of work from beginning to end."""
    BACKLOG = "backlog"
    """Before the call, another process handles all other messages that are visible."""
    SWEEP = "sweep"
    """Before the call, a sweep runs."""
    CALLER = "caller"
    """Before the call, the next thing happens that somebody outside means to do."""
    STALL = "stalls"
    """Before the call, time passes: less than the function's time limit."""
    PURGED = "purged"
    """All messages on the queue are lost."""
    UNACKNOWLEDGED = "unacknowledged"
    """The message is handled and comes back when its visibility ends."""
    DUPLICATED = "duplicated"
    """The message is handled and is delivered once more, at once."""


class Kind(StrEnum):
    """What a boundary is, which decides what can happen there."""

    READ = "read"
    LAGGING_READ = "lagging read"
    WRITE = "write"
    EXECUTION = "execution"
    RECEIVE = "receive"
    ACKNOWLEDGE = "acknowledge"


_CALL: Final = (
    Fault.DIE_BEFORE,
    Fault.THROTTLED,
    Fault.TWIN,
    Fault.BACKLOG,
    Fault.SWEEP,
    Fault.CALLER,
)

APPLICABLE: Final[Mapping[Kind, Sequence[Fault]]] = {
    # To die after a read is to die before it: nothing is different outside.
    Kind.READ: _CALL,
    Kind.LAGGING_READ: (*_CALL, Fault.LAG),
    # Likewise it is of no matter at which of its reads a process stalls, if it does so before it writes.
    Kind.WRITE: (*_CALL, Fault.STALL, Fault.DIE_AFTER, Fault.LOST_ANSWER, Fault.REPEATED),
    Kind.EXECUTION: (Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.TWIN, Fault.BACKLOG, Fault.SWEEP, Fault.CALLER),
    Kind.RECEIVE: (Fault.PURGED,),
    Kind.ACKNOWLEDGE: (Fault.UNACKNOWLEDGED, Fault.DUPLICATED, Fault.PURGED),
}
"""What can happen at a boundary of each kind."""


class Boundary(NamedTuple):
    """A place where the world may interfere: ``store.commit``, say."""

    name: str
    kind: Kind


class Planned(NamedTuple):
    """A fault at the boundary of that number, counted from 0 in the order they are met."""

    number: int
    fault: Fault


class Schedule(Protocol):
    """Decides everything that chance decides."""

    def fault_at(self, number: int, boundary: Boundary) -> Fault | None:
        """What happens at a boundary; asked once for each."""
        ...

    def choice(self, count: int) -> int:
        """One of so many possibilities, counted from 0; 0 is what happens when nothing is strange."""
        ...


class PlannedFaults:
    """Just these faults, each at its boundary; everything else goes as it should, but for planned choices.

    Args:
        faults: at which boundary what happens.
        choices: of the n-th choice that there is, counted from 0, which possibility is taken.
    """

    def __init__(self, faults: Sequence[Planned] = (), choices: Mapping[int, int] | None = None) -> None:
        self._faults = dict(faults)
        self._choices = {} if choices is None else choices
        self._count = 0

    def fault_at(self, number: int, boundary: Boundary) -> Fault | None:
        """See Schedule. A fault that cannot happen at this boundary does not."""
        fault = self._faults.get(number)
        return fault if fault is not None and fault in APPLICABLE[boundary.kind] else None

    def choice(self, count: int) -> int:
        """See Schedule."""
        number, self._count = self._count, self._count + 1
        return self._choices.get(number, 0) % count


class RandomFaults:
    """Faults by chance, up to a number of them; then everything goes as it should.

    ``faults`` and ``choices`` keep what was decided, so that it can be played again, or in part.
    """

    def __init__(self, rng: random.Random, *, rate: float, faults_max: int) -> None:
        self._rng = rng
        self._rate = rate
        self._left = faults_max
        self._count = 0
        self.faults: list[Planned] = []
        self.choices: dict[int, int] = {}

    def fault_at(self, number: int, boundary: Boundary) -> Fault | None:
        """See Schedule."""
        if not self._left or self._rng.random() >= self._rate:
            return None
        self._left -= 1
        fault = self._rng.choice(APPLICABLE[boundary.kind])
        self.faults.append(Planned(number, fault))
        return fault

    def choice(self, count: int) -> int:
        """See Schedule."""
        number, self._count = self._count, self._count + 1
        chosen = self._rng.randrange(count) if self._left and count > 1 else 0
        if chosen:
            self.choices[number] = chosen
        return chosen
