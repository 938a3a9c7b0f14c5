"""Checks of values against JSON Schema (draft 2020-12) and pydantic models, as faults with paths.

The JSON Schema library is loaded when the first schema is used, so that whoever has none does not pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.errors import Fault
from engine.json_path import json_path
from engine.json_value import JsonValue

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FAULTS_MAX = 20

# Rules whose messages quote items of the value.
_QUOTING_PARTS = frozenset({"items", "prefixItems", "unevaluatedItems"})


def schema_faults(schema: Mapping[str, object], value: JsonValue) -> tuple[Fault, ...]:
    """What is wrong with a value by a JSON Schema; empty when nothing is, 20 at most.

    The faults do not quote the value: it may be a secret, and faults end up in snapshots and logs.
    """
    faults: list[Fault] = []
    try:
        for error in _validator(_Key(schema)).iter_errors(value):
            message = "more or other items than allowed"
            if error.validator not in _QUOTING_PARTS:
                message = _unquoted(error.message, repr(error.instance))
            faults.append(
                Fault(json_path(tuple(error.absolute_path)), f"{message} (rule: {error.validator or 'false'})")
            )
            if len(faults) == _FAULTS_MAX:
                break
    except Exception as error:  # noqa: BLE001  (an unknown type, a $ref to nothing or to itself, a broken pattern)
        faults.append(Fault("$", f"the schema cannot be applied: {type(error).__name__}: {error}"))
    return tuple(faults)


def _unquoted(message: str, shown: str) -> str:
    # Messages begin with the value, but for that of the schema ``false``, which ends with it.
    if message.startswith(shown):
        return f"the value{message[len(shown) :]}"
    return f"{message.removesuffix(shown)}the value" if message.endswith(f" {shown}") else message


def faults_of_schema(schema: object, path: str) -> tuple[Fault, ...]:
    """What is wrong with a JSON Schema document itself."""
    if not isinstance(schema, Mapping):
        return (Fault(path, f"a JSON Schema is an object, not {type(schema).__name__}"),)
    from jsonschema import Draft202012Validator  # noqa: PLC0415  (loaded when used)
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return (Fault(path + json_path(tuple(error.absolute_path))[1:], f"not a JSON Schema: {error.message}"),)
    return ()


class _Key:
    """A schema as a cache key: by identity, for schemas belong to definitions and those do not change."""

    __slots__ = ("schema",)

    def __init__(self, schema: Mapping[str, object]) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.schema is self.schema


@lru_cache(maxsize=256)
def _validator(key: _Key) -> Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  (loaded when used)
    from referencing import Registry  # noqa: PLC0415

    # An empty registry: a $ref never reaches for the network.
    return Draft202012Validator(key.schema, registry=Registry())
