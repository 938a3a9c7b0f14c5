"""What a node may give: JSON and nothing else, checked on the way in, with the path in the error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from engine import Output, Pause, Status, Step
from engine.errors import InvalidOutput
from engine.json_value import JsonValue, checked_copy, copy_json
from engine.limits import INTEGER_BITS_MAX, JSON_DEPTH_MAX
from tests.engine.one_node import NOW_MS, PATIENT, engine_of, first_step, result_of


class Colour(str, Enum):  # noqa: UP042  (the older way, whose str() is the member's name)
    """An enum whose members are texts."""

    RED = "red"


class Level(int, Enum):
    """An enum whose members are numbers."""

    HIGH = 3


def nested(depth: int) -> object:
    """A list in a list, ``depth`` deep."""
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def endless() -> object:
    """A list that holds itself."""
    value: list[object] = []
    value.append(value)
    return value


NOT_JSON: list[tuple[str, Callable[[], object], str, str]] = [
    ("NaN", lambda: {"a": [1, math.nan]}, "$.a[1]", "nan is not JSON"),
    ("Infinity", lambda: [math.inf], "$[0]", "inf is not JSON"),
    ("minus Infinity", lambda: -math.inf, "$", "-inf is not JSON"),
    ("huge integer", lambda: {"n": 2**INTEGER_BITS_MAX}, "$.n", f"the most is {INTEGER_BITS_MAX}"),
    ("set", lambda: {"ids": {1, 2}}, "$.ids", "set is not JSON"),
    ("bytes", lambda: {"body": b"x"}, "$.body", "bytes is not JSON"),
    ("datetime", lambda: [datetime(2026, 1, 1, tzinfo=UTC)], "$[0]", "datetime is not JSON"),
    ("decimal", lambda: {"cents": Decimal(1)}, "$.cents", "Decimal is not JSON"),
    ("object", lambda: {"it": object()}, "$.it", "object is not JSON"),
    ("function", lambda: [len], "$[0]", "builtin_function_or_method is not JSON"),
    ("generator", lambda: (n for n in [1]), "$", "generator is not JSON"),
    ("lone surrogate", lambda: {"name": "a\ud800"}, "$.name", "a lone surrogate at 1"),
    ("lone surrogate in a key", lambda: {"a\udc00": 1}, "$.a", "a lone surrogate at 1"),
    ("number as key", lambda: {"a": {1: 2}}, "$.a", "the key 1 is a int"),
    ("null as key", lambda: {None: 2}, "$", "the key None is a NoneType"),
    ("tuple as key", lambda: {(1, 2): 2}, "$", "is a tuple; JSON keys are strings"),
    ("too deep", lambda: nested(JSON_DEPTH_MAX + 1), "$[0][0]", f"nested deeper than {JSON_DEPTH_MAX}"),
    ("very deep", lambda: nested(100_000), "$[0][0]", f"nested deeper than {JSON_DEPTH_MAX}"),
    ("endless", endless, "$[0][0]", f"nested deeper than {JSON_DEPTH_MAX}"),
]


@pytest.mark.parametrize(("make", "path", "said"), [case[1:] for case in NOT_JSON], ids=[case[0] for case in NOT_JSON])
def test_an_output_that_is_not_json_fails_the_step_once(make: Callable[[], object], path: str, said: str) -> None:
    """The error names the path and what is wrong; it is never retried, and the snapshot stays JSON."""
    snapshot = first_step(engine_of(lambda _data: make(), policy=PATIENT))
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type, error.attempt) == (Status.FAILED, "InvalidOutput", 1)
    assert error.error is not None
    assert f"InvalidOutput: {path}" in error.error
    assert said in error.error
    json.dumps(snapshot.to_json(), allow_nan=False).encode()
    error.error.encode()


@pytest.mark.parametrize("make", [case[1] for case in NOT_JSON], ids=[case[0] for case in NOT_JSON])
def test_a_pause_shows_json_alone(make: Callable[[], object]) -> None:
    """What a pause shows is stored as an output is, so it is checked as one."""
    snapshot = first_step(engine_of(lambda _data: Pause(data=make()), policy=PATIENT))
    assert (snapshot.status, result_of(snapshot).error_type) == (Status.FAILED, "InvalidOutput")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Colour.RED, "red"),
        ({Colour.RED: Level.HIGH}, {"red": 3}),
        (True, True),
        (-0.0, -0.0),
        (2**INTEGER_BITS_MAX - 1, 2**INTEGER_BITS_MAX - 1),
        ("\x00\U0001f600", "\x00\U0001f600"),
        (nested(JSON_DEPTH_MAX), nested(JSON_DEPTH_MAX)),
    ],
    ids=["tuple", "text enum", "enum key", "boolean", "minus zero", "largest integer", "odd text", "deepest"],
)
def test_what_json_can_hold_is_stored_as_json_writes_it(value: object, stored: object) -> None:
    """Tuples are lists and members of enums their values; nothing else changes, the type included."""
    output = result_of(first_step(engine_of(lambda _data: value))).output
    assert output == stored
    assert type(output) is type(stored)
    assert json.loads(json.dumps(output)) == output


class Receipt(BaseModel):
    """A model with what JSON itself lacks."""

    at: datetime
    cents: Decimal


RECEIPT = Receipt(at=datetime(2026, 1, 2, tzinfo=UTC), cents=Decimal("1.50"))


@pytest.mark.parametrize("reported", [RECEIPT, Output(RECEIPT)], ids=["model", "output with a model"])
def test_a_model_writes_datetimes_and_decimals(reported: object) -> None:
    """Values that JSON lacks come in by a pydantic model, which says how they are written."""
    output = result_of(first_step(engine_of(lambda _data: reported))).output
    assert output == {"at": "2026-01-02T00:00:00Z", "cents": "1.50"}


class Anything(BaseModel):
    """A model that takes what it cannot write."""

    it: object


class Hostile(Mapping[str, int]):
    """A mapping that lies about its keys."""

    def __getitem__(self, key: str) -> int:
        raise KeyError(key)

    def __iter__(self) -> Any:
        return iter("ab")

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    "reported",
    [Anything(it=object()), Anything(it=b"\xff"), Hostile(), Output(1, ["no", "handle"])],  # type: ignore[arg-type]
    ids=["model that cannot be written", "model with raw bytes", "mapping that raises", "handle that is no text"],
)
def test_whatever_a_node_returns_is_at_most_its_failure(reported: object) -> None:
    """A value that raises while it is read fails the step as data; nothing escapes ``execute_step``."""
    snapshot = first_step(engine_of(lambda _data: reported))
    assert snapshot.status is Status.FAILED
    assert result_of(snapshot).error is not None


class Unreadable(Exception):
    """An error that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_that_cannot_be_printed_is_an_error_all_the_same() -> None:
    """Its type is kept, and its message says why there is none."""

    def fail(_data: object) -> None:
        raise Unreadable

    error = result_of(first_step(engine_of(fail)))
    assert (error.error_type, error.error) == ("Unreadable", "Unreadable: its message cannot be read: RuntimeError")


