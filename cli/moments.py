"""Moments and lengths of time as people read them: how far off, and by the clock on the wall."""

from __future__ import annotations

from datetime import datetime
from typing import Final

_DAY_SECONDS: Final = 86_400
_UNITS: Final = (("d", _DAY_SECONDS), ("h", 3_600), ("min", 60))


def length(ms: float) -> str:
    """A length of time in its largest unit: ``250 ms``, ``1.5 s``, ``3 min``, ``26 h``, ``4 d``."""
    if ms < 1000:  # noqa: PLR2004  (a second)
        return f"{max(round(ms), 0)} ms"
    seconds = ms / 1000
    for name, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004  (then tenths say nothing)


def clock(at_ms: int, now_ms: int) -> str:
    """A moment by the local clock; with its date when that is not today's."""
    try:
        there, here = (datetime.fromtimestamp(ms / 1000).astimezone() for ms in (at_ms, now_ms))
    except (OverflowError, OSError, ValueError):
        return "at an unknown time"
    return f"{there:%H:%M:%S}" if there.date() == here.date() else f"{there:%Y-%m-%d %H:%M}"


def moment(at_ms: int, now_ms: int) -> str:
    """A moment both ways: ``3 min ago (14:02:11)``, ``in 2.0 s (14:05:13)``."""
    distance = at_ms - now_ms
    relative = f"in {length(distance)}" if distance > 0 else f"{length(-distance)} ago"
    return f"{relative} ({clock(at_ms, now_ms)})"
