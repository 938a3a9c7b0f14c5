"""Tests of the examples in workflows/: what each does, and that faults of the platform change nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from local import LocalRunner
from local.mortal_ports import Boundary

NewRunner = Callable[..., LocalRunner]
"""What the fixture ``new_refluxo_runner`` is."""

BOUNDARIES: Final[tuple[Boundary, ...]] = ("load", "save", "send")
"""Where a process may die."""


def pair(new_runner: NewRunner, crash_after: Boundary) -> tuple[LocalRunner, LocalRunner]:
    """A runner in which nothing goes wrong, and one whose processes die and whose messages come twice."""
    return new_runner(), new_runner(crash_after=crash_after, duplicates=True)
