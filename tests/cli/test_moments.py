"""Times as people read them."""

from __future__ import annotations

import pytest

from cli.moments import clock, length, moment

NOW_MS = 1_767_225_600_000 + 12 * 3_600_000


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (-5, "0 ms"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1500, "1.5 s"),
        (59_000, "59 s"),
        (119_000, "119 s"),
        (120_000, "2 min"),
        (7_100_000, "118 min"),
        (7_200_000, "2 h"),
        (86_400_000, "24 h"),
        (30 * 86_400_000, "30 d"),
    ],
)
def test_a_length_is_told_in_its_largest_unit(ms: int, told: str) -> None:
    """One unit is enough."""
    assert length(ms) == told


def test_a_moment_is_told_both_ways() -> None:
    """How far off, and by the clock."""
    assert moment(NOW_MS + 2000, NOW_MS).startswith("in 2.0 s (")
    assert moment(NOW_MS - 180_000, NOW_MS).startswith("3 min ago (")


def test_another_day_is_told_with_its_date() -> None:
    """Also tomorrow, at this time."""
    assert clock(NOW_MS, NOW_MS).count(":") == 2
    assert clock(NOW_MS + 86_400_000, NOW_MS).count("-") == 2


def test_a_moment_that_no_calendar_has_is_no_failure() -> None:
    """Whatever a document holds."""
    assert clock(10**18, NOW_MS) == "at an unknown time"