def test_an_errors_message_is_text_that_can_be_stored() -> None:
    """The name of a file that is no UTF-8 comes into messages; it must not make the snapshot unwritable."""

    def fail(_data: object) -> None:
        raise FileNotFoundError(b"report\xff.txt".decode(errors="surrogateescape"))

    error = result_of(first_step(engine_of(fail))).error
    assert error == "FileNotFoundError: report?.txt"


def test_an_executors_input_is_its_own_copy() -> None:
    """A node that changes its input changes neither the definition nor any later step's input."""
    seen: list[object] = []

    def spoil(data: dict[str, Any]) -> object:
        seen.append(json.dumps(data))
        data["list"].append(1)
        data["new"] = data
        return "done"

    engine = engine_of(spoil, {"list": [], "deep": {"k": [1]}})
    first_step(engine)
    first_step(engine)
    assert seen == [json.dumps({"list": [], "deep": {"k": [1]}})] * 2


def test_what_an_expression_gives_is_a_copy_too() -> None:
    """A node that changes what ``run.input`` gave it does not change the run's input, nor what it returned."""

    def spoil(data: dict[str, Any]) -> object:
        data["whole"]["list"].append("spoilt")
        return data

    snapshot = first_step(engine_of(spoil, {"whole": "{{ run.input }}"}), {"list": []})
    assert snapshot.input == {"list": []}
    output = result_of(snapshot).output
    assert output == {"whole": {"list": ["spoilt"]}}


