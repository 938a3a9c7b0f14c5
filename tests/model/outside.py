"""What acts on a run besides its deliveries: callers of the front door, operators, and the sweep."""

from __future__ import annotations

from typing import Final

from tests.model.delivery import Action, sent
from tests.model.program import SIGNALLED, Setting
from tests.model.rules import Rules
from tests.model.state import (
    ABSENT,
    ACTIVE,
    AWAITED,
    CALL_NAMES,
    CONTINUATION,
    ENDED,
    GRACE,
    GRACE_MAX,
    HOLD,
    NEVER,
    OUTSIDE,
    PAUSED,
    PAYLOAD,
    PERIOD,
    RESUME,
    START,
    WAKE,
    Call,
    Head,
    Look,
    Msg,
    State,
    bit,
)

EXECUTIONS_PER_SIGNAL: Final = 1
"""A signal that meets the pausing step is announced twice: by its caller, and by the worker that finds it."""

EXECUTIONS_PER_RESUME: Final = 2
"""A message from before the hold may still be there, and the sweep may have sent one for a far timer."""

# --- the front door ------------------------------------------------------------------------------------------


def begin(setting: Setting, s: State, what: int) -> Action | None:
    """Somebody calls: the head is read. None when the call comes to nothing."""
    head = s.head
    to_come = list(s.to_come)
    to_come.remove(what)
    s = s._replace(to_come=tuple(to_come))
    if what == START:
        return "a caller asks for a start", s._replace(calls=with_call(s, Call(START, "write")))
    if head.status == ABSENT or head.status >= ENDED or (what == RESUME and not head.hold):
        return None
    if what == HOLD:
        return "an operator holds the run", _counted(setting, s._replace(head=head._replace(hold=True)))
    late = head.status == PAUSED and head.due <= 0
    call = Call(what, "write", head.mark, head.nudge, late)
    who = "an operator" if what == RESUME else "a caller"
    return f"{who} begins {CALL_NAMES[what]}", s._replace(calls=with_call(s, call))


def with_call(s: State, call: Call) -> tuple[Call, ...]:
    """The calls under way and one more, sorted."""
    return tuple(sorted((*s.calls, call)))


def proceed(setting: Setting, s: State, call: Call) -> Action:
    """The next action of a call: its write, or its message."""
    calls = list(s.calls)
    calls.remove(call)
    s = s._replace(calls=tuple(calls))
    name = CALL_NAMES[call.what]
    if call.next_call == "send":
        return f"{name} sends its message", sent(s, message_of(setting, call))
    if call.what == START:
        mark = OUTSIDE if setting.rules.sweep else NEVER
        s = s._replace(head=Head(status=ACTIVE, mark=mark))
        return f"{name} writes the head", s._replace(calls=with_call(s, Call(START, "send")))
    if s.head.status >= ENDED:
        return f"{name} is refused, the run has ended", s
    if call.what == RESUME:
        s = s._replace(
            head=_marked(setting, s.head, call)._replace(hold=False), allowance=s.allowance + EXECUTIONS_PER_RESUME
        )
        s = _counted(setting, s)
        following = Call(RESUME, "send", version=s.head.version)
        return f"{name} removes the hold", s._replace(calls=with_call(s, following))
    return _signal(setting, s, call, name)


def message_of(setting: Setting, call: Call) -> Msg:
    """What a call sends once it has written."""
    if call.what in {START, RESUME}:
        return Msg(CONTINUATION, call.version, 0, 0)
    return Msg(WAKE, 0, 0, 0) if setting.rules.inbox else Msg(PAYLOAD, call.what, 0, 0)


def _signal(setting: Setting, s: State, call: Call, name: str) -> Action:
    rules, signal = setting.rules, bit(call.what)
    following = s._replace(calls=with_call(s, Call(call.what, "send")), allowance=s.allowance + EXECUTIONS_PER_SIGNAL)
    if s.accepted & signal and rules.signal_dedupe:
        return f"{name} is known already", following
    following = following._replace(accepted=s.accepted | signal)
    if not rules.inbox:
        return f"{name} is accepted", following
    late = call.late and s.head.status == PAUSED and s.head.due <= 0
    if rules.signal_marks:
        following = _counted(setting, following)
    return f"{name} is written to the inbox", following._replace(
        inbox=s.inbox | signal,
        late=s.late | (signal if late else 0),
        head=_marked(setting, s.head, call) if rules.signal_marks else s.head,
    )


