"""Built-in transforms that take or give numbers, and ``default``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.expressions.coercion import UNDEFINED, is_list, to_number
from engine.expressions.transforms import kind_of

if TYPE_CHECKING:
    from engine.expressions.transforms import TransformCall

_EXACT_MAX = 2**53
_DIGITS_MAX = 15


def absolute(call: TransformCall, value: object) -> float:
    """The number without its sign."""
    return abs(call.number(value))


def ceil(call: TransformCall, value: object) -> float:
    """The next whole number up."""
    number = call.number(value)
    return math.ceil(number) if abs(number) < _EXACT_MAX else number


def floor(call: TransformCall, value: object) -> float:
    """The next whole number down."""
    number = call.number(value)
    return math.floor(number) if abs(number) < _EXACT_MAX else number


def rounded(call: TransformCall, value: object, digits: object = 0) -> float:
    """The number to that many digits after the point; halves go up, as in JavaScript."""
    number = call.number(value)
    scale = int(10 ** call.integer(digits, 0, _DIGITS_MAX))
    if isinstance(number, int) or not abs(number) * scale < _EXACT_MAX:
        return number
    scaled = number * scale
    below = math.floor(scaled)
    whole = below + 1 if scaled - below >= 0.5 else below  # noqa: PLR2004 - a half
    return whole if scale == 1 else whole / scale


def smallest(call: TransformCall, value: object, *others: object) -> object:
    """The smallest number of a list, or of the value and the arguments; null for an empty list."""
    return min(_numbers(call, value, others), default=UNDEFINED)


def largest(call: TransformCall, value: object, *others: object) -> object:
    """The largest number of a list, or of the value and the arguments; null for an empty list."""
    return max(_numbers(call, value, others), default=UNDEFINED)


def number(call: TransformCall, value: object) -> float:
    """The number that a text spells, or 1 and 0 for true and false."""
    if not isinstance(value, str | int | float):
        raise call.fault(f"expected text, a number or a boolean, found {kind_of(value)}")
    result = to_number(value, call.scope)
    if math.isnan(result) or (isinstance(value, str) and not value.strip()):
        raise call.fault("expected text that spells a number")
    return result


def default(_call: TransformCall, value: object, fallback: object) -> object:
    """The value, or ``fallback`` where it is null or missing."""
    return fallback if value is None or value is UNDEFINED else value


def _numbers(call: TransformCall, value: object, others: tuple[object, ...]) -> list[float]:
    items = [*call.items(value), *others] if is_list(value) else [value, *others]
    numbers = [call.number(item) for item in items]
    if any(map(math.isnan, numbers)):
        raise call.fault("NaN has no order")
    return numbers