def test_what_a_node_keeps_of_its_output_is_not_the_historys() -> None:
    """A value changed after it was returned stays in the history as it was returned."""
    kept: dict[str, int] = {"n": 1}
    snapshot = first_step(engine_of(lambda _data: kept))
    kept["n"] = 2
    assert result_of(snapshot).output == {"n": 1}


@pytest.mark.parametrize("field", ["input", "metadata"])
def test_a_run_does_not_start_with_what_is_not_json(field: str) -> None:
    """What a run starts with is checked before there is a run, with the path in the error."""
    engine = engine_of(lambda data: data)
    value: Any = {"a": {"b": math.nan}}
    with pytest.raises(InvalidOutput, match=r"a\.b: nan"):
        engine.create_initial_snapshot("run-1", now_ms=NOW_MS, **{field: value})


def test_a_runs_input_is_not_the_callers() -> None:
    """The caller may go on with the value they started the run with."""
    value: dict[str, JsonValue] = {"list": []}
    snapshot = engine_of(lambda data: data).create_initial_snapshot("run-1", input=value, now_ms=NOW_MS)
    value["list"] = "changed"
    assert snapshot.input == {"list": []}


def test_a_steps_context_has_no_way_to_write() -> None:
    """``step.context`` is a read-only mapping: an executor can neither set nor delete a node's results."""
    tried: list[str] = []

    def write(_data: object, step: Step) -> None:
        context: Any = step.context
        names = ("__setitem__", "__delitem__", "update", "pop", "clear", "setdefault")
        tried.extend(name for name in names if hasattr(context, name))

    first_step(engine_of(write))
    assert tried == []


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.sampled_from(["\ud800", Colour.RED, Level.HIGH, 2**5000, b"x", frozenset(), Decimal(1), object])
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(ANYTHING)
def test_checked_copy_gives_json_or_raises(value: object) -> None:
    """Whatever the value: strict JSON that shares nothing with it, or InvalidOutput with a path."""
    try:
        copied = checked_copy(value)
    except InvalidOutput:
        return
    text = json.dumps(copied, allow_nan=False)
    text.encode()
    assert json.loads(text) == copied
    assert not shared(value, copied)
    assert checked_copy(copied) == copied


@settings(derandomize=True, deadline=None, max_examples=100)
@given(ANYTHING)
def test_copy_json_equals_its_original_and_shares_nothing(value: object) -> None:
    """The fast copy of what is JSON already is equal, and another object at each level."""
    try:
        original = checked_copy(value)
    except InvalidOutput:
        return
    copied = copy_json(original)
    assert copied == original
    assert not shared(original, copied)


def shared(one: object, other: object) -> bool:
    """Whether two values have a list or an object in common."""
    return bool(containers(one) & containers(other))


def containers(value: object) -> set[int]:
    """Identities of all lists and objects in a value."""
    if isinstance(value, dict):
        return {id(value)}.union(*(containers(item) for item in value.values()))
    if isinstance(value, list):
        return {id(value)}.union(*(containers(item) for item in value))
    return set()
