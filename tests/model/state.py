"""What the world of one run consists of, as small immutable tuples.

Time is relative: a moment is kept as the number of ticks until it comes, so that two worlds which differ only in
what the clock says are the same world, and the number of worlds is finite. A moment that has passed stays at 0.
"""

from __future__ import annotations

from typing import Final, NamedTuple

# --- durations in ticks: their order is the order of the real ones, their size is as small as that allows -------

NEVER: Final = 99
"""A moment that does not come."""

PERIOD: Final = 1
"""How far ahead the sweep looks (1 minute)."""

OUTSIDE: Final = 2
"""Where a start, a signal or an operator's call sets the due mark (2 minutes)."""

VISIBILITY: Final = 1
"""How long the message of a delivery that died stays hidden (3 minutes)."""

GRACE: Final = 2
"""How late a message may be before it counts as lost: longer than visibility and step together (5 minutes)."""

GRACE_MAX: Final = 4
"""Up to where the grace doubles (1 hour)."""

NEAR: Final = 2
"""An active run moves its mark when it is nearer than this (15 minutes)."""

MOVED_TO: Final = 4
"""Where it moves it to (30 minutes)."""

REACH: Final = 3
"""The longest delay of a message (15 minutes)."""

CLAIM: Final = 2
"""How long the holder of a claim may take (the function's deadline and the clocks' skew)."""

TRIES_MAX: Final = 2
"""Redeliveries that may execute a step before it counts as crashing."""

# --- what a run can be --------------------------------------------------------------------------------------

ABSENT: Final = 0
ACTIVE: Final = 1
ERROR: Final = 2
PAUSED: Final = 3
ENDED: Final = 4
FAILED: Final = 5

STATUS_NAMES: Final = ("absent", "active", "error", "paused", "ended", "failed")

# --- what ends a wait, and what a caller may ask for: a signal's number, or one of these ------------------------

NOTHING: Final = 0
TIMER: Final = 9
START: Final = 10
HOLD: Final = 11
RESUME: Final = 12

CALL_NAMES: Final = {
    START: "start",
    HOLD: "hold",
    RESUME: "resume",
    1: "signal 1",
    2: "signal 2",
    3: "a signal of another name",
}

# --- the messages -------------------------------------------------------------------------------------------

CONTINUATION: Final = 0
WAKE: Final = 1
PAYLOAD: Final = 2
"""The recipe's: a webhook whose payload travels in the message itself. ``version`` is the signal's number."""

SHARED: Final = 1
"""Of a message delivered twice: who acknowledges one copy acknowledges both."""

GONE: Final = 2
"""Of such a copy in a worker's hands: the other has been acknowledged, so it does not come back."""

LEAVE: Final = -99
"""A commit with this mark leaves the mark where it is by then."""


class Head(NamedTuple):
    """The one mutable item of a run.

    ``commits`` and ``runs`` are seen by the properties alone, never by the protocol: how often the head was replaced,
    and how often the step of this version has begun to execute.
    """

    status: int = ABSENT
    version: int = 0
    at: int = 0
    attempt: int = 0
    due: int = NEVER
    far: bool = False  # beyond the queue's reach when it was set
    mark: int = NEVER
    nudge: int = 0  # milliseconds by which the mark is earlier than its tick
    grace: int = 0
    by: int = 0
    pending: int = NOTHING
    takes: int = 0  # a set of signals, as bits
    hold: bool = False
    tries: int = 0
    claim: int = NEVER
    commits: int = 0
    runs: int = 0


class Msg(NamedTuple):
    """A message in the queue, or the one that a worker was given."""

    kind: int
    version: int
    delay: int
    id: int
    received: int = 0  # deliveries before this one: none, or some
    straggler: bool = False  # a second delivery, which time does not wait for
    fate: int = 0  # its copies' fate is its own, or shared: who acknowledges one acknowledges all; or that has happened


class Worker(NamedTuple):
    """A delivery that is being handled, between two calls of its ports; ``next_call`` is the one to come.

    What it has read or decided is here; the head may have changed since.
    """

    next_call: str
    msg: Msg
    version: int = 0  # as read: the condition of its commit
    commits: int = 0  # as read: for the properties
    drops: int = 0  # signals that the commit before has taken, whose items go before this commit
    plan: Head = Head()
    sends: tuple[Msg, ...] = ()
    steps_left: int = 0
    held: bool = False  # committed while the run was held


class Call(NamedTuple):
    """A call from outside that has begun: what it is for, and what it has read."""

    what: int
    next_call: str
    mark: int = NEVER
    nudge: int = 0
    late: bool = False  # its clock was read when the run's timer had fired
    version: int = 0  # of the run when it wrote


class Look(NamedTuple):
    """A sweep's look at the run, between its port calls: the head and mark it read, and where the mark is to go."""

    next_call: str
    version: int
    mark: int
    nudge: int
    new_mark: int
    new_grace: int
    sends: tuple[Msg, ...]


class Budget(NamedTuple):
    """How many faults may still happen."""

    crash: int = 0  # a process dies between two port calls
    duplicate: int = 0  # the queue keeps a second copy of a message
    unsure: int = 0  # a write or a send that is done but reported as failed
    purge: int = 0  # every message in the queue disappears
    slow: int = 0  # time passes though somebody has something to do
    throttle: int = 0  # a message is received and returned unread


class State(NamedTuple):
    """The world of one run.

    ``accepted``, ``taken``, ``allowance`` and ``broken`` are seen by the properties alone.
    """

    head: Head
    queue: tuple[Msg, ...]
    workers: tuple[Worker, ...]
    calls: tuple[Call, ...]
    looks: tuple[Look, ...]
    inbox: int  # sets of signals, as bits
    late: int
    accepted: int
    taken: int
    to_come: tuple[int, ...]
    budget: Budget
    allowance: int  # executions beyond the first of a step that faults still account for
    broken: str


AWAITED: Final = 0b0110
"""Signals 1 and 2 have the name that every waiting step waits for; 3 has another."""


def bit(signal: int) -> int:
    """A set of one signal."""
    return 1 << signal if NOTHING < signal < TIMER else 0
