"""What settings may hold that are a choice from a list, or a list in one line of text."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

LOG_RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365)
"""What CloudWatch Logs takes (PutRetentionPolicy), up to a year."""

PLUGINS: Final = ("logger", "metrics", "tracer")
"""Those that ship with the dispatcher."""

# Scheme, host and port, and nothing behind them: a browser sends no path in the header Origin.
_ORIGIN: Final = re.compile(r"https?://[^\s/,*]+")


def parts(text: str) -> tuple[str, ...]:
    """What stands between the commas."""
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)


def is_log_retention(days: int) -> int:
    """The number of days.

    Raises:
        ValueError: CloudWatch Logs does not take it.
    """
    if days not in LOG_RETENTION_DAYS:
        raise ValueError("not a number of days that CloudWatch Logs takes")
    return days


def plugin_names(text: str) -> str:
    """The list, spelled one way.

    Raises:
        ValueError: a name is that of no plugin.
    """
    unknown = set(parts(text)) - set(PLUGINS)
    if unknown:
        raise ValueError(f"there is no plugin {sorted(unknown)}")
    return ",".join(parts(text))


def origins(text: str) -> str:
    """The list, spelled one way.

    Raises:
        ValueError: one is no origin, or ``*`` is not alone.
    """
    found = parts(text)
    if found != ("*",) and not all(_ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError("not all of them are origins")
    return ",".join(found)


def words(text: str) -> str:
    """The list, spelled one way.

    Raises:
        ValueError: there is a space in one.
    """
    if any(character.isspace() for part in parts(text) for character in part):
        raise ValueError("there is a space in one of them")
    return ",".join(parts(text))


def networks(text: str) -> str:
    """The list, spelled one way.

    Raises:
        ValueError: one is no network in CIDR notation, or has bits behind its prefix.
    """
    return ",".join(str(ip_network(part)) for part in parts(text))
