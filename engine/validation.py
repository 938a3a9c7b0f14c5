"""The validator port: what a node is given and what it gives, held against its schemas."""

from __future__ import annotations

from typing import Protocol

from engine.errors import Fault, RefluxoError
from engine.json_path import json_path, location_in
from engine.json_value import JsonValue
from engine.models import said_by
from engine.node_definition import Schema


class SchemaViolation(RefluxoError):
    """A value breaks a schema; ``faults`` says where and by which rule."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(map(str, faults)))


class Validator(Protocol):
    """Holds values against schemas."""

    def validate(self, schema: Schema, value: JsonValue) -> object:
        """Returns the value as the executor shall see it.

        Raises:
            SchemaViolation: with each fault's path and rule.
        """
        ...


class SchemaValidator:
    """The default: pydantic models, whose instances executors are given, and JSON Schema documents."""

    def validate(self, schema: Schema, value: JsonValue) -> object:
        """See Validator."""
        if not isinstance(schema, type):
            from engine.schema import schema_faults  # noqa: PLC0415  (loaded when used)

            faults = schema_faults(schema, value)
            if faults:
                raise SchemaViolation(faults)
            return value
        from pydantic import ValidationError  # noqa: PLC0415  (there by now, for the schema is a model)

        try:
            return schema.model_validate(value)
        except ValidationError as error:
            raise SchemaViolation(
                tuple(
                    Fault(
                        json_path(location_in(value, item["loc"], missing=item["type"] == "missing")),
                        f"{said_by(item['msg'])} (rule: {item['type']})",
                    )
                    for item in error.errors(include_url=False, include_input=False, include_context=False)
                )
            ) from None
