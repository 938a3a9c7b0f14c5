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
    """A moment by the local clock; with its date when that is not within a day of now."""
    try:
        moment = datetime.fromtimestamp(at_ms / 1000).astimezone()
    except (OverflowError, OSError, ValueError):
        return "at an unknown time"
    near = abs(at_ms - now_ms) < _DAY_SECONDS * 1000
    return f"{moment:%H:%M:%S}" if near else f"{moment:%Y-%m-%d %H:%M}"


def moment(at_ms: int, now_ms: int) -> str:
    """A moment both ways: ``3 min ago (14:02:11)``, ``in 2.0 s (14:05:13)``."""
    distance = at_ms - now_ms
    relative = f"in {length(distance)}" if distance > 0 else f"{length(-distance)} ago"
    return f"{relative} ({clock(at_ms, now_ms)})"
