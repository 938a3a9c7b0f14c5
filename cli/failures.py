"""How a command ends when it cannot do what it was asked: exit codes, and an error that knows the next thing to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DONE: Final = 0
"""It was done."""
FAILED: Final = 1
"""What was looked at has failed: the run that was waited for, a definition, a check."""
USAGE: Final = 2
"""The command line cannot be understood, or something that it needs is missing on this machine."""
NOT_FOUND: Final = 3
"""There is no such run or workflow."""
REFUSED: Final = 4
"""The service said no: any other answer of 400 to 499."""
UNREACHABLE: Final = 5
"""The service does not answer, answers 500 or more, or is no Refluxo at all."""
INTERRUPTED: Final = 130
"""Ctrl-C; 128 and the number of the signal, as shells count."""

MEANINGS: Final[Mapping[int, str]] = {
    DONE: "done",
    FAILED: "what was looked at failed: the run waited for or watched, a definition, a health check",
    USAGE: "the command line cannot be understood, or something it needs is missing on this machine",
    NOT_FOUND: "there is no such run or workflow (404)",
    REFUSED: "the service refused: credentials, a conflict, a bad value (any other 4xx)",
    UNREACHABLE: "the service does not answer, is not well (5xx), or is no Refluxo",
    INTERRUPTED: "interrupted with Ctrl-C",
}


class CommandError(Exception):
    """A command cannot do what it was asked.

    Args:
        message: what is wrong, in words.
        exit_code: what the command exits with.
        advice: what to do next, if that is known.
        problem: the service's problem document, if it sent one.
    """

    def __init__(
        self,
        message: str,
        exit_code: int,
        *,
        advice: str | None = None,
        problem: Mapping[str, object] | None = None,
    ) -> None:
        self.exit_code = exit_code
        self.advice = advice
        self.problem = problem
        super().__init__(message)

    def faults(self) -> list[str]:
        """Each bad field that the problem document names, with its path, unless the message has said so."""
        errors = (self.problem or {}).get("errors")
        found = [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
        told = [f"{error.get('path')}: {error.get('message')}" for error in found]
        return [fault for fault in told if fault not in str(self)]

    def document(self) -> Mapping[str, object]:
        """The error as a problem document (RFC 9457), the service's own if there is one."""
        problem = {"type": "about:blank", "title": "Command failed", "detail": str(self), **(self.problem or {})}
        return problem if self.advice is None else {**problem, "advice": self.advice}
