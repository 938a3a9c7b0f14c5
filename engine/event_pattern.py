"""EventBridge's event patterns: whether an event is one that a route is about.

A pattern has the shape of the events it means; at each leaf stands the list of what the value may be. Fields that it
does not name do not count. The rules are EventBridge's (user guide, "Creating event patterns" and "Comparison
operators") and, where that is silent, those of Event Ruler, the library behind it:

- A list in an event stands for each of its elements, however deeply lists are nested. Fields of a pattern that lie
  within one list of the event must all hold for the same element of it.
- ``{"exists": false}`` means that no leaf stands at that place, in whichever element of a list; an object or an empty
  list is no leaf, and null is one.
- ``anything-but`` needs a value: a field that is not there does not match.

It refuses what EventBridge would refuse when the rule is made, with the path of each fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Final, NamedTuple, TypeAlias

from engine.errors import Fault
from engine.event_matchers import EXISTS, MATCHER_NAMES, LeafTest, value_test

PATTERN_CHARACTERS_MAX: Final = 4_096
"""Length of a pattern as JSON without blanks: 2,048 by default, at most this when the quota is raised (EventBridge
quotas, "Event pattern size")."""

CHOICES_MAX: Final = 1_000
"""Ways to match that all ``$or`` of a pattern make together (EventBridge user guide, "Or matching")."""

_OR: Final = "$or"
_CHOICES_MIN: Final = 2


class _Leaf(NamedTuple):
    """The list at a leaf. ``absent``: it may also not be there."""

    tests: tuple[LeafTest, ...]
    absent: bool


class _Fields(NamedTuple):
    """An object of a pattern: all of its leaves and objects must hold, and of each ``$or`` one choice."""

    leaves: Mapping[str, _Leaf]
    objects: Mapping[str, _Fields]
    choices: tuple[_Fields, ...]


_Object: TypeAlias = Mapping[str, object]
_NOTHING: Final[_Object] = {}


class EventPattern:
    """A pattern, read once and matched often."""

    __slots__ = ("_root",)

    def __init__(self, document: object, path: str, faults: list[Fault]) -> None:
        """Reads a pattern.

        Args:
            document: plain JSON.
            path: where it stands in what is being checked.
            faults: takes whatever is wrong with it; the pattern is of use only when nothing is.
        """
        self._root = _fields(document, path, faults, within_or=False)
        ways = _ways(self._root)
        if ways > CHOICES_MAX:
            faults.append(Fault(path, f"its $or make {ways} ways to match; EventBridge takes {CHOICES_MAX}"))
        length = len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))
        if length > PATTERN_CHARACTERS_MAX:
            faults.append(Fault(path, f"has {length} characters as JSON; EventBridge takes {PATTERN_CHARACTERS_MAX}"))

    def matches(self, event: _Object) -> bool:
        """Whether an event, as EventBridge hands it over, is one that the pattern means."""
        return _hold(self._root, event, frozenset(_absent(self._root, [event])))


# --- reading -----------------------------------------------------------------------------------


def _fields(document: object, path: str, faults: list[Fault], *, within_or: bool) -> _Fields:
    leaves: dict[str, _Leaf] = {}
    objects: dict[str, _Fields] = {}
    choices: list[_Fields] = []
    if not isinstance(document, dict) or not document:
        faults.append(Fault(path, "must be an object with at least one field"))
        return _Fields(leaves, objects, ())
    for name, wanted in document.items():
        below = f"{path}.{name}"
        if name == _OR:
            choices.append(_one_of(wanted, below, faults))
        elif within_or and name in MATCHER_NAMES:
            faults.append(Fault(below, f"a field within $or cannot be called {name!r}, for that is a matcher"))
        elif isinstance(wanted, dict):
            objects[name] = _fields(wanted, below, faults, within_or=within_or)
        else:
            leaves[name] = _leaf(wanted, below, faults)
    return _Fields(leaves, objects, tuple(choices))


def _one_of(wanted: object, path: str, faults: list[Fault]) -> _Fields:
    """A ``$or`` as an object without fields of its own, whose choices are the ``$or``'s."""
    options = wanted if isinstance(wanted, list) else []
    if len(options) < _CHOICES_MIN:
        faults.append(Fault(path, "must be a list of two objects or more, one of which must match"))
    read = [_fields(option, f"{path}[{at}]", faults, within_or=True) for at, option in enumerate(options)]
    return _Fields({}, {}, tuple(read))


def _ways(fields: _Fields) -> int:
    """How many patterns without ``$or`` say the same."""
    within = prod(_ways(child) for child in fields.objects.values())
    return within * prod(sum(map(_ways, one_of.choices)) for one_of in fields.choices)


def _leaf(wanted: object, path: str, faults: list[Fault]) -> _Leaf:
    if not isinstance(wanted, list) or not wanted:
        kind = "an empty list" if wanted == [] else json.dumps(wanted)
        faults.append(Fault(path, f"is {kind}; it must be a list of what the value may be, or an object of fields"))
        return _Leaf((), absent=False)
    tests = [value_test(value, f"{path}[{at}]", faults) for at, value in enumerate(wanted) if value != {EXISTS: False}]
    return _Leaf(tuple(tests), absent={EXISTS: False} in wanted)


# --- matching ----------------------------------------------------------------------------------


def _hold(fields: _Fields, here: _Object, absent: frozenset[int]) -> bool:
    """Whether an object of a pattern holds for an object of an event.

    ``absent``: identities of the leaves that may be absent, and are.
    """
    return (
        all(
            id(leaf) in absent or any(test(value) for value in _leaves(here.get(name, [])) for test in leaf.tests)
            for name, leaf in fields.leaves.items()
        )
        and all(
            # Without an object nothing but absences can hold, and these are known.
            any(_hold(child, value, absent) for value in _objects(here.get(name)) or (_NOTHING,))
            for name, child in fields.objects.items()
        )
        and all(any(_hold(option, here, absent) for option in one_of.choices) for one_of in fields.choices)
    )


def _absent(fields: _Fields, group: Sequence[_Object]) -> Iterator[int]:
    """Identities of the leaves that may be absent, and are; ``group``: the event's objects at this place."""
    for name, leaf in fields.leaves.items():
        if leaf.absent and not any(True for here in group for _ in _leaves(here.get(name, []))):
            yield id(leaf)
    for name, child in fields.objects.items():
        yield from _absent(child, [value for here in group for value in _objects(here.get(name))])
    for one_of in fields.choices:
        for option in one_of.choices:
            yield from _absent(option, group)


def _leaves(value: object) -> Iterator[object]:
    """The leaves that a value stands for: itself, or those of its elements."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif not isinstance(found, Mapping):
            yield found


def _objects(value: object) -> list[_Object]:
    """The objects that a value stands for: itself, or those among its elements."""
    objects: list[_Object] = []
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, Mapping):
            objects.append(found)
    return objects
