"""Where ``{{ }}`` stands in a node's data."""

from __future__ import annotations

from collections.abc import Iterator

from engine.json_value import JsonValue

OPENING = "{{"


def has_template(data: JsonValue) -> bool:
    """Whether any text of a value holds an expression."""
    return next(texts_with_template(data, "$"), None) is not None


def texts_with_template(data: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """Each text that holds an expression, with its JSON path."""
    if isinstance(data, str):
        if OPENING in data:
            yield path, data
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from texts_with_template(item, f"{path}.{key}")
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from texts_with_template(item, f"{path}[{index}]")
