"""The dispatcher: one delivery of one message, cut at each call of a port.

What lies between two calls is one action, since nobody else can see it. Three pairs of calls are one action too,
for nothing that happens between the two makes a difference: receiving a message and reading the head, which a later
receipt would have been; reading the head and the inbox, for what changes the one in between fails the commit and what
comes to the other is only newer; removing an item that the head names as taken and the call after it, for every
reader disregards such an item.
"""

from __future__ import annotations

from typing import Final

from tests.model.program import SIGNALLED, Setting, after_step, failed
from tests.model.state import (
    ACTIVE,
    AWAITED,
    CLAIM,
    CONTINUATION,
    ENDED,
    ERROR,
    GONE,
    LEAVE,
    MOVED_TO,
    NEAR,
    NEVER,
    NOTHING,
    PAUSED,
    PAYLOAD,
    REACH,
    SHARED,
    STATUS_NAMES,
    TIMER,
    TRIES_MAX,
    VISIBILITY,
    WAKE,
    Budget,
    Head,
    Msg,
    State,
    Worker,
    bit,
)

# The properties an action itself can break; see tests/model/__init__.py.
EXECUTED_TOO_OFTEN: Final = "a step executes once, and once more per fault"
EXECUTED_EARLY: Final = "no step executes before its time"
NO_CAUSE: Final = "no wait ends without its cause"
OVERTAKEN_BY_TIMEOUT: Final = "a signal in time wins over the timeout"
PAYLOAD_LOST: Final = "a payload stays until its step succeeds"
HISTORY_FORKED: Final = "one commit per version"
ENDED_TWICE: Final = "an ended run stays as it is"
TAKEN_TWICE: Final = "a signal is taken once"
HELD_RUN_MOVED: Final = "a held run is left alone"
ONCE_TWICE: Final = "an at-most-once step executes at most once"
FALSELY_CRASHED: Final = "only a step that has crashed counts as crashing"

_BLANK: Final = Head()

Action = tuple[str, State]


# --- what others use too -------------------------------------------------------------------------------------


def with_message(queue: tuple[Msg, ...], msg: Msg) -> tuple[Msg, ...]:
    """The queue and one message more; the order of a queue means nothing, so it is sorted."""
    return tuple(sorted((*queue, msg)))


def sent(s: State, msg: Msg, *, copies: int = 1) -> State:
    """The message is in the queue; twice when its sender repeats what was done already."""
    return s._replace(queue=tuple(sorted((*s.queue, *(msg for _ in range(copies))))))


def named(s: State, msg: Msg) -> Msg:
    """The message with an id. It gets one when it matters: for a second copy, or for a head that remembers it."""
    if msg.id:
        return msg
    used = {other.id for other in s.queue} | {worker.msg.id for worker in s.workers} | {s.head.by}
    return msg._replace(id=min(set(range(1, len(used) + 2)) - used))


def tidied(s: State) -> State:
    """Takes away ids that nobody can compare with another any more, so that worlds alike are equal."""
    by = s.head.by
    ids = [msg.id for msg in s.queue if msg.id] + [worker.msg.id for worker in s.workers if worker.msg.id]
    if by and by not in ids:
        s = s._replace(head=s.head._replace(by=0))
    alone = {number for number in ids if number != by and ids.count(number) == 1}
    if alone:
        s = s._replace(
            queue=tuple(sorted(msg._replace(id=0) if msg.id in alone else msg for msg in s.queue)),
            workers=tuple(sorted(w._replace(msg=w.msg._replace(id=0)) if w.msg.id in alone else w for w in s.workers)),
        )
    return s


def died(setting: Setting, s: State, worker: Worker) -> State:
    """The worker's process is gone; the message it had not acknowledged comes back."""
    workers = list(s.workers)
    workers.remove(worker)
    queue = s.queue
    acknowledged = worker.msg.fate == GONE or (
        not setting.rules.send_before_acknowledge and worker.next_call in {"look", "send", "acknowledge"}
    )
    if not acknowledged:
        received = min(worker.msg.received + 1, setting.received_max)
        msg = worker.msg._replace(delay=VISIBILITY, received=received, straggler=False)
        queue = with_message(queue, msg)
    return tidied(s._replace(workers=tuple(workers), queue=queue))


