"""Virtual time: one integer that everybody reads, each through a clock of their own that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(slots=True)
class VirtualClock:
    """The true time, epoch milliseconds. It only goes forward, and only when it is told to."""

    now_ms: int

    def pass_by(self, ms: int) -> None:
        """Lets time pass."""
        self.now_ms += ms

    def pass_until(self, moment_ms: int) -> None:
        """Lets time pass until a moment, if that is still ahead."""
        self.now_ms = max(self.now_ms, moment_ms)


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """The time as one process sees it: off by a constant."""

    true: VirtualClock
    skew_ms: int = 0

    def __call__(self) -> int:
        """Epoch milliseconds."""
        return self.true.now_ms + self.skew_ms
