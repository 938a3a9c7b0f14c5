"""The shell's defaults for time, ids and randomness: the only file here that reads any of them."""

from __future__ import annotations

import random
import time
import uuid

from dispatcher.limits import CONFLICT_PAUSE_MS


def now_ms() -> int:
    """Wall clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """An id nobody else has: a random UUID as 32 hexadecimal digits."""
    return uuid.uuid4().hex


def pause_after_conflict(tries: int) -> None:
    """Waits a little before a write that met a transaction under way is tried again; ``tries`` so far."""
    time.sleep(random.uniform(0, CONFLICT_PAUSE_MS * 2 ** (tries - 1)) / 1000)  # noqa: S311  (jitter)


def pause_ms(ms: int) -> None:
    """Lets time pass, for a caller who waits for a run."""
    time.sleep(ms / 1000)


def new_rng() -> random.Random:
    """A generator seeded by the operating system."""
    return random.Random()  # noqa: S311  (jitter, not secrets)
