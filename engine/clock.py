"""The engine's defaults for time, ids and randomness: the only file here that reads any of them.

Everything else takes ``now_ms``, ids and ``rng`` as arguments, so that a test holds them all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


def now_ms() -> int:
    """Wall clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_rng() -> random.Random:
    """A generator seeded by the operating system."""
    import random  # noqa: PLC0415  (jitter alone needs it)

    return random.Random()  # noqa: S311  (jitter, not secrets)
