"""Everything that can happen next: the actions of all who act, the passing of time, and the faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.model.delivery import (
    Action,
    deliver,
    describe,
    died,
    has_lost,
    is_spent,
    named,
    sent,
    tidied,
    with_message,
    work,
    write_unsure,
)
from tests.model.outside import begin, look_at, message_of, proceed, sweep_on
from tests.model.program import Setting
from tests.model.state import (
    ABSENT,
    AWAITED,
    CALL_NAMES,
    ENDED,
    GRACE,
    LEAVE,
    NEVER,
    PAUSED,
    SHARED,
    Budget,
    Call,
    Head,
    Look,
    Msg,
    State,
    Worker,
)

OWN: Final = 0
"""An action of the system itself: when it can happen, it or another does."""
ASKED: Final = 1
"""A call from outside, which may never come."""
FAULT: Final = 2
"""A fault, which may never happen."""


class Successor(NamedTuple):
    """Something that can happen: whose doing it is, what it is, and the world after it."""

    nature: int
    label: str
    state: State


def initial(calls: tuple[int, ...], budget: Budget) -> State:
    """The world before the run is started."""
    return State(Head(), (), (), (), (), 0, 0, 0, 0, tuple(sorted(calls)), budget, 0, "")


def is_settled(s: State) -> bool:
    """Whether the run has ended, or rests until somebody outside does something."""
    head = s.head
    if head.status == ABSENT or head.status >= ENDED or head.hold:
        return True
    return head.status == PAUSED and head.due == NEVER and not s.accepted & AWAITED & ~s.taken


def successors(setting: Setting, s: State) -> list[Successor]:
    """All that can happen next.

    In a reduced setting, what cannot matter any more happens at once and alone: a message that can only be acknowledged
    is, a worker that has lost leaves, and everything after the run's end has one order. Such an action changes nothing
    that a property or another action looks at, and there is an end to them, so every other order leads to the same
    worlds. The rules must be the protocol's for that.
    """
    if setting.reduced:
        idle = _idle_action(setting, s)
        if idle is not None:
            return [Successor(OWN, *idle)]
    own, busy = _own_actions(setting, s)
    time_matters = _time_matters(s)
    if time_matters and not busy:
        own.append(("a tick passes", _later(s)))
    found = [Successor(OWN, label, state) for label, state in own]
    for what in dict.fromkeys(s.to_come):
        asked = begin(setting, s, what)
        if asked is not None:
            found.append(Successor(ASKED, *asked))
    _add_faults(setting, s, found, slow=time_matters and busy)
    return found


def _own_actions(setting: Setting, s: State) -> tuple[list[Action], bool]:
    """What the system can do, and whether time waits for it."""
    own: list[Action] = []
    busy = bool(s.workers or s.calls or s.looks)
    previous = None
    for index, msg in enumerate(s.queue):
        if msg.delay == 0 and msg != previous:
            own.append(deliver(setting, s, index))
            busy = busy or not msg.straggler
        previous = msg
    own.extend(work(setting, s, worker) for worker in dict.fromkeys(s.workers))
    own.extend(proceed(setting, s, call) for call in dict.fromkeys(s.calls))
    if s.looks:
        own.extend(sweep_on(setting, s, look) for look in s.looks)
    else:
        look = look_at(setting, s)
        if look is not None:
            busy = True
            own.append(("the sweep reads the run", s._replace(looks=(look,))))
    return own, busy


def _idle_action(setting: Setting, s: State) -> Action | None:
    for index, msg in enumerate(s.queue):
        if msg.delay == 0 and is_spent(s, msg):
            return deliver(setting, s, index)
    for worker in s.workers:
        if has_lost(s, worker):
            return work(setting, s, worker)
    if s.head.status >= ENDED:
        own, _ = _own_actions(setting, s)
        return own[0] if own else None
    return None


# --- time ----------------------------------------------------------------------------------------------------


def _time_matters(s: State) -> bool:
    if s.head.mark != NEVER:
        return True
    straggles = False
    for msg in s.queue:
        if msg.delay:
            return True
        straggles = straggles or msg.straggler
    return straggles and (0 < s.head.due != NEVER or 0 < s.head.claim != NEVER)


def _later(s: State) -> State:
    """One tick later."""
    return s._replace(
        head=_head_later(s.head),
        queue=tuple(sorted(map(_msg_later, s.queue))),
        workers=tuple(sorted(map(_worker_later, s.workers))),
        calls=tuple(sorted(call._replace(mark=_mark_later(call.mark)) for call in s.calls)),
        looks=tuple(map(_look_later, s.looks)),
    )


def _mark_later(mark: int) -> int:
    # How long ago a mark has passed matters as far as the grace.
    return mark if mark in {NEVER, LEAVE} else max(mark - 1, -GRACE)


def _due_later(due: int) -> int:
    # One more than a mark, which is compared with it: a mark behind the due time must stay behind it.
    return due if due == NEVER else max(due - 1, -GRACE - 1)


def _head_later(head: Head) -> Head:
    claim = head.claim if head.claim in {0, NEVER} else head.claim - 1
    return head._replace(due=_due_later(head.due), mark=_mark_later(head.mark), claim=claim)


def _msg_later(msg: Msg) -> Msg:
    return msg._replace(delay=msg.delay - 1) if msg.delay else msg


def _worker_later(worker: Worker) -> Worker:
    return worker._replace(plan=_head_later(worker.plan), sends=tuple(map(_msg_later, worker.sends)))


def _look_later(look: Look) -> Look:
    return look._replace(
        mark=_mark_later(look.mark), new_mark=_mark_later(look.new_mark), sends=tuple(map(_msg_later, look.sends))
    )


# --- faults --------------------------------------------------------------------------------------------------


def _add_faults(setting: Setting, s: State, found: list[Successor], *, slow: bool) -> None:
    budget = s.budget
    s = s._replace(allowance=s.allowance + setting.executions_per_fault)
    if budget.crash:
        after = s._replace(budget=budget._replace(crash=budget.crash - 1))
        found.extend(Successor(FAULT, f"CRASH: {label}", state) for label, state in _crashes(setting, after))
    if budget.unsure:
        after = s._replace(budget=budget._replace(unsure=budget.unsure - 1))
        found.extend(Successor(FAULT, f"UNSURE: {label}", state) for label, state in _unsure(setting, after))
    _add_faults_of_the_queue(setting, s, found)
    if budget.slow and slow:
        after = s._replace(budget=budget._replace(slow=budget.slow - 1))
        found.append(Successor(FAULT, "SLOW: a tick passes all the same", _later(after)))


def _crashes(setting: Setting, s: State) -> Iterator[Action]:
    for worker in dict.fromkeys(s.workers):
        label = f"the worker of {describe(worker.msg)} dies before it could {worker.next_call}"
        yield label, died(setting, s, worker)
    for call in s.calls:
        # Before its write there is nothing to lose. Without a sweep it is the caller's to ask again.
        if call.next_call == "send" and setting.rules.sweep:
            yield f"{CALL_NAMES[call.what]} dies before it could send", _hung_up(s, call)
    if any(look.next_call == "send" for look in s.looks):
        yield "the sweep dies before it could send", s._replace(looks=())


def _unsure(setting: Setting, s: State) -> Iterator[Action]:
    for worker in dict.fromkeys(s.workers):
        unsure = write_unsure(setting, s, worker)
        if unsure is not None:
            yield unsure
    for call in s.calls:
        if call.next_call == "send":
            twice = sent(_hung_up(s, call), message_of(setting, call), copies=2)
            yield f"{CALL_NAMES[call.what]} sends its message twice", twice


def _add_faults_of_the_queue(setting: Setting, s: State, found: list[Successor]) -> None:
    budget = s.budget
    if budget.purge and s.queue:
        after = s._replace(queue=(), budget=budget._replace(purge=budget.purge - 1))
        found.append(Successor(FAULT, "PURGE: the queue is emptied", tidied(after)))
    for msg in dict.fromkeys(s.queue):
        if budget.duplicate:
            original = named(s, msg)
            others = list(s.queue)
            others.remove(msg)
            after = s._replace(budget=budget._replace(duplicate=budget.duplicate - 1))
            for fate, how in ((0, "and has to be acknowledged twice"), (SHARED, "and is acknowledged once")):
                first = original._replace(fate=fate)
                queue = tuple(sorted((*others, first, first._replace(straggler=True))))
                label = f"DUPLICATE: {describe(msg)} will be delivered twice {how}"
                found.append(Successor(FAULT, label, after._replace(queue=queue)))
        if budget.throttle and msg.delay == 0 and msg.received < setting.received_max:
            others = list(s.queue)
            others.remove(msg)
            queue = with_message(tuple(others), msg._replace(received=msg.received + 1))
            after = s._replace(queue=queue, budget=budget._replace(throttle=budget.throttle - 1))
            found.append(Successor(FAULT, f"THROTTLE: {describe(msg)} is received and returned unread", after))


def _hung_up(s: State, call: Call) -> State:
    calls = list(s.calls)
    calls.remove(call)
    return s._replace(calls=tuple(calls))
