"""Property look-up: the only way from a value to what is inside it.

A key of a ``Mapping``, an index or ``length`` of a list, an index or ``length`` of a text, and nothing else:
never an attribute, so neither Python's names nor the prototype's of JavaScript are to be found. What a host's own
``Mapping`` or ``Sequence`` raises passes through, ``KeyError`` and ``IndexError`` excepted: they mean missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.expressions.coercion import UNDEFINED, is_list, is_object, is_true, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.expressions.scope import Scope

_INDEX_DIGITS_MAX = 10  # the largest index of a JavaScript array, 2**32 - 2, has ten


def named_property(subject: object, name: str, position: int, scope: Scope) -> object:
    """``subject.name``: of undefined and null undefined; of a list, the property of its first element.

    Raises:
        ExpressionError: the subject is a list that is empty or begins with null.
    """
    if type(subject) is dict:
        return subject.get(name, UNDEFINED)
    if subject is UNDEFINED or subject is None:
        return UNDEFINED
    if is_object(subject):
        return _entry(subject, name)
    if is_list(subject):
        subject = _element(subject, 0)
        if subject is UNDEFINED or subject is None:
            message = f".{name} reads the first element of a list, and there is none here; use [index] or a filter"
            raise scope.fault(message, position)
    return own_property(subject, name)


def selected(subject: object, key: object, position: int, scope: Scope) -> object:
    """``subject[key]`` where the key is known: true keeps the subject, false drops it, all else is looked up.

    Raises:
        ExpressionError: the subject is undefined or null.
    """
    if key is True:
        return subject
    if key is False:
        return UNDEFINED
    if subject is UNDEFINED or subject is None:
        what = "null" if subject is None else "undefined"
        raise scope.fault(f"{what} has no elements; check it first: value && value[key]", position)
    if type(key) is int and is_list(subject):
        return _element(subject, key)
    return own_property(subject, to_text(key, scope))


def own_property(subject: object, name: str) -> object:
    """The property ``name`` of one value, or undefined."""
    if type(subject) is dict:
        return subject.get(name, UNDEFINED)
    if is_object(subject):
        return _entry(subject, name)
    if isinstance(subject, str):
        if name == "length":
            return len(subject)
        index = _index(name)
        return subject[index] if 0 <= index < len(subject) else UNDEFINED
    if is_list(subject):
        return len(subject) if name == "length" else _element(subject, _index(name))
    return UNDEFINED


def from_element(scope: Scope, name: str) -> object:
    """``.name`` on its own: a property of the element a filter looks at.

    For an element that counts as false Jexl reads the names instead, and so do we.
    """
    return own_property(scope.element if is_true(scope.element) else scope.names, name)


def _entry(subject: Mapping[object, object], name: str) -> object:
    if isinstance(subject, dict):
        return subject.get(name, UNDEFINED)
    try:
        return subject[name]
    except KeyError:
        return UNDEFINED


def _element(subject: Sequence[object], index: int) -> object:
    if index < 0:
        return UNDEFINED
    try:
        return subject[index]
    except IndexError:
        return UNDEFINED


def _index(name: str) -> int:
    # Only a canonical number is an index: "07" and "1.0" are names like any other.
    if len(name) <= _INDEX_DIGITS_MAX and name.isascii() and name.isdigit() and (name == "0" or name[0] != "0"):
        return int(name)
    return -1
