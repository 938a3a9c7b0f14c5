"""The run's workflow: a sequence of steps, and what executing one of them comes to.

This is all the model has of an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from tests.model.rules import PROTOCOL, Rules
from tests.model.state import ACTIVE, ENDED, ERROR, FAILED, NEVER, NOTHING, PAUSED, REACH, Head

Kind = Literal["work", "flaky", "wait", "reply", "sleep", "once", "deadly"]


class Step(NamedTuple):
    """A step of the workflow.

    ``work`` succeeds. ``flaky`` fails once and is retried after ``delay``. ``wait`` waits for a signal, for ``delay``
    at most. ``reply`` waits for a signal without limit, fails once when it has it, and is retried after ``delay``.
    ``sleep`` waits for its timer alone. ``once`` must not execute twice. ``deadly`` kills its process.
    """

    kind: Kind
    delay: int = NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What does not change: the rules, the workflow, and how the function is configured.

    ``received_max``: up to where deliveries of a message are counted; 0 where nothing depends on their number.
    ``executions_per_fault``: what one fault may cost.
    ``reduced``: what cannot matter any more is done first and alone, see :func:`tests.model.world.successors`.
    """

    program: tuple[Step, ...]
    rules: Rules = PROTOCOL
    steps_per_invocation: int = 1
    received_max: int = 0
    executions_per_fault: int = 1
    reduced: bool = False


SIGNALLED: Final = frozenset({"wait", "reply"})
"""Kinds of steps that a signal can end."""


def after_step(setting: Setting, head: Head, cause: int) -> Head:
    """The head after its step was executed with what ended its wait, if anything; bookkeeping is the shell's."""
    step = setting.program[head.at]
    waits = step.kind in {"wait", "reply", "sleep"}
    if waits and cause == NOTHING and head.status != PAUSED and not (head.status == ERROR and head.attempt):
        due = NEVER if step.kind == "reply" else step.delay
        return _following(setting, head, PAUSED, due=due)
    if step.kind in {"flaky", "reply"} and head.attempt == 0:
        kept = cause if setting.rules.pending_stays else NOTHING
        return _following(setting, head, ERROR, due=step.delay, attempt=1, pending=kept)
    at = head.at + 1
    return _following(setting, head, ENDED if at == len(setting.program) else ACTIVE, at=at)


def failed(setting: Setting, head: Head) -> Head:
    """The head after its step was given up without executing it."""
    return _following(setting, head, FAILED, at=head.at)


def _following(
    setting: Setting,
    head: Head,
    status: int,
    *,
    at: int | None = None,
    due: int = NEVER,
    attempt: int = 0,
    pending: int = NOTHING,
) -> Head:
    counts = setting.rules.every_transition_counts or status not in {PAUSED, ERROR}
    return Head(
        status=status,
        version=head.version + counts,
        at=head.at if at is None else at,
        attempt=attempt,
        due=due,
        far=due != NEVER and due > REACH,
        pending=pending,
    )
