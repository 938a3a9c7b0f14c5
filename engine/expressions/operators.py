"""Jexl's operators, which are JavaScript's, over JSON values.

``+ - * // %`` of two integers give an integer, exactly, where JavaScript would round above 2**53, and so does a
``/`` that divides evenly; everything else is IEEE 754 arithmetic. What JSON cannot hold (NaN, the infinities, -0)
exists in here and is dealt with at the boundary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from engine.expressions.coercion import UNDEFINED, is_list, is_number, to_number, to_primitive, to_text
from engine.limits import INTEGER_BITS_MAX

if TYPE_CHECKING:
    from engine.expressions.scope import Scope

Operator: TypeAlias = "Callable[[object, object, Scope], object]"
"""From both operands and the evaluation to the result."""


_POWER_BITS_MAX: Final = 53
"""A power that surely fits in these bits is an exact integer; a larger one is what ``Math.pow`` gives."""


def add(left: object, right: object, scope: Scope) -> object:
    """``left + right``: a sum, or one text as soon as either side is (or converts to) text."""
    if type(left) is int and type(right) is int:
        return _bounded(left + right)
    left, right = to_primitive(left, scope), to_primitive(right, scope)
    if isinstance(left, str) or isinstance(right, str):
        left, right = to_text(left, scope), to_text(right, scope)
        scope.reserve_text(len(left) + len(right))
        return left + right
    a, b = to_number(left, scope), to_number(right, scope)
    if isinstance(a, int) and isinstance(b, int):
        return _bounded(a + b)
    return _float(a) + _float(b)


def subtract(left: object, right: object, scope: Scope) -> object:
    """``left - right``."""
    a, b = to_number(left, scope), to_number(right, scope)
    if isinstance(a, int) and isinstance(b, int):
        return _bounded(a - b)
    return _float(a) - _float(b)


def multiply(left: object, right: object, scope: Scope) -> object:
    """``left * right``."""
    a, b = to_number(left, scope), to_number(right, scope)
    if isinstance(a, int) and isinstance(b, int):
        return _bounded(a * b) if a and b else _zero(negative=a < 0 or b < 0)
    return _float(a) * _float(b)


def divide(left: object, right: object, scope: Scope) -> object:
    """``left / right``; by zero it is an infinity, or NaN."""
    return _quotient(to_number(left, scope), to_number(right, scope))


def floor_divide(left: object, right: object, scope: Scope) -> object:
    """``left // right``: the quotient, rounded down."""
    a, b = to_number(left, scope), to_number(right, scope)
    if isinstance(a, int) and isinstance(b, int) and b:
        return a // b if a else _zero(negative=b < 0)
    quotient = _quotient(a, b)
    if not math.isfinite(quotient) or quotient == 0:
        return quotient
    return float(math.floor(quotient))


def remainder(left: object, right: object, scope: Scope) -> object:
    """``left % right``, with the sign of ``left``."""
    a, b = to_number(left, scope), to_number(right, scope)
    if b == 0:
        return math.nan
    if isinstance(a, int) and isinstance(b, int):
        rest = abs(a) % abs(b)
        return (-rest if a < 0 else rest) if rest else _zero(negative=a < 0)
    dividend = _float(a)
    return math.fmod(dividend, _float(b)) if math.isfinite(dividend) else math.nan


def power(left: object, right: object, scope: Scope) -> object:
    """``left ^ right``."""
    base, exponent = to_number(left, scope), to_number(right, scope)
    if exponent == 0:
        return 1
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and exponent > 0 and int(base).bit_length() * exponent <= _POWER_BITS_MAX:
        return int(base) ** int(exponent)
    return _float_power(_float(base), _float(exponent))


def equals(left: object, right: object, scope: Scope) -> bool:
    """``left == right``, loosely: ``null == missing``, ``1 == '1'``; lists and objects only by identity."""
    if type(left) is type(right) and isinstance(left, str | int):
        return left == right
    nothing_left, nothing_right = left is None or left is UNDEFINED, right is None or right is UNDEFINED
    if nothing_left or nothing_right:
        return nothing_left and nothing_right
    scalar_left, scalar_right = isinstance(left, str | int | float), isinstance(right, str | int | float)
    if not scalar_left and not scalar_right:
        return left is right
    left, right = to_primitive(left, scope), to_primitive(right, scope)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return to_number(left, scope) == to_number(right, scope)


def differs(left: object, right: object, scope: Scope) -> bool:
    """``left != right``: the opposite of ``==``."""
    return not equals(left, right, scope)


def identical(left: object, right: object) -> bool:
    """JavaScript's ``===``: same type and same value; lists and objects only by identity."""
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if is_number(left) and is_number(right):
        return left == right
    return left is right


def less(left: object, right: object, scope: Scope) -> bool:
    """``left < right``: two texts by their UTF-16 units, all else by number; NaN is not less than anything."""
    a, b = _comparable(left, right, scope)
    return bool(a < b)


def less_or_equal(left: object, right: object, scope: Scope) -> bool:
    """``left <= right``."""
    a, b = _comparable(left, right, scope)
    return bool(a <= b)


def greater(left: object, right: object, scope: Scope) -> bool:
    """``left > right``."""
    a, b = _comparable(left, right, scope)
    return bool(a > b)


def greater_or_equal(left: object, right: object, scope: Scope) -> bool:
    """``left >= right``."""
    a, b = _comparable(left, right, scope)
    return bool(a >= b)


def contained(left: object, right: object, scope: Scope) -> bool:
    """``left in right``: part of a text, or an element of a list by ``===``; false for anything else."""
    if isinstance(right, str):
        scope.spend_on_text(right)
        return to_text(left, scope) in right
    if is_list(right):
        scope.spend(2 * len(right))
        return any(identical(item, left) for item in right)
    return False


EAGER: Final[dict[str, Operator]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": remainder,
    "^": power,
    "==": equals,
    "!=": differs,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "in": contained,
}
"""The operators that need both operands; ``&&`` and ``||`` are the compiler's, for they may skip the right one."""


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _bounded(value: int) -> int | float:
    # An integer this large is infinite to JavaScript; kept exact, a chain of products would never end.
    return value if value.bit_length() <= INTEGER_BITS_MAX else _float(value)


def _zero(*, negative: bool) -> int | float:
    return -0.0 if negative else 0


def _quotient(a: float, b: float) -> int | float:
    if b == 0:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)
    if isinstance(a, int) and isinstance(b, int):
        if a % b == 0:
            return a // b if a else _zero(negative=b < 0)
        try:
            return a / b
        except OverflowError:
            return math.inf if (a < 0) == (b < 0) else -math.inf
    return _float(a) / _float(b)


def _float_power(base: float, exponent: float) -> float:
    if math.isnan(exponent) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    odd = exponent % 2 == 1
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base == 0:
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan


def _comparable(left: object, right: object, scope: Scope) -> tuple[Any, Any]:
    # Both numbers, or both texts (or their bytes): what Python can compare.
    if is_number(left) and is_number(right):
        return left, right
    left, right = to_primitive(left, scope), to_primitive(right, scope)
    if isinstance(left, str) and isinstance(right, str):
        if left.isascii() and right.isascii():
            return left, right
        return left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
    return to_number(left, scope), to_number(right, scope)
