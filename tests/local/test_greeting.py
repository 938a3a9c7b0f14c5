"""What the local stack says of itself is true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from engine import Registry
from engine.schema import schema_faults
from local import LocalStack
from local.greeting import example_event, example_input, greeting
from local.own_command import own_command
from tests.local.http import call


def test_the_lines_that_are_shown_work() -> None:
    """Both curl lines, taken from the text: one starts a run, the other an event's."""
    with LocalStack(registry="tests.local.event_registry:registry") as stack:
        text = greeting(stack, data=None, reloads=True)
        (start, event) = re.findall(r"curl -s (\S+) \\\n    -H 'content-type: application/json' -d (.*)", text)
        assert call(start[0], json.loads(shlex.split(start[1])[0]))[0] == 202
        assert call(event[0], json.loads(shlex.split(event[1])[0]))[1]["events"][0]["routes"] == ["upload"]
        assert f"aws --endpoint-url {stack.emulator_url} s3 cp FILE s3://refluxo-uploads/" in text
        assert "in memory" in text
        assert f"`{own_command()} show ID --watch --url {stack.url}`" in text
        assert "loaded at once" in text
        kept = greeting(stack, data=Path("folder"), reloads=False)
        assert "kept in folder" in kept
        assert "loaded at once" not in kept


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["shop"]},
        {"source": [{"prefix": "shop."}], "detail-type": ["a", "b"]},
        {"source": ["s"], "detail": {"file": {"name": [{"suffix": ".csv"}]}}},
        {"source": ["s"], "detail": {"state": [{"equals-ignore-case": "DONE"}], "path": [{"wildcard": "a/*.png"}]}},
        {"source": ["s"], "detail": {"count": [7], "open": [True]}},
        {"source": ["s"], "detail": {"any": [{"exists": True}]}},
        {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "in/"}]}}},
    ],
)
def test_an_example_is_for_its_route(pattern: dict[str, Any]) -> None:
    """Made of what the pattern asks for."""
    registry = Registry()
    registry.add({"name": "w", "nodes": [{"id": "n", "type": "core:set"}], "edges": []})
    route = registry.route(pattern, "w")
    assert route.matches(example_event(route))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"email": {"type": "string", "minLength": 3}}, "required": ["email"]},
        {"type": "object", "properties": {"n": {"type": "integer"}, "not": {}}, "required": ["n"]},
        {
            "properties": {"kind": {"enum": ["a", "b"]}, "at": {"properties": {"x": {"type": "number"}}}},
            "required": ["kind"],
        },
        {
            "type": "object",
            "properties": {
                "who": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string", "examples": ["Ana"]}},
                }
            },
            "required": ["who"],
        },
        {"type": "array"},
        {"type": "string", "default": "x"},
        {"type": "object"},
        {},
    ],
)
def test_an_example_is_an_input(schema: dict[str, Any]) -> None:
    """Whoever pastes the line has a run, not an error."""
    assert schema_faults(schema, example_input(schema)) == ()


def test_the_example_of_an_upload_is_whole() -> None:
    """The object is there although the pattern asks for the bucket alone: a workflow's schema may demand it."""
    registry = Registry()
    registry.add({"name": "w", "nodes": [{"id": "n", "type": "core:set"}], "edges": []})
    route = registry.route({"source": ["aws.s3"], "detail": {"bucket": {"name": ["mine"]}}}, "w")
    assert example_event(route) == {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "mine"}, "object": {"key": "example.csv", "size": 42}},
    }
