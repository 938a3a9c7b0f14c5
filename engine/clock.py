"""The engine's defaults for time, ids and randomness: the only file here that reads any of them.

Everything else takes ``now_ms``, ids and ``rng`` as arguments, so that a test holds them all.
"""

from __future__ import annotations

import random
import time


def now_ms() -> int:
    """Wall clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_rng() -> random.Random:
    """A generator seeded by the operating system."""
    return random.Random()  # noqa: S311  (jitter, not secrets)
