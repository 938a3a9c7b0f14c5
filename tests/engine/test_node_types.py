"""What an editor is told of node types: JSON, complete, and by the names that data and outputs have."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, Field

from engine import NodeDefinition, Registry, RetryPolicy
from engine.core_nodes import CORE_NODES
from engine.node_types import describe

ANYTHING_GOES = {"core:set", "core:trigger"}
"""Core types whose data has no schema."""


def described(registry: Registry) -> dict[str, dict[str, Any]]:
    """All descriptions by type."""
    return {str(each["type"]): each for each in registry.describe_node_types() if isinstance(each, dict)}


def test_descriptions_are_json_in_the_order_of_names() -> None:
    """They can be sent as they are."""
    told = Registry().describe_node_types()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    names = [each["type"] for each in told if isinstance(each, dict)]
    assert names == sorted(CORE_NODES)


@pytest.mark.parametrize("node_type", sorted(CORE_NODES))
def test_every_core_type_says_what_it_does_and_takes(node_type: str) -> None:
    """A sentence, and the schema of an object by the wire's names that allows no others."""
    told = described(Registry())[node_type]
    assert told["description"].rstrip(".").count(" ") > 1
    assert "\n    " not in told["description"]
    assert told["metadata"] is None
    if node_type in ANYTHING_GOES:
        assert told["input"] is None
        return
    schema = told["input"]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert schema["properties"]
    assert not [name for name in schema["properties"] if "_" in name]
    assert set(schema.get("required", [])) <= set(schema["properties"])


@pytest.mark.parametrize(
    ("node_type", "handles"),
    [
        ("core:trigger", []),
        ("core:if", ["true", "false"]),
        ("core:loop", ["loop", "done"]),
        ("core:while", ["loop", "done"]),
        ("core:repeat", ["loop", "done"]),
        ("core:wait", ["timeout"]),
        ("core:http", ["rejected"]),
        ("core:switch", None),
    ],
)
def test_handles_are_a_list_or_null(node_type: str, handles: list[str] | None) -> None:
    """Null where they follow from the data, as a switch's cases do."""
    told = described(Registry())[node_type]
    assert (told["handles"], told["handlesByData"]) == (handles, handles is None)


@pytest.mark.parametrize(
    ("data", "handles"),
    [
        ({"value": 1, "cases": ["a", 1, 2.0, 2.5, True, None]}, ("a", "1", "2", "2.5", "true", "null", "default")),
        ({"value": 1, "cases": []}, ("default",)),
        ({"value": "{{ x }}", "cases": ["a"]}, ("a", "default")),
        ({"value": 1, "cases": "{{ x }}"}, None),
        ({"value": 1, "cases": ["a", "{{ x }}"]}, None),
        ({"value": 1}, None),
        ("{{ x }}", None),
        (None, None),
    ],
    ids=str,
)
def test_a_switchs_handles_follow_from_its_data(data: Any, handles: tuple[str, ...] | None) -> None:
    """Not known while an expression decides; data that is wrong has none, and raises nothing."""
    found = CORE_NODES["core:switch"].handles_of(data)
    assert (None if found is None else tuple(found)) == handles


class Taken(BaseModel):
    """An input with a name on the wire."""

    order_id: str = Field(validation_alias="orderId")
    cents: int = 5


class Given(BaseModel):
    """An output with a name on the wire, and a value JSON has no type for."""

    receipt_id: str = Field(serialization_alias="receiptId")
    amount: Decimal = Decimal(0)


def test_a_type_of_ones_own_is_told_whole() -> None:
    """Schemas of models, retries as definitions write them, and everything else that was declared."""
    registry = Registry()

    @registry.node(
        "test:pay",
        retry_policy=[RetryPolicy(3, interval=10, retry_on=OSError), RetryPolicy(2, interval=1)],
        handles=("declined",),
        timeout_ms=500,
        raw=("template",),
        metadata={"icon": "coin"},
    )
    def pay(data: Taken) -> Given:
        """Takes money.

        Gives a receipt.
        """
        return Given(receipt_id=data.order_id)

    told = described(registry)["test:pay"]
    assert told["description"] == "Takes money.\n\nGives a receipt."
    assert told["handles"] == ["declined"]
    assert told["retry"] == [
        {"maxAttempts": 3, "interval": 10, "retryOn": ["OSError"]},
        {"maxAttempts": 2, "interval": 1},
    ]
    assert (told["timeoutMs"], told["raw"], told["metadata"]) == (500, ["template"], {"icon": "coin"})
    assert told["input"]["required"] == ["orderId"]
    assert set(told["input"]["properties"]) == {"orderId", "cents"}
    json.dumps(told)


def test_an_outputs_schema_is_that_of_what_is_written() -> None:
    """By the names and types that expressions find in ``nodes.<id>.output``, not by those the model reads."""
    definition = NodeDefinition(lambda _data: Given(receipt_id="r"), output=Given)
    told: Any = describe("test:it", definition)
    written = Given(receipt_id="r").model_dump(mode="json", by_alias=True)
    assert set(told["output"]["properties"]) == set(written) == {"receiptId", "amount"}
    assert told["output"]["properties"]["amount"]["type"] == "string"


def test_a_type_that_says_nothing_is_told_as_that() -> None:
    """Null where anything goes or nobody knows."""
    assert describe("test:it", NodeDefinition(lambda data: data)) == {
        "type": "test:it",
        "executed": True,
        "description": None,
        "input": None,
        "output": None,
        "handles": None,
        "handlesByData": False,
        "retry": [],
        "timeoutMs": None,
        "raw": False,
        "metadata": None,
    }


def test_a_type_that_only_the_host_executes_is_told_as_that() -> None:
    """An editor need not offer what nobody executes here."""
    told: Any = Registry().describe_node_types(["core:http"])
    not_executed = [each["type"] for each in told if not each["executed"]]
    assert not_executed == ["core:map", "core:parallel", "core:signal", "core:workflow"]


def test_json_schemas_are_told_as_they_are() -> None:
    """As a copy: what an editor's code does with it does not change the type."""
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    definition = NodeDefinition(lambda data: data, input=schema, output=schema)
    told: Any = describe("test:it", definition)
    assert told["input"] == told["output"] == schema
    told["input"]["properties"].clear()
    assert schema["properties"]