def _marked(setting: Setting, head: Head, call: Call) -> Head:
    """Sets the mark: never later than it was read, and a little earlier than that, so that it is another."""
    rules = setting.rules
    if not rules.sweep:
        return head
    mark, nudge = _mark_of(rules, call.mark, call.nudge)
    return head._replace(mark=mark, nudge=nudge, grace=0)


def _counted(setting: Setting, s: State) -> State:
    """The head counts a call in its write: a sweep that has read it before finds it changed, and leaves it."""
    if setting.rules.removal_needs != "version, mark and calls":
        return s
    return s._replace(looks=tuple(look for look in s.looks if look.next_call == "send"))


def _mark_of(rules: Rules, mark: int, nudge: int) -> tuple[int, int]:
    return (OUTSIDE, 0) if mark > OUTSIDE else (mark, nudge + (rules.calls_lower_mark != "not below"))


# --- the sweep -----------------------------------------------------------------------------------------------


def look_at(setting: Setting, s: State) -> Look | None:
    """What the sweep decides when it reads the run now; None when it leaves the run alone."""
    head = s.head
    if not setting.rules.sweep or head.mark > PERIOD:
        return None
    unread = 0
    if head.status == PAUSED and setting.program[head.at].kind in SIGNALLED:
        unread = s.inbox & AWAITED & ~head.takes
    at_rest = head.status >= ENDED or head.hold or (head.status == PAUSED and head.due == NEVER)
    if at_rest and (head.status != PAUSED or head.hold or not unread or not setting.rules.sweep_reads_inbox):
        return _moves(head, NEVER, 0)
    if head.due == NEVER or head.mark > head.due or unread:
        return _lateness(setting, head)
    if head.due > PERIOD:
        return _moves(head, head.due, 0)
    if not head.far:
        # Within the queue's reach when it was set: a message is on its way, and only its loss matters.
        return _moves(head, max(head.due, 0) + GRACE, GRACE)
    return _sends(setting, head, max(head.due, 0) + GRACE, GRACE, max(head.due, 0))


def _lateness(setting: Setting, head: Head) -> Look | None:
    """The run should go on by a message of its own: gives it the grace, then counts the message as lost."""
    if head.mark > 0:
        return None
    if head.grace == 0 and setting.rules.grace and head.mark + GRACE > 0:
        return _moves(head, head.mark + GRACE, GRACE)
    grace = min(2 * head.grace, GRACE_MAX) if head.grace else GRACE
    return _sends(setting, head, grace, grace, 0)


def _moves(head: Head, mark: int, grace: int) -> Look:
    return Look("move", head.version, head.mark, head.nudge, mark, grace, ())


def _sends(setting: Setting, head: Head, mark: int, grace: int, delay: int) -> Look:
    look = _moves(head, mark, grace) if setting.rules.mark_before_send else _moves(head, NEVER, 0)
    return look._replace(sends=(Msg(CONTINUATION, head.version, delay, 0),))


def sweep_on(setting: Setting, s: State, look: Look) -> Action:
    """The next call of a sweep that has read the run: it moves the mark, or sends."""
    s = s._replace(looks=tuple(other for other in s.looks if other is not look))
    if look.next_call == "send":
        msg = look.sends[0]
        return f"the sweep sends version {msg.version}", sent(s, msg)
    head = s.head
    unchanged = head.version == look.version
    if look.new_mark != NEVER or setting.rules.removal_needs != "version":
        unchanged = unchanged and (head.mark, head.nudge) == (look.mark, look.nudge)
    if not unchanged:
        return "the sweep finds the run changed, leaves it", s
    s = s._replace(head=head._replace(mark=look.new_mark, nudge=0, grace=look.new_grace))
    label = "the sweep removes the mark" if look.new_mark == NEVER else f"the sweep moves the mark to {look.new_mark}"
    if look.sends:
        s = s._replace(looks=(*s.looks, look._replace(next_call="send", mark=0, nudge=0, new_mark=0, new_grace=0)))
    return label, s