def acknowledged(s: State, msg: Msg) -> State:
    """The queue deletes the message, with the copies that share its fate; nobody holds it any more."""
    if msg.fate == SHARED:
        s = s._replace(
            queue=tuple(other for other in s.queue if other.id != msg.id),
            workers=tuple(
                sorted(
                    worker._replace(msg=worker.msg._replace(fate=GONE)) if worker.msg.id == msg.id else worker
                    for worker in s.workers
                )
            ),
        )
    return tidied(s)


def describe(msg: Msg) -> str:
    """A message as traces name it."""
    what = {CONTINUATION: f"version {msg.version}", WAKE: "wake", PAYLOAD: f"signal {msg.version}"}[msg.kind]
    return f"the second <{what}>" if msg.straggler else f"<{what}>"


def messages_of(setting: Setting, head: Head) -> tuple[Msg, ...]:
    """The continuation a head calls for, unless its time is the due mark's business."""
    if head.status == ACTIVE:
        return (Msg(CONTINUATION, head.version, 0, 0),)
    if head.status not in {ERROR, PAUSED} or head.due == NEVER:
        return ()
    if head.due > REACH and head.mark <= head.due and setting.rules.far_timers == "mark":
        return ()
    return (Msg(CONTINUATION, head.version, max(0, min(head.due, REACH)), 0),)


def is_spent(s: State, msg: Msg) -> bool:
    """Whether a message can only be acknowledged, whenever it comes: it is stale, and its delivery made no head."""
    return msg.kind == CONTINUATION and msg.version < s.head.version and (msg.id == 0 or msg.id != s.head.by)


def has_lost(s: State, worker: Worker) -> bool:
    """Whether a worker can do nothing more that matters: another has committed, or only a spent message is left."""
    if not is_spent(s, worker.msg):
        return False
    return worker.next_call == "acknowledge" or (
        worker.next_call in {"commit", "claim", "count"} and worker.version < s.head.version
    )


# --- gather --------------------------------------------------------------------------------------------------


def deliver(setting: Setting, s: State, index: int) -> Action:  # noqa: PLR0911 - one rule a return
    """A message is received, the head is read, and the step executes if the message may act on it."""
    msg, rules = s.queue[index], setting.rules
    s = s._replace(queue=s.queue[:index] + s.queue[index + 1 :])
    head = s.head
    name = f"{describe(msg)} is delivered"
    if head.status >= ENDED:
        return f"{name}: the run has ended, acknowledged", acknowledged(_without_taken(s), msg)
    if head.hold and rules.delivery_sees_hold:
        return f"{name}: the run is held, acknowledged", acknowledged(s, msg)
    if msg.id and msg.id == head.by:
        return f"{name}: its delivery made version {head.version}", _owing(setting, s, msg)
    if rules.versioned_messages and msg.kind == CONTINUATION and msg.version != head.version:
        if rules.stale_sends == "any":
            return f"{name}: stale, sends what version {head.version} owes", _owing(setting, s, msg)
        return f"{name}: stale, acknowledged", acknowledged(s, msg)
    if msg.kind == PAYLOAD:
        return _execute(setting, s, msg, msg.version, f"{name}: ", setting.steps_per_invocation)
    if msg.kind == WAKE and head.status != PAUSED:
        return f"{name}: nothing waits, acknowledged", acknowledged(s, msg)
    cause = _cause(setting, s)
    if cause is None:
        rest = messages_of(setting, head) if msg.kind == CONTINUATION else ()
        if not rest:
            return f"{name}: nothing to do, acknowledged", acknowledged(s, msg)
        return f"{name}: too early", _handled(s, Worker("send", msg, sends=rest))
    return _execute(setting, s, msg, cause, f"{name}: ", setting.steps_per_invocation)


def _cause(setting: Setting, s: State) -> int | None:
    """With what the step executes now; None when it must not."""
    head, rules = s.head, setting.rules
    if head.status == ACTIVE:
        return head.pending
    fired = head.due <= 0 or not rules.early_waits
    if head.status == ERROR:
        return head.pending if fired else None
    unread = s.inbox & AWAITED & ~head.takes if setting.program[head.at].kind in SIGNALLED else 0
    if fired and head.due != NEVER:
        unread &= ~s.late
        if not rules.in_time_wins:
            unread = 0
    if unread:
        return (unread & -unread).bit_length() - 1
    if fired and head.due != NEVER:
        return TIMER
    return None if rules.wait_needs_cause else NOTHING


