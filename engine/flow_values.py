"""What a line of a flow may be given, and the JSON it becomes.

Owns the meaning of each argument alone; refuses to know nodes and edges. A mistake is raised as
:class:`~engine.errors.InvalidFlow`, saying at which place of the flow, which argument, and what to give instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from engine.core_data import JoinData
from engine.core_nodes import DEFAULT_HANDLE, case_handle
from engine.definition import faults_of
from engine.errors import Fault, InvalidFlow, InvalidOutput
from engine.json_value import JsonValue, checked_copy
from engine.limits import JSON_DEPTH_MAX, NAME_CHARACTERS_MAX
from engine.naming import is_error_handle, valid_name
from engine.node_definition import Schema
from engine.retry import RetryPolicy
from engine.schema import faults_of_schema
from engine.templates import OPENING

Duration: TypeAlias = int | timedelta
"""Milliseconds, or a timedelta."""

Case: TypeAlias = str | int | float | bool | None
"""What a switch compares with; its text is a handle."""

NAME_RULE: Final = (
    f"letters, digits and _.:@- (the first a letter, a digit or _), {NAME_CHARACTERS_MAX} characters at most"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a flow a line stands: at a node, or (None) at the flow itself."""

    flow: str
    node_id: str | None = None

    def mistake(self, problem: str) -> InvalidFlow:
        """The error for a mistake made here."""
        node = "" if self.node_id is None else f", node {self.node_id!r}"
        return InvalidFlow(f"flow {self.flow!r}{node}: {problem}")

    def mistakes(self, faults: Sequence[Fault], prefix: str, schema: Schema | None = None) -> InvalidFlow:
        """The error for faults whose paths begin with ``prefix``; where data breaks ``schema`` it lists the fields."""
        places = [fault.path.removeprefix(prefix).removeprefix(".") for fault in faults]
        texts = [
            f"{place}: {fault.message}" if place else fault.message for place, fault in zip(places, faults, strict=True)
        ]
        fields = () if schema is None else _fields(schema)
        if fields and any(text.startswith("data") for text in texts):
            texts.append(f"its data has the fields {', '.join(fields)}")
        return self.mistake("; ".join(texts))


def is_name(value: object) -> bool:
    """Whether a value is a text that may name a workflow, a node or a signal."""
    return isinstance(value, str) and valid_name(value)


def given(**values: object) -> dict[str, object]:
    """Those that are not None, for what is left out of a call is left out of the JSON."""
    return {name: value for name, value in values.items() if value is not None}


def json_value(value: object, at: Place, field: str) -> JsonValue:
    """A copy of a JSON value, in which instances of pydantic models have become their JSON."""
    try:
        return checked_copy(_dumped(value, 0), field)
    except InvalidOutput as error:
        raise at.mistake(str(error)) from None


def _dumped(value: object, depth: int) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if depth > JSON_DEPTH_MAX:
        # Too deep, or within itself: the copy refuses it, with its path.
        return value
    if isinstance(value, Mapping):
        return {key: _dumped(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_dumped(item, depth + 1) for item in value]
    return value


def schema_document(
    schema: Schema | None, at: Place, field: str, mode: Literal["validation", "serialization"] = "validation"
) -> JsonValue:
    """The JSON Schema that a pydantic model stands for, or a checked copy of one."""
    if schema is None:
        return None
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return checked_copy(schema.model_json_schema(by_alias=True, mode=mode))
    if not isinstance(schema, Mapping):
        raise at.mistake(f"{field}: {schema!r} is neither a pydantic model nor a JSON Schema")
    document = json_value(schema, at, field)
    faults = faults_of_schema(document, field)
    if faults:
        raise at.mistakes(faults, "")
    return document


def milliseconds(value: object, at: Place, field: str, *, least: int) -> int:
    """A duration in milliseconds."""
    number = round(value / timedelta(milliseconds=1)) if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise at.mistake(f"{field} is {value!r}; it must be a timedelta or milliseconds, {least} or more")
    return number


def milliseconds_or_expression(value: object, at: Place, field: str, *, least: int) -> int | str | None:
    """A duration in milliseconds, an expression that gives them, or None."""
    if value is None or (isinstance(value, str) and OPENING in value):
        return value
    return milliseconds(value, at, field, least=least)


def moment_or_expression(value: object, at: Place, field: str) -> int | str | None:
    """A moment in epoch milliseconds, an expression that gives them, or None."""
    if value is None or (isinstance(value, str) and OPENING in value):
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise at.mistake(f"{field} has no time zone; give one, as datetime(..., tzinfo=UTC)")
        value = round(value.timestamp() * 1000)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise at.mistake(f"{field} is {value!r}; it must be an aware datetime or epoch milliseconds")
    return value


def retry_policies(retry: object, at: Place) -> list[RetryPolicy] | None:
    """The retry policies as a list; None when nothing was said about them."""
    if retry is None:
        return None
    policies: list[RetryPolicy] = []
    for policy in retry if isinstance(retry, list | tuple) else [retry]:
        if not isinstance(policy, RetryPolicy):
            raise at.mistake(f"retry: {policy!r} is no RetryPolicy; give one, or a list of them")
        policies.append(policy)
    return policies


def switch_cases(cases: Sequence[Case], at: Place) -> list[Case]:
    """The cases of a switch, each with a handle of its own."""
    taken = {DEFAULT_HANDLE}
    for case in cases:
        handle = case_handle(case)
        if is_error_handle(handle):
            raise at.mistake(f"cases: {case!r} would be a catch edge: handles that begin with 'error' are reserved")
        if handle in taken:
            raise at.mistake(f"cases: there is a handle {handle!r} already; each case has its own, beside 'default'")
        taken.add(handle)
    return list(cases)


def join_document(join: JoinData | Mapping[str, object] | None, at: Place) -> JsonValue:
    """A join as data writes it; what is left out stays out."""
    if join is None:
        return None
    try:
        checked = join if isinstance(join, JoinData) else JoinData.model_validate(join)
    except ValidationError as error:
        raise at.mistakes([Fault(f"join{fault.path[1:]}", fault.message) for fault in faults_of(error)], "") from None
    return checked_copy(checked.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True))


def _fields(schema: Schema) -> Sequence[str]:
    if isinstance(schema, type):
        return [field.alias or name for name, field in schema.model_fields.items()]
    properties = schema.get("properties")
    return list(properties) if isinstance(properties, Mapping) else ()
