"""What an event pattern may ask of one value: equality, or a matcher such as ``{"prefix": "invoices/"}``.

The language and its limits are EventBridge's, from its user guide ("Comparison operators for use in event patterns")
and from Event Ruler, the open source library behind it, whose rules decide what the guide leaves open. Nothing here
backtracks: a wildcard costs time in proportion to the text, whoever wrote either of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeGuard

from engine.errors import Fault

Leaf: TypeAlias = "bool | int | float | str | None"
"""A value of an event that holds no others."""

LeafTest: TypeAlias = Callable[[object], bool]
"""Whether a leaf is one that a pattern means."""

EXISTS: Final = "exists"
"""The matcher that is about a field, not about its value."""

NUMERIC_MAX: Final = 5_000_000_000
"""Largest magnitude in a numeric matcher (EventBridge user guide, "Numeric matching")."""

_BELOW: Final[Mapping[str, Callable[[float, float], bool]]] = {"<": operator.lt, "<=": operator.le}
_ABOVE: Final[Mapping[str, Callable[[float, float], bool]]] = {">": operator.gt, ">=": operator.ge}
_COMPARISONS: Final = {**_BELOW, **_ABOVE, "=": operator.eq}

_IP_BITS: Final = {4: 32, 6: 128}


def value_test(wanted: object, path: str, faults: list[Fault]) -> LeafTest:
    """The test of one element of a field's list.

    What is wrong with the element is added to ``faults``; the test is of use only when nothing is.
    """
    if isinstance(wanted, dict):
        return _matcher_test(wanted, path, faults)
    if isinstance(wanted, list):
        return _refused(faults, path, "a list within the list; EventBridge looks into an event's own lists by itself")
    return partial(_same, wanted)


def _matcher_test(matcher: Mapping[str, object], path: str, faults: list[Fault]) -> LeafTest:
    known = f"there are: {', '.join(sorted([*_MATCHERS, EXISTS]))}"
    if len(matcher) != 1:
        return _refused(faults, path, f"a matcher is an object of one key, this has {len(matcher)}; {known}")
    ((name, argument),) = matcher.items()
    if name == EXISTS:
        if isinstance(argument, bool):
            return _anything
        return _refused(faults, f"{path}.{name}", "must be true or false")
    if name not in _MATCHERS:
        return _refused(faults, path, f"there is no matcher {name!r}; {known}")
    return _MATCHERS[name](argument, f"{path}.{name}", faults)


def _refused(faults: list[Fault], path: str, message: str) -> LeafTest:
    faults.append(Fault(path, message))
    return _anything


def _anything(_leaf: object) -> bool:
    return True


def _same(wanted: object, leaf: object) -> bool:
    # In JSON true is no number, though in Python it equals 1.
    return wanted == leaf and isinstance(wanted, bool) == isinstance(leaf, bool)


# --- text --------------------------------------------------------------------------------------

_TextTest: TypeAlias = Callable[[str], bool]


def _of_text(test: _TextTest) -> LeafTest:
    return lambda leaf: isinstance(leaf, str) and test(leaf)


def _prefix_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    return _end_test(argument, path, faults, str.startswith)


def _suffix_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    return _end_test(argument, path, faults, str.endswith)


def _end_test(argument: object, path: str, faults: list[Fault], ends: Callable[[str, str], bool]) -> LeafTest:
    if isinstance(argument, str):
        return _of_text(lambda text: ends(text, argument))
    if isinstance(argument, dict) and list(argument) == ["equals-ignore-case"]:
        wanted = argument["equals-ignore-case"]
        if isinstance(wanted, str):
            folded = wanted.lower()
            return _of_text(lambda text: ends(text.lower(), folded))
        return _refused(faults, f"{path}.equals-ignore-case", "must be a text")
    return _refused(faults, path, 'must be a text, or {"equals-ignore-case": text}')


def _ignore_case_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    if not isinstance(argument, str):
        return _refused(faults, path, "must be a text")
    folded = argument.lower()
    return _of_text(lambda text: text.lower() == folded)


def _wildcard_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    if not isinstance(argument, str):
        return _refused(faults, path, "must be a text, in which * stands for any characters")
    parts = _wildcard_parts(argument)
    if isinstance(parts, str):
        return _refused(faults, path, parts)
    return _of_text(lambda text: _matches_parts(text, parts))


def _wildcard_parts(text: str) -> list[str] | str:
    """The texts between the wildcards; or what is wrong."""
    parts, escaped, after_star = [""], False, False
    for character in text:
        if escaped and character not in "*\\":
            return f"a backslash before {character!r}; it may stand before * and another backslash only"
        if escaped or character not in "*\\":
            parts[-1] += character
        elif character == "*":
            if after_star:
                return "two wildcards side by side; one means the same"
            parts.append("")
        after_star = character == "*" and not escaped
        escaped = character == "\\" and not escaped
    return "a backslash at the end; write two for the character itself" if escaped else parts


def _matches_parts(text: str, parts: Sequence[str]) -> bool:
    """Whether a text is these parts with anything in between: each part where it is found first, so in one pass."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