# --- decide --------------------------------------------------------------------------------------------------


def _execute(setting: Setting, s: State, msg: Msg, cause: int, before: str, steps_left: int) -> Action:
    """Executes the head's step, or writes first what an at-most-once or a crashing step needs."""
    head, rules, kind = s.head, setting.rules, setting.program[s.head.at].kind
    worker = Worker(
        "commit", msg, head.version, head.commits, head.takes, _plan(setting, head, cause), (), steps_left - 1
    )
    gives_up = worker._replace(plan=failed(setting, head)._replace(mark=LEAVE))
    if kind == "once" and rules.claims != "none":
        if head.claim == NEVER:
            return f"{before}claims step {head.at} next", _handled(s, worker._replace(next_call="claim"))
        if head.claim > 0 and not (rules.claims == "redelivery goes on" and msg.received):
            wait = Worker("send", msg, sends=(Msg(CONTINUATION, head.version, head.claim, 0),))
            return f"{before}step {head.at} is claimed", _handled(s, wait)
        if rules.claims == "give up":
            return f"{before}the claim has run out, gives step {head.at} up", _handled(s, gives_up)
    if setting.received_max and kind != "once":
        crashed = {"tries": head.tries, "receive count": msg.received, "none": 0}[rules.crash_count] >= TRIES_MAX
        if crashed:
            broken = FALSELY_CRASHED if head.runs < TRIES_MAX else ""
            return f"{before}step {head.at} has crashed", _handled(s._replace(broken=broken), gives_up)
        if rules.crash_count == "tries" and msg.received:
            return f"{before}counts its try next", _handled(s, worker._replace(next_call="count"))
    return f"{before}executes step {head.at}{_why(cause)}", _executing(setting, s, worker, cause)


def _executing(setting: Setting, s: State, worker: Worker, cause: int) -> State:
    """The node's code runs: what it does to the world is done when this action is over."""
    head = s.head
    broken = _broken_by_executing(setting, s, cause)
    allowance = s.allowance - (head.runs > 0)
    if allowance < 0 and not broken:
        broken = EXECUTED_TOO_OFTEN
    s = s._replace(
        head=head._replace(runs=min(head.runs + 1, TRIES_MAX + 1)),
        allowance=max(allowance, 0),
        broken=s.broken or broken,
    )
    s = s._replace(taken=s.taken | bit(cause)) if not setting.rules.inbox else s
    if setting.program[head.at].kind == "deadly":
        # Its death accounts for one more execution, as any crash does.
        s = s._replace(workers=(*s.workers, worker), allowance=s.allowance + 1)
        return died(setting, s, worker)
    if setting.rules.taking == "removed before" and worker.plan.takes:
        worker = worker._replace(next_call="remove", drops=worker.plan.takes)
    elif not setting.rules.commit_before_send:
        sends = messages_of(setting, worker.plan)
        worker = worker._replace(next_call="send" if sends else "commit", sends=sends)
    else:
        worker = worker._replace(next_call="commit")
    return _handled(s, worker)


def _broken_by_executing(setting: Setting, s: State, cause: int) -> str:  # noqa: PLR0911 - one property a return
    head, kind = s.head, setting.program[s.head.at].kind
    if head.hold:
        return HELD_RUN_MOVED
    if kind == "once" and head.runs:
        return ONCE_TWICE
    if 0 < head.due != NEVER and (head.status == ERROR or cause == TIMER):
        return EXECUTED_EARLY
    if head.status == PAUSED and cause == NOTHING:
        return NO_CAUSE
    if cause == TIMER and kind in SIGNALLED and s.inbox & AWAITED & ~s.late & ~head.takes & ~s.taken:
        return OVERTAKEN_BY_TIMEOUT
    if kind == "reply" and head.attempt and cause == NOTHING:
        return PAYLOAD_LOST
    return ""


def _plan(setting: Setting, head: Head, cause: int) -> Head:
    """The head to commit; its mark is LEAVE where the commit leaves the mark alone."""
    plan = after_step(setting, head, cause)
    takes = bit(cause) if head.pending == NOTHING and setting.rules.inbox else 0
    return plan._replace(takes=takes, mark=_mark_after(setting, head.mark, plan))


