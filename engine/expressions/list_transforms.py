"""Built-in transforms that take lists and objects, or either of them and text.

Values compare as JSON does: ``unique`` and ``contains`` look into lists and objects, and the order of keys does
not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.expressions.boundary import to_json
from engine.expressions.coercion import UNDEFINED, is_list, is_number, joined
from engine.expressions.lookup import own_property
from engine.expressions.operators import add
from engine.expressions.transforms import kind_of
from engine.limits import JSON_DEPTH_MAX

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.expressions.transforms import TransformCall
    from engine.json_value import JsonValue

_POSITION_MAX = 2**32  # JavaScript's limit on the length of a list


def length(call: TransformCall, value: object) -> int:
    """The number of characters of a text, elements of a list, or keys of an object."""
    if isinstance(value, str | Mapping) or is_list(value):
        return len(value)
    raise call.fault(f"expected text, a list or an object, found {kind_of(value)}")


def part(call: TransformCall, value: object, start: object, end: object = None) -> object:
    """The characters or elements from ``start`` up to, not including, ``end``; negative counts from the end."""
    first = call.integer(start, -_POSITION_MAX, _POSITION_MAX)
    last = None if end is None or end is UNDEFINED else call.integer(end, -_POSITION_MAX, _POSITION_MAX)
    if isinstance(value, str):
        return call.text(value)[first:last]
    return list(call.items(value))[first:last]


def backwards(call: TransformCall, value: object) -> object:
    """The text or list, last first."""
    if isinstance(value, str):
        return call.text(value)[::-1]
    return list(call.items(value))[::-1]


def contains(call: TransformCall, value: object, wanted: object) -> bool:
    """Whether the text has that part, or the list an equal element."""
    if isinstance(value, str):
        return call.text(wanted) in call.text(value)
    key = _identity(call, wanted)
    return any(_identity(call, item) == key for item in call.items(value))


def join(call: TransformCall, value: object, separator: object = ",") -> str:
    """The elements as one text, separated."""
    return joined(call.items(value), call.text(separator), call.scope)


def first(call: TransformCall, value: object) -> object:
    """The first element; null when there is none."""
    items = call.items(value)
    return items[0] if len(items) else UNDEFINED


def last(call: TransformCall, value: object) -> object:
    """The last element; null when there is none."""
    items = call.items(value)
    return items[len(items) - 1] if len(items) else UNDEFINED


def sum_of(call: TransformCall, value: object) -> object:
    """The sum of a list of numbers."""
    total: object = 0
    for item in call.items(value):
        total = add(total, call.number(item), call.scope)
    return total


def in_order(call: TransformCall, value: object, key: object = None) -> list[object]:
    """The list in ascending order, by a property of its elements if one is named; equal ones keep their order."""
    items = list(call.items(value))
    keys = items if key is None else _plucked(call, items, key)
    if all(is_number(item) and item == item for item in keys):  # noqa: PLR0124 - NaN alone differs from itself
        ranks: list[float] | list[bytes] = [call.number(item) for item in keys]
    elif all(isinstance(item, str) for item in keys):
        # As < compares them: by their UTF-16 units.
        ranks = [call.text(item).encode("utf-16-be", "surrogatepass") for item in keys]
    else:
        raise call.fault("can sort numbers or texts, not a mixture or anything else")
    return [items[index] for index in sorted(range(len(items)), key=ranks.__getitem__)]


def unique(call: TransformCall, value: object) -> list[object]:
    """The list without the elements that equal an earlier one."""
    kept: dict[Hashable, object] = {}
    for item in call.items(value):
        kept.setdefault(_identity(call, item), item)
    return list(kept.values())


def properties(call: TransformCall, value: object, key: object) -> list[object]:
    """The named property of each element; null where it is missing."""
    return _plucked(call, call.items(value), key)


def flatten(call: TransformCall, value: object, depth: object = 1) -> list[object]:
    """The list with the elements of its inner lists in their place, to that depth."""
    result: list[object] = []
    _flatten_into(result, call, call.items(value), call.integer(depth, 0, JSON_DEPTH_MAX))
    return result


def concatenated(call: TransformCall, value: object, other: object) -> list[object]:
    """The elements of both lists."""
    return [*call.items(value), *call.items(other)]


def keys(call: TransformCall, value: object) -> list[object]:
    """The keys of an object."""
    return list(call.entries(value))


def values(call: TransformCall, value: object) -> list[object]:
    """The values of an object."""
    return list(call.entries(value).values())


def entries(call: TransformCall, value: object) -> list[object]:
    """The ``[key, value]`` pairs of an object."""
    return [[key, item] for key, item in call.entries(value).items()]


def from_entries(call: TransformCall, value: object) -> dict[str, object]:
    """The object made of ``[key, value]`` pairs."""
    result: dict[str, object] = {}
    for pair in call.items(value):
        if not is_list(pair) or len(pair) != 2:  # noqa: PLR2004 - a pair is two
            raise call.fault("expected a list of [key, value] pairs")
        result[call.text(pair[0])] = pair[1]
    return result


def merge(call: TransformCall, value: object, other: object) -> dict[object, object]:
    """One object with the keys of both; the second one's values count."""
    return {**call.entries(value), **call.entries(other)}


def _plucked(call: TransformCall, items: Sequence[object], key: object) -> list[object]:
    name = call.text(key)
    return [own_property(item, name) for item in items]


def _flatten_into(result: list[object], call: TransformCall, items: Sequence[object], depth: int) -> None:
    for item in items:
        if depth and is_list(item):
            _flatten_into(result, call, call.items(item), depth - 1)
        else:
            result.append(item)


def _identity(call: TransformCall, value: object) -> Hashable:
    return _frozen(to_json(value, call.scope))


def _frozen(value: JsonValue) -> Hashable:
    if isinstance(value, dict):
        return "object", frozenset((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, list):
        return "list", tuple(map(_frozen, value))
    return type(value) is bool, value  # Python takes true for 1, JSON does not
