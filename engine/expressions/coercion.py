"""JavaScript's conversions over JSON values: what is true, a number, a text, and equal to what.

A value is undefined, or what JSON holds, or a ``Mapping`` or ``Sequence`` that stands for an object or a list.
Anything else Python has is opaque: true, equal to itself, without properties. Nothing here calls a method of a
value that is not one of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeGuard

from engine.expressions.lexer import WHITESPACE
from engine.limits import (
    EXPRESSION_RESULT_CHARACTERS_MAX,
    INTEGER_BITS_MAX,
    INTEGER_DIGITS_MAX,
    JSON_DEPTH_MAX,
)

if TYPE_CHECKING:
    from engine.expressions.scope import Scope


class Undefined:
    """The type of :data:`UNDEFINED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()
"""What a missing property is. It differs from null in arithmetic and becomes null in a result."""

BLANK: Final = WHITESPACE.replace("\u2000-\u200a", "".join(map(chr, range(0x2000, 0x200B))))
"""Every character JavaScript calls white space."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_OBJECT_TEXT = "[object Object]"
_POINT_MAX, _POINT_MIN = 21, -6  # ECMA-262, Number::toString: outside of these an exponent is written


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Tells whether ``value`` is a list to an expression: any sequence that is not text or bytes."""
    if type(value) is list:
        return True
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)


def is_object(value: object) -> TypeGuard[Mapping[object, object]]:
    """Tells whether ``value`` is an object to an expression."""
    return type(value) is dict or isinstance(value, Mapping)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tells whether ``value`` is a number, which a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_true(value: object) -> bool:
    """Tells whether ``value`` counts as true: all but undefined, null, false, 0, NaN and the empty text."""
    if value is True:
        return True
    if value is False or value is None or value is UNDEFINED:
        return False
    if isinstance(value, str):
        return len(value) > 0
    if isinstance(value, int | float):
        return value != 0 and value == value  # noqa: PLR0124 - NaN alone differs from itself
    return True


def to_number(value: object, scope: Scope) -> int | float:
    """Converts as JavaScript's ``Number(value)`` does; an integer stays exact, whatever its size."""
    if type(value) is int:
        return value
    if isinstance(value, int | float):
        return +value  # a plain number, also of a boolean
    if value is None:
        return 0
    if isinstance(value, str):
        return _parsed_number(value, scope)
    if is_list(value):
        return _parsed_number(to_text(value, scope), scope)
    return math.nan


def to_primitive(value: object, scope: Scope) -> object:
    """Converts a list or an object to text, as operators do; anything else is returned as it is."""
    if value is None or value is UNDEFINED or isinstance(value, str | int | float):
        return value
    return to_text(value, scope)


def to_text(value: object, scope: Scope, depth: int = 0) -> str:
    """Converts as JavaScript's ``String(value)`` does: ``1,2`` for a list, ``[object Object]`` for an object.

    Raises:
        ExpressionBudgetExceeded: the text would be too long, or a list too deep.
    """
    if isinstance(value, str):
        return str(value)
    if value is None or value is UNDEFINED:
        return "null" if value is None else "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value, scope)
    if not is_list(value):
        return _OBJECT_TEXT
    if depth >= JSON_DEPTH_MAX:
        raise scope.exhausted(f"a list nested deeper than {JSON_DEPTH_MAX} levels")
    return joined(value, ",", scope, depth + 1)


def joined(items: Sequence[object], separator: str, scope: Scope, depth: int = 0) -> str:
    """Joins as JavaScript's ``items.join(separator)`` does: null and undefined are empty."""
    scope.spend(len(items))
    parts: list[str] = []
    characters = 0
    for item in items:
        part = "" if item is None or item is UNDEFINED else to_text(item, scope, depth)
        characters += len(part) + (len(separator) if parts else 0)
        parts.append(part)
        if characters > EXPRESSION_RESULT_CHARACTERS_MAX:
            break
    scope.reserve_text(characters)
    return separator.join(parts)


def number_text(value: float, scope: Scope) -> str:
    """Prints a number as JavaScript does (``0.1``, ``1e-7``, ``1e+21``); an integer with all its digits.

    Raises:
        ExpressionBudgetExceeded: the integer has more than INTEGER_BITS_MAX bits.
    """
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS_MAX:
            raise scope.exhausted(f"an integer of more than {INTEGER_BITS_MAX} bits")
        return str(int(value))
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or 0)
    return ("-" if value < 0 else "") + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    # ``digits`` have their decimal point after the first ``point`` of them.
    if _POINT_MIN < point <= 0:
        return "0." + "0" * -point + digits
    if 0 < point <= _POINT_MAX:
        whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
        return f"{whole}.{fraction}" if fraction else whole
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{point - 1:+d}"


def _parsed_number(text: str, scope: Scope) -> int | float:
    scope.spend_on_text(text)
    text = text.strip(BLANK)
    if not text:
        return 0
    if _INTEGER.fullmatch(text) and len(text) <= INTEGER_DIGITS_MAX:
        return int(text) or (-0.0 if text.startswith("-") else 0)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _RADIX.fullmatch(text) and len(text) <= INTEGER_DIGITS_MAX:
        return int(text, 0)
    if text in ("Infinity", "+Infinity", "-Infinity"):
        return float(text)
    return math.nan