def _mark_after(setting: Setting, mark: int, plan: Head) -> int:
    if not setting.rules.sweep:
        return LEAVE
    if plan.status == ACTIVE:
        return MOVED_TO if mark < NEAR or mark == NEVER else LEAVE
    if plan.status >= ENDED:
        return LEAVE
    if plan.far and plan.due < mark:
        return plan.due
    return MOVED_TO if mark == NEVER else LEAVE


def _why(cause: int) -> str:
    if cause == TIMER:
        return " (its timer fired)"
    return f" (takes signal {cause})" if cause != NOTHING else ""


# --- apply ---------------------------------------------------------------------------------------------------


def work(setting: Setting, s: State, worker: Worker) -> Action:  # noqa: PLR0911 - one call a case
    """The next call of a worker."""
    name = f"the worker of {describe(worker.msg)}"
    rest = _without_worker(s, worker)
    match worker.next_call:
        case "claim":
            return _claim(setting, rest, worker, name)
        case "count":
            return _count(setting, rest, worker, name)
        case "commit":
            return _commit(setting, rest, worker, name)
        case "repeat":
            return _repeat(setting, rest, worker, name)
        case "remove":
            return f"{name} removes what it takes", _removed(setting, rest, worker)
        case "look":
            return _look(rest, worker, name)
        case "send":
            return _send(rest, worker, name, copies=1)
        case _:
            return f"{name} acknowledges", acknowledged(rest, worker.msg)


def write_unsure(setting: Setting, s: State, worker: Worker) -> Action | None:
    """The worker's commit or send is done, but reported as failed: the SDK repeats it. None if it does neither."""
    name = f"the worker of {describe(worker.msg)}"
    rest = _without_worker(s, worker)
    if worker.next_call == "send":
        return _send(rest, worker, name, copies=2)
    if worker.next_call != "commit" or s.head.version != worker.version:
        return None
    label, following, worker = _committed(setting, rest, worker, name)
    repeating = tidied(_handled(following, worker._replace(next_call="repeat")))
    return f"{label}, hears that it failed", repeating


def _claim(setting: Setting, s: State, worker: Worker, name: str) -> Action:
    if s.head.version != worker.version or s.head.claim != NEVER:
        return f"{name} finds step {s.head.at} claimed, acknowledges", acknowledged(s, worker.msg)
    s = s._replace(head=s.head._replace(claim=CLAIM))
    return f"{name} claims step {s.head.at} and executes it", _executing(setting, s, worker, NOTHING)


def _count(setting: Setting, s: State, worker: Worker, name: str) -> Action:
    head = s.head
    if head.version != worker.version:
        return f"{name} finds version {head.version}, acknowledges", acknowledged(s, worker.msg)
    s = s._replace(head=head._replace(tries=min(head.tries + 1, TRIES_MAX)))
    return f"{name} counts try {head.tries + 1} and executes step {head.at}", _executing(setting, s, worker, NOTHING)


def _commit(setting: Setting, s: State, worker: Worker, name: str) -> Action:
    if setting.rules.compare_and_swap and s.head.version != worker.version:
        return f"{name} cannot commit: another has, acknowledges", acknowledged(s, worker.msg)
    label, s, worker = _committed(setting, s, worker, name)
    label, s = _go_on(setting, s, worker, label)
    return label, tidied(s)


def _repeat(setting: Setting, s: State, worker: Worker, name: str) -> Action:
    # Its first try has succeeded, so a head of the next version is its own, by the writer's id.
    if setting.rules.knows_own_write and s.head.commits == worker.commits + 1:
        label, s = _go_on(setting, s, worker, f"{name} repeats its commit, knows its own write")
        return label, tidied(s)
    return f"{name} repeats its commit, takes it for another's, acknowledges", acknowledged(s, worker.msg)


