"""``refluxo smoke``: checks of a real deployment, end to end, by its HTTP API alone.

Each check plays one thing that only the real platform can get wrong, with runs of its own that are removed at the end.
Its definitions stay, for definitions cannot be removed; putting them again changes nothing.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from cli.failures import CommandError
from cli.following import versions_of
from cli.history_view import entries_of, pages
from cli.http_client import Api, ApiError, run_path, workflow_path
from cli.run_view import ENDED, error_of
from cli.smoke_definitions import ALL, CHAIN, LARGE, RETRY, RETRY_MS, ROUNDS, SIGNAL, WAIT, Definition

LARGE_BYTES: Final = 480 * 1024
"""Of random text before base64: nothing that compression could bring below an item's 400 KB."""

_LOOKS_WHILE_HELD: Final = 4

_ANSWER: Final[Mapping[str, object]] = {"by": "refluxo smoke"}


class CheckFailed(Exception):
    """The deployment did not do what it is there for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a check. ``saw``: what was seen, or what was wrong."""

    name: str
    ok: bool
    seconds: float
    saw: str


@dataclass(slots=True)
class Smoke:
    """The checks of one deployment.

    Args:
        api: the deployment.
        timeout_seconds: how long one thing may take.
        interval_seconds: time between two looks.
        keep: whether the runs stay.
    """

    api: Api
    timeout_seconds: float
    interval_seconds: float
    keep: bool = False
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    runs: list[str] = field(default_factory=list)

    def names(self) -> tuple[str, ...]:
        """The checks, in their order."""
        return tuple(name for name, _ in self._checks())

    def outcomes(self, began: Callable[[str], None] = lambda _: None) -> Iterator[Outcome]:
        """Plays each check and tells what became of it; ``began`` is told each name before.

        A service that is not there, or not well, plays no further checks.
        """
        try:
            for name, check in self._checks():
                if name == _CLEAN_UP:
                    return
                began(name)
                outcome = _played(name, check)
                yield outcome
                if name == _HEALTH and not outcome.ok:
                    return
        finally:
            # Also after Ctrl-C: nothing stays behind that was not asked for.
            began(_CLEAN_UP)
            yield_last = _played(_CLEAN_UP, self._clean_up)
            self.last = yield_last

    def _checks(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        return (
            (_HEALTH, self._health),
            ("definitions", self._definitions),
            ("chained steps", self._chain),
            ("delayed retry", self._retry),
            ("webhook", self._webhook),
            ("hold", self._hold),
            ("cancel", self._cancel),
            ("large value", self._large),
            (_CLEAN_UP, self._clean_up),
        )
