"""The name of a JSON value by its content: the same however its keys are ordered and its text is laid out."""

from __future__ import annotations

import hashlib
import json

from engine.json_value import JsonValue


def content_hash(document: JsonValue) -> str:
    """First 128 bits of the SHA-256 of a JSON value's canonical text, as hexadecimal digits."""
    text = json.dumps(_canonical(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _canonical(value: JsonValue) -> JsonValue:
    # JavaScript has one kind of number: an editor there writes 1.0 as 1.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return value