# --- numbers and addresses ---------------------------------------------------------------------


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numeric_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    form = 'must be [comparison, number] with one of = < <= > >=, or a range as [">", 0, "<=", 5]'
    terms = argument if isinstance(argument, list) else []
    names, numbers = terms[::2], terms[1::2]
    if not (terms and len(names) == len(numbers) and all(map(_is_number, numbers))):
        return _refused(faults, path, form)
    one = any(names == [name] for name in _COMPARISONS)
    pair = any(names == [above, below] for above in _ABOVE for below in _BELOW)
    if not (one or pair):
        return _refused(faults, path, form)
    if any(abs(number) > NUMERIC_MAX for number in numbers):
        return _refused(faults, path, f"EventBridge compares numbers of -{NUMERIC_MAX} to {NUMERIC_MAX} only")
    if pair and numbers[0] >= numbers[1]:
        return _refused(faults, path, f"no number is in the range; {numbers[0]} must be less than {numbers[1]}")
    comparisons = [(_COMPARISONS[name], number) for name, number in zip(names, numbers, strict=True)]
    return lambda leaf: _is_number(leaf) and all(compare(leaf, number) for compare, number in comparisons)


def _cidr_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    from ipaddress import ip_address, ip_interface  # noqa: PLC0415  (loaded when used)

    try:
        interface = ip_interface(argument) if isinstance(argument, str) and "/" in argument else None
    except ValueError:
        interface = None
    if interface is None:
        return _refused(faults, path, "must be a block of addresses, as in 10.0.0.0/24 or 2001:db8::/32")
    if interface.network.prefixlen == _IP_BITS[interface.version]:
        return _refused(faults, path, f"a block of one address; write {str(interface.ip)!r} itself in place of it")
    # From the address as written, as Event Ruler has it, not from the beginning of its network.
    low, high = int(interface.ip), int(interface.network.broadcast_address)

    def within(text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return address.version == interface.version and low <= int(address) <= high

    return _of_text(within)


# --- anything but ------------------------------------------------------------------------------


def _anything_but_test(argument: object, path: str, faults: list[Fault]) -> LeafTest:
    if isinstance(argument, dict):
        return _anything_but_matcher(argument, path, faults)
    values = argument if isinstance(argument, list) else [argument]
    if not values or not (all(map(_is_number, values)) or all(isinstance(value, str) for value in values)):
        return _refused(faults, path, "must be a text or a number, or a list of texts only or of numbers only")
    if any(_is_number(value) and abs(value) > NUMERIC_MAX for value in values):
        return _refused(faults, path, f"EventBridge compares numbers of -{NUMERIC_MAX} to {NUMERIC_MAX} only")
    return lambda leaf: not any(_same(value, leaf) for value in values)


def _anything_but_matcher(matcher: Mapping[str, object], path: str, faults: list[Fault]) -> LeafTest:
    if len(matcher) != 1 or not matcher.keys() <= _TEXT_MATCHERS.keys():
        return _refused(faults, path, f"must be values, or an object of one of {', '.join(sorted(_TEXT_MATCHERS))}")
    ((name, argument),) = matcher.items()
    texts = argument if isinstance(argument, list) else [argument]
    below = f"{path}.{name}"
    if not texts or not all(isinstance(text, str) for text in texts):
        return _refused(faults, below, "must be a text, or a list of texts")
    if name in {"prefix", "suffix"} and "" in texts:
        return _refused(faults, below, "is empty; every text has that, so nothing would match")
    tests = [_TEXT_MATCHERS[name](text, below, faults) for text in texts]
    return lambda leaf: not any(test(leaf) for test in tests)


_MatcherReader: TypeAlias = Callable[[object, str, list[Fault]], LeafTest]

_TEXT_MATCHERS: Final[Mapping[str, _MatcherReader]] = {
    "equals-ignore-case": _ignore_case_test,
    "prefix": _prefix_test,
    "suffix": _suffix_test,
    "wildcard": _wildcard_test,
}

_MATCHERS: Final[Mapping[str, _MatcherReader]] = {
    **_TEXT_MATCHERS,
    "anything-but": _anything_but_test,
    "cidr": _cidr_test,
    "numeric": _numeric_test,
}

MATCHER_NAMES: Final = frozenset({*_MATCHERS, EXISTS})
"""Names that no field may have within a ``$or``."""
