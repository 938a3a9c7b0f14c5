"""What JSON can hold, and where a value stops being it.

Values enter a snapshot only through :func:`checked_copy`. It refuses to repair: a value that JSON cannot hold
is an error with its path, never a silent conversion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from engine.errors import InvalidOutput
from engine.limits import INTEGER_BITS_MAX, JSON_DEPTH_MAX

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


class Deferred(Protocol):
    """A JSON value that is kept elsewhere and read when it is asked for: a large input, say."""

    def read(self) -> JsonValue:
        """The value. Raises whatever the place it is kept in raises."""
        ...


def read_value(value: JsonValue | Deferred) -> JsonValue:
    """The value itself, read if it is kept elsewhere."""
    if value is None or isinstance(value, str | int | float | dict | list):
        return value
    return value.read()


SCALARS: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that hold no others."""


class _NotJson(Exception):
    """Where a value stops being JSON; the path is put together on the way out, so that good values do not pay."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.parts: list[str] = []
        super().__init__(message)


def checked_copy(value: object, path: str = "$") -> JsonValue:
    """Returns a deep copy of ``value`` made of plain JSON types.

    Tuples become lists. Everything else that is not JSON raises.

    Raises:
        InvalidOutput: the path of the first part that JSON cannot hold, and why.
    """
    try:
        return _copy(value, 0)
    except _NotJson as fault:
        raise InvalidOutput(f"{path}{''.join(reversed(fault.parts))}: {fault.message}") from None


def copy_json(value: JsonValue) -> JsonValue:
    """Returns a deep copy of what is already known to be JSON; several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value


def _copy(value: object, depth: int) -> JsonValue:
    if type(value) in SCALARS:
        return _checked_scalar(value)
    # The builtin types first: asking an abstract class costs ten times as much.
    if isinstance(value, dict):
        return _copied_items(value, depth)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return _copied_list(value, depth)
    if isinstance(value, Mapping):
        return _copied_items(value, depth)
    return _checked_scalar(value)


def _checked_scalar(value: object) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # Not str(value): an enum of texts would give its member's name.
        return _checked_text(str.__str__(value))
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS_MAX:
            raise _NotJson(f"an integer of {value.bit_length()} bits; the most is {INTEGER_BITS_MAX}")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _NotJson(f"{value} is not JSON; use null or a string")
        return float(value)
    kind = type(value).__name__
    if isinstance(value, tuple):
        raise _NotJson(f"{kind} is a named tuple, whose names JSON would lose; return value._asdict()")
    raise _NotJson(f"{kind} is not JSON; return text, numbers, lists and objects, or a pydantic model")


def _copied_items(value: Mapping[object, object], depth: int) -> JsonObject:
    if depth >= JSON_DEPTH_MAX:
        raise _NotJson(f"nested deeper than {JSON_DEPTH_MAX} levels")
    copied: JsonObject = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _NotJson(f"the key {key!r} is a {type(key).__name__}; JSON keys are strings")
        try:
            name = key if type(key) is str and key.isascii() else _checked_text(str.__str__(key))
            copied[name] = _checked_scalar(item) if type(item) in SCALARS else _copy(item, depth + 1)
        except _NotJson as fault:
            fault.parts.append(f".{key}")
            raise
    return copied


def _copied_list(value: Sequence[object], depth: int) -> list[JsonValue]:
    if depth >= JSON_DEPTH_MAX:
        raise _NotJson(f"nested deeper than {JSON_DEPTH_MAX} levels")
    copied: list[JsonValue] = []
    for index, item in enumerate(value):
        try:
            copied.append(_copy(item, depth + 1))
        except _NotJson as fault:
            fault.parts.append(f"[{index}]")
            raise
    return copied


def _checked_text(text: str) -> str:
    # A lone surrogate has no UTF-8 form: it could be neither stored nor sent.
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _NotJson(f"a lone surrogate at {error.start}, which no JSON document can carry") from None
    return text
