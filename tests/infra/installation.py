"""Reading a template: what the tests of several constructs ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aws_cdk.assertions import Template


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Handler to the properties of its function."""
    return {
        function["Properties"]["Handler"]: function["Properties"]
        for function in template.find_resources("AWS::Lambda::Function").values()
    }


def only(template: Template, kind: str) -> str:
    """Logical id of the one resource of a kind."""
    (logical_id,) = template.find_resources(kind)
    return str(logical_id)


def properties(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Logical id to properties, of the resources of a kind."""
    return {name: dict(resource["Properties"]) for name, resource in template.find_resources(kind).items()}


def strings(value: object) -> Iterator[str]:
    """Every string in a JSON value."""
    match value:
        case str():
            yield value
        case Mapping():
            for child in value.values():
                yield from strings(child)
        case list():
            for child in value:
                yield from strings(child)
