"""The node types every registry has: their data, handles and, where they are pure, their executors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from engine.definition import Name
from engine.errors import InvalidInput
from engine.json_value import JsonValue
from engine.node_definition import NodeDefinition
from engine.outcome import Output, Pause
from engine.schema import schema_faults
from engine.step import Step

_INPUT = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


def _truth(value: object) -> object:
    # Expressions are JavaScript's: an empty list is true, an empty text is not.
    return not (value is None or value is False or value == "" or (isinstance(value, int | float) and value == 0))


class IfData(BaseModel):
    """Data of ``core:if``."""

    model_config = _INPUT
    when: Annotated[bool, BeforeValidator(_truth)]


class WaitData(BaseModel):
    """Data of ``core:wait``: times in milliseconds, ``schema`` is what the payload must be."""

    model_config = _INPUT
    signal: Name | None = None
    timeout_ms: Annotated[int, Field(ge=0)] | None = None
    heartbeat_ms: Annotated[int, Field(gt=0)] | None = None
    payload_schema: Annotated[dict[str, object] | None, Field(alias="schema")] = None


def trigger(_data: JsonValue, step: Step) -> Output:
    """Begins a run: its output is the start's payload."""
    return Output(step.external_payload)


def set_(data: JsonValue) -> Output:
    """Gives its data, resolved."""
    return Output(data)


def if_(data: IfData) -> Output:
    """Goes on by ``true`` or ``false``."""
    return Output(data.when, "true" if data.when else "false")


def wait(data: WaitData, step: Step) -> Output | Pause:
    """Waits for a signal; its output is the payload. On a timeout the run goes on by ``timeout``."""
    if step.resumed is None:
        return Pause(data.signal, timeout=data.timeout_ms, heartbeat=data.heartbeat_ms)
    if step.resumed.by == "timeout":
        return Output(None, "timeout")
    if data.payload_schema is not None:
        faults = schema_faults(data.payload_schema, step.resumed.payload)
        if faults:
            raise InvalidInput("the payload breaks the wait's schema: " + "; ".join(map(str, faults)))
    return Output(step.resumed.payload)


CORE_NODES: Final[Mapping[str, NodeDefinition]] = {
    "core:trigger": NodeDefinition(trigger, handles=()),
    "core:set": NodeDefinition(set_, handles=()),
    "core:if": NodeDefinition(if_, input=IfData, handles=("true", "false")),
    "core:wait": NodeDefinition(wait, input=WaitData, handles=("timeout",)),
}
