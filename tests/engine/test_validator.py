"""The validator: what a node is given and gives, held against pydantic models and JSON Schema."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from engine import Output, Registry, SchemaValidator, SchemaViolation, Snapshot, Status
from engine.errors import Fault, InvalidDefinition
from engine.json_value import JsonObject, JsonValue
from engine.node_definition import Schema
from tests.engine.one_node import NOW_MS, PATIENT, engine_of, first_step, result_of


class Line(BaseModel):
    """A part of an order."""

    sku: str = Field(pattern="^[a-z]+$")
    count: int = Field(alias="numberOf", ge=1)


class Order(BaseModel, extra="forbid"):
    """An order."""

    cents: int
    lines: list[Line] = Field(default_factory=list)
    ship: bool | Literal["later"] = True


ORDER_SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["cents"],
    "additionalProperties": False,
    "properties": {
        "cents": {"type": "integer"},
        "lines": {
            "items": {
                "required": ["numberOf"],
                "properties": {"sku": {"pattern": "^[a-z]+$"}, "numberOf": {"minimum": 1}},
            }
        },
        "ship": {"anyOf": [{"type": "boolean"}, {"const": "later"}]},
    },
}

LINE: JsonObject = {"sku": "tea", "numberOf": 1}
BROKEN: list[tuple[str, JsonValue, list[str], list[str]]] = [
    ("missing", {}, [".cents: missing"], [": required"]),
    ("of another type", {"cents": "x"}, [".cents: int_parsing"], [".cents: type"]),
    ("one too many", {"cents": 1, "tip": 2}, [".tip: extra_forbidden"], [": additionalProperties"]),
    (
        "in a list",
        {"cents": 1, "lines": [LINE, {"sku": "T", "numberOf": 0}]},
        [".lines[1].sku: string_pattern_mismatch", ".lines[1].numberOf: greater_than_equal"],
        [".lines[1].sku: pattern", ".lines[1].numberOf: minimum"],
    ),
    (
        "missing by alias",
        {"cents": 1, "lines": [{"sku": "tea"}]},
        [".lines[0].numberOf: missing"],
        [".lines[0]: required"],
    ),
    ("of a union", {"cents": 1, "ship": [1]}, [".ship: bool_type", ".ship: literal_error"], [".ship: anyOf"]),
    ("no object", [1], [": model_type"], [": type"]),
]


def rules_in(snapshot: Snapshot, what: str) -> list[str]:
    """The faults of a failed step as ``path: rule``; all of them are about ``what`` of the node ``it``."""
    error = result_of(snapshot).error or ""
    kind, _, faults = error.partition(": node 'it': ")
    assert kind == ("InvalidInput" if what == "input" else "InvalidOutput")
    found = [re.fullmatch(rf"{what}(\S*): .+ \(rule: (\w+)\)", fault) for fault in faults.split("; ")]
    return [f"{match[1]}: {match[2]}" for match in found if match is not None]


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("schema", [Order, ORDER_SCHEMA], ids=["model", "JSON Schema"])
@pytest.mark.parametrize("case", BROKEN, ids=[case[0] for case in BROKEN])
def test_a_violation_names_node_path_and_rule(
    case: tuple[str, JsonValue, list[str], list[str]], schema: Schema, side: str
) -> None:
    """Each fault has the path in the value, by the names the value has, and the rule; no policy tries again."""
    _, value, by_model, by_document = case
    calls: list[object] = []

    def executor(_data: object) -> object:
        calls.append(1)
        return value

    options: dict[str, Any] = {side: schema}
    engine = engine_of(executor, "{{ run.input }}", policy=PATIENT, **options)
    snapshot = first_step(engine, value)
    assert rules_in(snapshot, side) == (by_model if isinstance(schema, type) else by_document)
    assert (snapshot.status, len(snapshot.context["it"])) == (Status.FAILED, 1)
    assert len(calls) == (0 if side == "input" else 1)


@pytest.mark.parametrize("schema", [Order, ORDER_SCHEMA], ids=["model", "JSON Schema"])
def test_a_violation_does_not_quote_the_value(schema: Schema) -> None:
    """It may be a secret, and errors are stored and logged."""
    values: list[JsonValue] = [
        {"cents": "canary"},
        {"cents": 1, "lines": [{"sku": "CANARY canary", "numberOf": 1}]},
        {"cents": 1, "ship": "canary"},
        {"cents": 1, "ship": ["canary"]},
        ["canary"],
        "canary",
    ]
    for value in values:
        for side in ("input", "output"):
            options: dict[str, Any] = {side: schema}
            engine = engine_of(lambda data: data, "{{ run.input }}", **options)
            error = result_of(first_step(engine, value)).error or ""
            assert "rule:" in error
            assert "canary" not in error


@pytest.mark.parametrize("schema", [Order, ORDER_SCHEMA], ids=["model", "JSON Schema"])
def test_what_fits_passes(schema: Schema) -> None:
    """Input and output, with their optional parts and without."""
    values: list[JsonValue] = [{"cents": 1}, {"cents": 1, "lines": [LINE], "ship": "later"}]
    given: list[JsonValue] = []
    for value in values:
        given.append(value)
        engine = engine_of(lambda _data: given[-1], "{{ run.input }}", input=schema, output=schema)
        assert first_step(engine, value).output == value


def test_an_executor_is_given_the_models_instance() -> None:
    """With the model's own defaults and conversions; for a JSON Schema it is given the JSON."""
    seen: list[object] = []
    engine = engine_of(seen.append, {"cents": "{{ '7' }}", "lines": [LINE]}, input=Order)
    first_step(engine)
    assert seen == [Order(cents=7, lines=[Line(sku="tea", numberOf=1)])]
    first_step(engine_of(seen.append, {"cents": 7}, input=ORDER_SCHEMA))
    assert seen[1:] == [{"cents": 7}]