def _committed(setting: Setting, s: State, worker: Worker, name: str) -> tuple[str, State, Worker]:
    head, plan = s.head, worker.plan
    if setting.rules.stale_sends == "own":
        worker = worker._replace(msg=named(s, worker.msg))
    broken = ""
    if head.commits != worker.commits:
        broken = ENDED_TWICE if head.status >= ENDED else HISTORY_FORKED
    elif plan.takes & s.taken:
        broken = TAKEN_TWICE
    mark, nudge = (head.mark, head.nudge) if plan.mark == LEAVE else (plan.mark, 0)
    named_in_head = setting.rules.taking == "named in the head"
    following = plan._replace(
        by=worker.msg.id,
        hold=head.hold,
        mark=mark,
        nudge=nudge,
        commits=head.commits + 1,
        takes=plan.takes if named_in_head else 0,
    )
    s = s._replace(
        head=following,
        inbox=s.inbox & ~worker.drops if named_in_head else s.inbox,
        late=0,
        taken=s.taken | plan.takes,
        broken=s.broken or broken,
    )
    if following.status >= ENDED:
        # Nobody changes a run that has ended: more faults would only be more worlds.
        s = s._replace(budget=Budget(), allowance=0)
    return f"{name} commits version {following.version} ({STATUS_NAMES[following.status]})", s, worker


def _go_on(setting: Setting, s: State, worker: Worker, label: str) -> Action:
    """After the commit: another step of this invocation, or what the head owes, or nothing if it is held."""
    rules, msg = setting.rules, worker.msg
    if s.head.hold and rules.commit_sees_hold:
        return f"{label}, sees the hold", _handled(s, Worker("acknowledge", msg))
    if worker.steps_left and s.head.status == ACTIVE:
        return _execute(setting, s, msg, s.head.pending, f"{label}, ", worker.steps_left)
    if not rules.commit_before_send:
        return label, _handled(s, Worker("acknowledge", msg))
    if rules.taking == "removed after" and worker.plan.takes:
        removing = Worker("remove", msg, drops=worker.plan.takes, sends=messages_of(setting, s.head))
        return label, _handled(s, removing)
    return label, _owing(setting, s, msg)


def _owing(setting: Setting, s: State, msg: Msg) -> State:
    """Somebody sets out to do what the head calls for: a function of the head alone."""
    head = s.head
    if head.status != ACTIVE:
        s = _without_taken(s)
    sends = messages_of(setting, head)
    looks = head.status == PAUSED and setting.rules.looks_after_pausing and setting.program[head.at].kind in SIGNALLED
    next_call = "look" if looks else "send" if sends else "acknowledge"
    return _handled(s, Worker(next_call, msg, sends=sends, held=head.hold))


def _look(s: State, worker: Worker, name: str) -> Action:
    if s.inbox & AWAITED & ~s.head.takes:
        worker = worker._replace(sends=(Msg(WAKE, 0, 0, 0), *worker.sends))
        return f"{name} finds a signal in the inbox", _handled(s, _sending(worker))
    return f"{name} finds the inbox empty", _handled(s, _sending(worker))


def _send(s: State, worker: Worker, name: str, *, copies: int) -> Action:
    msg = worker.sends[0]
    label = f"{name} sends {describe(msg)}"
    if msg.delay:
        label += f" for {msg.delay} ticks ahead"
    if copies > 1:
        label += ", hears that it failed and sends it again"
    broken = HELD_RUN_MOVED if worker.held and msg.kind == CONTINUATION else ""
    s = sent(s, msg, copies=copies)._replace(broken=s.broken or broken)
    return label, _handled(s, _sending(worker._replace(sends=worker.sends[1:])))


def _sending(worker: Worker) -> Worker:
    if worker.sends:
        return worker._replace(next_call="send")
    return worker._replace(next_call="acknowledge" if worker.plan == _BLANK else "commit")


def _removed(setting: Setting, s: State, worker: Worker) -> State:
    s = s._replace(inbox=s.inbox & ~worker.drops)
    if setting.rules.taking == "removed before":
        return _handled(s, worker._replace(next_call="commit"))
    return _handled(s, _sending(worker._replace(drops=0)))


def _without_taken(s: State) -> State:
    return s._replace(inbox=s.inbox & ~s.head.takes)


def _without_worker(s: State, worker: Worker) -> State:
    workers = list(s.workers)
    workers.remove(worker)
    return s._replace(workers=tuple(workers))


def _handled(s: State, worker: Worker) -> State:
    return s._replace(workers=tuple(sorted((*s.workers, worker))))
