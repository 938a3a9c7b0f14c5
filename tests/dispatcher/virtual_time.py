"""Time that passes only when a test says so; moto's delays and visibility follow it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Protocol

import time_machine

BEGINNING: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class _Traveller(Protocol):
    """What moves the clock."""

    def move_to(self, destination: float) -> None:
        """Sets it, in seconds."""
        ...


class VirtualTime:
    """The only clock there is. All numbers are milliseconds."""

    def __init__(self, traveller: _Traveller) -> None:
        self._traveller = traveller

    @property
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def pass_by(self, ms: int) -> None:
        """Lets time pass."""
        # A quarter of a millisecond on top: seconds are floats, and must not round to the millisecond before.
        self._traveller.move_to((self.now_ms + ms + 0.25) / 1000)


@contextmanager
def virtual_time() -> Iterator[VirtualTime]:
    """Stops the clock for a while."""
    with time_machine.travel(BEGINNING, tick=False) as traveller:
        yield VirtualTime(traveller)
