"""Values that are hard to keep."""

from __future__ import annotations

import hashlib


def incompressible(size: int, seed: str = "") -> str:
    """Text that does not get smaller: hexadecimal digits compress to half, so there are twice as many."""
    blocks = range(-(-2 * size // 64))
    return "".join(hashlib.sha256(f"{seed}{number}".encode()).hexdigest() for number in blocks)