class Receipt(BaseModel):
    """What JSON has no type for, under the names the wire has."""

    paid_at: datetime = Field(alias="paidAt")
    amount: Decimal
    within: timedelta = timedelta(seconds=90)


def test_datetimes_and_decimals_come_and_go_by_a_model() -> None:
    """They are values inside the executor and text in the snapshot, under the model's aliases."""
    seen: list[Receipt] = []

    def executor(receipt: Receipt) -> Receipt:
        seen.append(receipt)
        return receipt

    engine = engine_of(executor, {"paidAt": "{{ run.input }}", "amount": "1.50"})
    snapshot = first_step(engine, "2026-01-02T03:04:05Z")
    assert (seen[0].paid_at, seen[0].amount) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), Decimal("1.50"))
    assert snapshot.output == {"paidAt": "2026-01-02T03:04:05Z", "amount": "1.50", "within": "PT1M30S"}
    assert Snapshot.from_json(snapshot.to_json()).output == snapshot.output


class Tags(RootModel[list[str]]):
    """A model that is no object."""


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_model_is_written_as_json_wherever_it_is_returned(*, wrapped: bool) -> None:
    """Plain or in an Output, declared or not, object or list."""

    def executor(_data: object) -> object:
        return Output(Tags(["a"])) if wrapped else Tags(["a"])

    assert first_step(engine_of(executor)).output == ["a"]
    assert first_step(engine_of(executor, output=Tags)).output == ["a"]
    assert first_step(engine_of(executor, output={"type": "array"})).output == ["a"]
    assert rules_in(first_step(engine_of(executor, output={"maxItems": 0})), "output") == [": maxItems"]
    assert rules_in(first_step(engine_of(executor, output=Order)), "output") == [": model_type"]


class Upper:
    """A validator of the host's own: notes what it is asked, shouts, and knows one rule."""

    def __init__(self) -> None:
        self.asked: list[tuple[Schema, JsonValue]] = []

    def validate(self, schema: Schema, value: JsonValue) -> object:
        """See Validator."""
        self.asked.append((schema, value))
        if value == "no":
            raise SchemaViolation((Fault("$.a[0]", "not that"), Fault("$", "nor this")))
        return str(value).upper()


def custom(executor: Any, validator: Upper, **options: Any) -> Registry:
    """A registry with a validator of its own and one node type."""
    registry = Registry(validator=validator)
    registry.node("test:it", **options)(executor)
    node: JsonObject = {"id": "it", "type": "test:it", "data": "{{ run.input }}", "policy": PATIENT}
    registry.add({"name": "w", "nodes": [node]})
    return registry


def test_a_custom_validator_decides() -> None:
    """It is asked with the schema as declared; what it returns is what the executor is given."""
    validator, given, taken = Upper(), {"title": "given"}, {"title": "taken"}
    engine = custom(lambda data: f"{data}!", validator, input=taken, output=given).engine("w")
    assert engine.execute(external_payload="yes", now_ms=NOW_MS).output == "YES!"
    assert validator.asked == [(taken, "yes"), (given, "YES!")]


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_custom_validators_violation_is_told_like_any(side: str) -> None:
    """By the node and what was judged, and never tried again."""
    engine = custom(lambda data: data, Upper(), **{side: {}}).engine("w")
    snapshot = engine.execute(external_payload="no", now_ms=NOW_MS)
    error = f"Invalid{side.capitalize()}: node 'it': {side}.a[0]: not that; {side}: nor this"
    assert (snapshot.status, result_of(snapshot).error) == (Status.FAILED, error)


def test_without_a_schema_no_validator_is_asked() -> None:
    """It costs nobody anything who has none."""
    validator = Upper()
    custom(lambda data: data, validator).engine("w").execute(external_payload="no", now_ms=NOW_MS)
    assert validator.asked == []


def test_the_default_validator_can_be_built_upon() -> None:
    """It gives the value as an executor shall see it, or all faults as data."""
    validator = SchemaValidator()
    assert validator.validate(Order, {"cents": 1}) == Order(cents=1)
    assert validator.validate(ORDER_SCHEMA, {"cents": 1}) == {"cents": 1}
    with pytest.raises(SchemaViolation, match=r"\$\.cents: Field required \(rule: missing\)") as violation:
        validator.validate(Order, {"tip": 1})
    assert [fault.path for fault in violation.value.faults] == ["$.cents", "$.tip"]


class Pair(BaseModel):
    """A model with a part of fixed length."""

    ends: tuple[int, int]


def test_a_part_that_is_too_short_is_a_fault_like_any() -> None:
    """What is missing at the end of a list has a path too, at registration and in a run."""
    with pytest.raises(InvalidDefinition, match=r"\$\.nodes\[0\]\.data\.ends\[1\]: Field required"):
        engine_of(lambda _data: None, {"ends": [1]}, input=Pair)
    engine = engine_of(lambda _data: None, {"ends": "{{ run.input }}"}, input=Pair)
    assert rules_in(first_step(engine, [1]), "input") == [".ends[1]: missing"]
