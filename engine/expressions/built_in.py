"""The transforms every expression may use, by name. All are pure: no clock, no randomness, no I/O."""

from __future__ import annotations

from typing import Final

from engine.expressions import list_transforms as lists
from engine.expressions import number_transforms as numbers
from engine.expressions import text_transforms as texts
from engine.expressions.transforms import BuiltIn
from engine.limits import EXPRESSION_CHARACTERS_MAX

_ANY: Final = EXPRESSION_CHARACTERS_MAX  # more arguments than an expression has characters there cannot be

BUILT_IN: Final = {
    "abs": BuiltIn(numbers.absolute),
    "base64": BuiltIn(texts.base64),
    "ceil": BuiltIn(numbers.ceil),
    "concat": BuiltIn(lists.concatenated, 1, 1),
    "contains": BuiltIn(lists.contains, 1, 1),
    "default": BuiltIn(numbers.default, 1, 1),
    "endsWith": BuiltIn(texts.ends_with, 1, 1),
    "entries": BuiltIn(lists.entries),
    "first": BuiltIn(lists.first),
    "flatten": BuiltIn(lists.flatten, 0, 1),
    "floor": BuiltIn(numbers.floor),
    "fromBase64": BuiltIn(texts.from_base64),
    "fromEntries": BuiltIn(lists.from_entries),
    "fromIso": BuiltIn(texts.from_iso),
    "join": BuiltIn(lists.join, 0, 1),
    "json": BuiltIn(texts.to_json_text),
    "keys": BuiltIn(lists.keys),
    "last": BuiltIn(lists.last),
    "length": BuiltIn(lists.length),
    "lower": BuiltIn(texts.lower),
    "map": BuiltIn(lists.properties, 1, 1),
    "max": BuiltIn(numbers.largest, 0, _ANY),
    "merge": BuiltIn(lists.merge, 1, 1),
    "min": BuiltIn(numbers.smallest, 0, _ANY),
    "number": BuiltIn(numbers.number),
    "parseJson": BuiltIn(texts.parse_json),
    "replace": BuiltIn(texts.replace, 2, 2),
    "reverse": BuiltIn(lists.backwards),
    "round": BuiltIn(numbers.rounded, 0, 1),
    "slice": BuiltIn(lists.part, 1, 2),
    "sort": BuiltIn(lists.in_order, 0, 1),
    "split": BuiltIn(texts.split, 1, 1),
    "startsWith": BuiltIn(texts.starts_with, 1, 1),
    "string": BuiltIn(texts.string),
    "sum": BuiltIn(lists.sum_of),
    "toIso": BuiltIn(texts.to_iso),
    "trim": BuiltIn(texts.trim),
    "unique": BuiltIn(lists.unique),
    "upper": BuiltIn(texts.upper),
    "values": BuiltIn(lists.values),
}
"""Name to function. A registered transform of the same name takes its place."""
