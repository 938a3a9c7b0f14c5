"""Where a value leaves an expression: as JSON, or as text among other text.

Results are copies. A caller may change what it is given without changing what it came from, and the host's lazy
mappings and sequences end here.
"""

from __future__ import annotations

import math
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING

from engine.expressions.coercion import UNDEFINED, is_list, is_object, number_text
from engine.limits import EXPRESSION_RESULT_CHARACTERS_MAX, INTEGER_BITS_MAX, JSON_DEPTH_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.expressions.scope import Scope
    from engine.json_value import JsonValue

_EXACT_MAX = 2**53


def to_json(value: object, scope: Scope, depth: int = 0) -> JsonValue:
    """Returns ``value`` as plain JSON: undefined becomes null, and 5.0 becomes 5.

    Raises:
        ExpressionError: JSON cannot hold some part of it.
        ExpressionBudgetExceeded: it is nested too deep, or too large.
    """
    if value is None or value is UNDEFINED:
        return None
    if isinstance(value, str):
        return _text(value, scope)
    if isinstance(value, int):
        return value if type(value) is bool else _integer(value, scope)
    if isinstance(value, float):
        return _number(value, scope)
    if depth >= JSON_DEPTH_MAX:
        raise scope.exhausted(f"a value nested deeper than {JSON_DEPTH_MAX} levels")
    if is_object(value):
        return _object(value, scope, depth + 1)
    if is_list(value):
        scope.spend(len(value) + 1)
        return [to_json(item, scope, depth + 1) for item in value]
    raise scope.fault(f"a value of type {type(value).__name__} is not JSON")


def to_template_text(value: object, scope: Scope) -> str:
    """Returns ``value`` as it stands in text: nothing for null and undefined, JSON for lists and objects."""
    plain = to_json(value, scope)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json_text(plain, scope)


def json_text(value: JsonValue, scope: Scope) -> str:
    """Returns ``value`` as compact JSON, with numbers as JavaScript prints them.

    Raises:
        ExpressionBudgetExceeded: the text would be too long.
    """
    parts: list[str] = []
    _write(value, parts, scope)
    characters = sum(map(len, parts))
    scope.reserve_text(characters)
    return "".join(parts)


def _write(value: JsonValue, parts: list[str], scope: Scope) -> None:
    if isinstance(value, str):
        scope.reserve_text(len(value))
        parts.append(quoted(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, item in value.items():
            parts.append(f"{separator}{quoted(key)}:")
            _write(item, parts, scope)
            separator = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list):
        separator = "["
        for item in value:
            parts.append(separator)
            _write(item, parts, scope)
            separator = ","
        parts.append("]" if value else "[]")
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    else:
        parts.append(number_text(value, scope))
    if len(parts) > EXPRESSION_RESULT_CHARACTERS_MAX:
        scope.reserve_text(len(parts))


def _object(value: Mapping[object, object], scope: Scope, depth: int) -> JsonValue:
    scope.spend(len(value) + 1)
    result: dict[str, JsonValue] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise scope.fault(f"a key of type {type(key).__name__} is not JSON")
        result[_text(key, scope)] = to_json(item, scope, depth)
    return result


def _text(value: str, scope: Scope) -> str:
    scope.spend_on_text(value)
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise scope.fault("a text with half a surrogate pair is not JSON") from None
    return str(value)


def _integer(value: int, scope: Scope) -> int:
    if value.bit_length() > INTEGER_BITS_MAX:
        raise scope.exhausted(f"an integer of more than {INTEGER_BITS_MAX} bits")
    return int(value)


def _number(value: float, scope: Scope) -> int | float:
    if not math.isfinite(value):
        raise scope.fault(f"the result {number_text(value, scope)} is not JSON")
    if value.is_integer() and -_EXACT_MAX <= value <= _EXACT_MAX:
        return int(value)
    return float(value)
