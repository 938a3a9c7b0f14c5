"""Ports whose caller may die right after one of their calls, as a Lambda function may."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

Boundary: TypeAlias = Literal["load", "save", "send"]
"""Where a process may die: after it has read the run, committed a step, or sent a message."""

_METHODS: Final[Mapping[Boundary, frozenset[str]]] = {
    "load": frozenset({"load"}),
    "save": frozenset({"commit"}),
    "send": frozenset({"send"}),
}


class Death(BaseException):
    """The process is gone: nobody can catch this, and nothing after it happens."""


class MortalPort:
    """A port that tells of each call once it is done. ``told`` may raise Death."""

    def __init__(self, port: object, told: Callable[[str, Sequence[object]], None]) -> None:
        self._port = port
        self._told = told

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*positional: object, **named: object) -> object:
            answer = method(*positional, **named)
            self._told(name, positional)
            return answer

        return call


def boundary_of(method: str) -> Boundary | None:
    """The boundary a method of a port is, if it is one."""
    return next((boundary for boundary, methods in _METHODS.items() if method in methods), None)
