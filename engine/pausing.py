"""From what a node asks for (``Pause``) to what the snapshot keeps (``Wait``)."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.errors import InvalidOutput
from engine.json_value import checked_copy
from engine.limits import MOMENT_MS_MAX
from engine.naming import valid_name
from engine.outcome import DEFAULT_SIGNAL, Pause, Wait
from engine.step import Step


def wait_of(pause: Pause, step: Step, counts: tuple[int, ...], now_ms: int) -> Wait:
    """The wait a step asks for.

    Args:
        pause: what it returned.
        step: the execution that returned it.
        counts: failures its retry policies have answered so far.
        now_ms: epoch milliseconds; timeouts count from here.

    Raises:
        InvalidOutput: a field of the pause cannot be used; it is named.
    """
    timer_at_ms = None if pause.until is None else _moment_ms(pause.until, now_ms)
    timeout_at_ms = None if pause.timeout is None else now_ms + _duration_ms(pause.timeout, "timeout")
    ends = [moment for moment in (timer_at_ms, timeout_at_ms) if moment is not None]
    due_at_ms = min(ends, default=None)
    if due_at_ms is not None and due_at_ms > MOMENT_MS_MAX:
        raise InvalidOutput(
            "Pause: the wait would end after the year 9999; leave timeout and until out to wait for ever"
        )
    signal = _signal(pause.signal)
    if signal is None and pause.until is None:
        signal = DEFAULT_SIGNAL
    return Wait(
        signal=signal,
        due_at_ms=due_at_ms,
        by="timer" if due_at_ms is not None and due_at_ms == timer_at_ms else "timeout",
        visit=step.visit,
        attempt=step.attempt,
        resumes=step.resumes,
        heartbeat_ms=None if pause.heartbeat is None else _duration_ms(pause.heartbeat, "heartbeat"),
        counts=counts if step.attempt > 1 else (),
        data=checked_copy(pause.data, "Pause.data"),
    )


def _signal(value: object) -> str | None:
    if value is None or (isinstance(value, str) and valid_name(value)):
        return value
    raise InvalidOutput(f"Pause.signal is {value!r}; a name is 1 to 128 letters, digits or _.:@-")


def _duration_ms(value: object, field: str) -> int:
    milliseconds = round(value / timedelta(milliseconds=1)) if isinstance(value, timedelta) else value
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int) or milliseconds < 0:
        raise InvalidOutput(f"Pause.{field} is {value!r}; it must be milliseconds or a timedelta, 0 or more")
    return milliseconds


def _moment_ms(moment: object, now_ms: int) -> int:
    if isinstance(moment, timedelta):
        return now_ms + _duration_ms(moment, "until")
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise InvalidOutput("Pause.until has no time zone; use datetime.now(tz=...) or epoch milliseconds")
        return round(moment.timestamp() * 1000)
    if isinstance(moment, bool) or not isinstance(moment, int) or moment < 0:
        raise InvalidOutput(f"Pause.until is {moment!r}; it must be epoch milliseconds, a datetime or a timedelta")
    return moment
