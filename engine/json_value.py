"""What JSON can hold, and where a value stops being it.

Values enter a snapshot only through :func:`checked_copy`. It refuses to repair: a value that JSON cannot hold
is an error with its path, never a silent conversion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

from engine.errors import InvalidOutput
from engine.limits import INTEGER_BITS_MAX, JSON_DEPTH_MAX

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


def checked_copy(value: object, path: str = "$") -> JsonValue:
    """Returns a deep copy of ``value`` made of plain JSON types.

    Tuples become lists. Everything else that is not JSON raises.

    Raises:
        InvalidOutput: the path of the first part that JSON cannot hold, and why.
    """
    return _copy(value, path, 0)


def copy_json(value: JsonValue) -> JsonValue:
    """Returns a deep copy of what is already known to be JSON; several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value


def _copy(value: object, path: str, depth: int) -> JsonValue:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _checked_text(str(value), path)
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS_MAX:
            raise InvalidOutput(f"{path}: an integer of {value.bit_length()} bits; the most is {INTEGER_BITS_MAX}")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidOutput(f"{path}: {value} is not JSON; use null or a string")
        return float(value)
    if depth >= JSON_DEPTH_MAX:
        raise InvalidOutput(f"{path}: nested deeper than {JSON_DEPTH_MAX} levels")
    if isinstance(value, Mapping):
        return {_key(key, path): _copy(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise InvalidOutput(
        f"{path}: {type(value).__name__} is not JSON; return text, numbers, lists and objects, or a pydantic model"
    )


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise InvalidOutput(f"{path}: the key {key!r} is a {type(key).__name__}; JSON keys are strings")
    return _checked_text(str(key), path)


def _checked_text(text: str, path: str) -> str:
    # A lone surrogate has no UTF-8 form: it could be neither stored nor sent.
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidOutput(f"{path}: a lone surrogate at {error.start}, which no JSON document can carry") from None
    return text
