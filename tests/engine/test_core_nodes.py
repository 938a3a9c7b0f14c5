"""The core node types: each handle and output, JavaScript's truth, and what the bare engine leaves to a host."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Registry, Resumed, Snapshot, Status
from engine.core_nodes import CORE_NODES
from engine.json_value import JsonObject, JsonValue
from engine.outcome import Wait
from tests.engine.one_node import NOW_MS, PATIENT, core_engine, first_step, result_of


def went(snapshot: Snapshot) -> tuple[JsonValue, str | None]:
    """A step's output and the handle it left by."""
    target = snapshot.current_node_id
    return result_of(snapshot).output, None if target is None else target.removeprefix("to:")


TRUTH: list[tuple[JsonValue, bool]] = [
    (None, False),
    (False, False),
    (True, True),
    (0, False),
    (-0.0, False),
    (0.0, False),
    (1, True),
    (-1, True),
    (0.1, True),
    ("", False),
    (" ", True),
    ("0", True),
    ("false", True),
    ([], True),
    ([0], True),
    ({}, True),
    ({"a": None}, True),
]


@pytest.mark.parametrize(("value", "truth"), TRUTH, ids=[repr(case[0]) for case in TRUTH])
@pytest.mark.parametrize("written", ["literal", "expression"])
def test_if_knows_truth_as_javascript_does(value: JsonValue, written: str, *, truth: bool) -> None:
    """An empty list is true and an empty text is not, whether written in the data or given by an expression."""
    data: JsonObject = {"when": value if written == "literal" else "{{ run.input }}"}
    snapshot = first_step(core_engine("core:if", data, "true", "false"), value)
    assert went(snapshot) == (truth, "true" if truth else "false")


@pytest.mark.parametrize(("value", "truth"), TRUTH, ids=[repr(case[0]) for case in TRUTH])
def test_while_knows_the_same_truth(value: JsonValue, *, truth: bool) -> None:
    """A loop's condition is judged as a branch's is."""
    snapshot = first_step(core_engine("core:while", {"when": value}, "loop", "done"))
    assert went(snapshot) == (({"index": 0}, "loop") if truth else ({"count": 0}, "done"))


CASES: list[tuple[JsonValue, list[JsonValue], str]] = [
    ("a", ["a", "b"], "a"),
    ("b", ["a", "b"], "b"),
    ("c", ["a", "b"], "default"),
    (1, [1], "1"),
    (1.0, [1], "1"),
    (1, [1.0], "1"),
    (1.5, [1.5], "1.5"),
    (-2, [-2], "-2"),
    ("1", [1], "default"),
    (1, ["1"], "default"),
    (True, [True], "true"),
    (True, [1], "default"),
    (1, [True], "default"),
    (0, [False], "default"),
    (False, [True, False], "false"),
    ("true", [True], "default"),
    (None, [None], "null"),
    (None, ["null"], "default"),
    (None, [False, 0, ""], "default"),
    ([1], ["x"], "default"),
    ({"a": 1}, ["x"], "default"),
    ("a", [], "default"),
]


@pytest.mark.parametrize(("value", "cases", "handle"), CASES, ids=[f"{case[0]!r} in {case[1]!r}" for case in CASES])
def test_switch_goes_by_the_equal_case(value: JsonValue, cases: list[JsonValue], handle: str) -> None:
    """Equal and of one kind: numbers with numbers, never a boolean with a number or a text; else ``default``."""
    engine = core_engine("core:switch", {"value": "{{ run.input }}", "cases": cases}, handle)
    snapshot = first_step(engine, value)
    assert went(snapshot) == (value, handle)


def test_trigger_gives_the_starts_payload_and_set_its_data() -> None:
    """The two ways to bring a value in."""
    assert first_step(core_engine("core:trigger", None), {"a": [1]}).output == {"a": [1]}
    values: list[JsonValue] = [None, 0, "", [], {}]
    for value in values:
        assert first_step(core_engine("core:set", value)).output == value
    assert first_step(core_engine("core:set", {"a": "{{ 1 + 1 }}"})).output == {"a": 2}


def test_wait_asks_for_its_signal_with_its_times() -> None:
    """Name, timeout and heartbeat are in the snapshot, where the shell reads them."""
    data: JsonObject = {"signal": "decision", "timeoutMs": 500, "heartbeatMs": 20}
    snapshot = first_step(core_engine("core:wait", data))
    assert snapshot.status is Status.PAUSED
    assert snapshot.wait == Wait(
        "decision", NOW_MS + 500, "timeout", visit=1, attempt=1, resumes=0, heartbeat_ms=20, data=None
    )
    assert snapshot.context.length == 0


def test_wait_without_a_name_waits_for_resume() -> None:
    """The name a wait has when it names none is Refluxo's."""
    wait = first_step(core_engine("core:wait", {})).wait
    assert wait is not None
    assert (wait.signal, wait.due_at_ms) == ("resume", None)


@pytest.mark.parametrize(
    ("resumed", "output", "target"),
    [
        (Resumed("signal", "resume", {"ok": 1}), {"ok": 1}, None),
        (Resumed("operator", None, "lifted"), "lifted", None),
        (Resumed("timeout"), None, "timeout"),
    ],
)
def test_a_wait_ends_by_what_ended_it(resumed: Resumed, output: JsonValue, target: str | None) -> None:
    """A payload goes on by the unnamed handle; a timeout by its own."""
    engine = core_engine("core:wait", {"timeoutMs": 5}, "timeout")
    paused = first_step(engine)
    ended = engine.execute_step(paused, resumed.payload, resumed=resumed, now_ms=NOW_MS + 5)
    assert went(ended) == (output, target)


@pytest.mark.parametrize(("data", "until"), [({"ms": 0}, NOW_MS), ({"ms": 7}, NOW_MS + 7), ({"until": 99}, 99)])
def test_sleep_gives_the_moment_it_slept_until(data: JsonObject, until: int) -> None:
    """It is a timer and no signal: only its time ends it."""
    engine = core_engine("core:sleep", data)
    asleep = first_step(engine)
    assert asleep.wait is not None
    assert (asleep.wait.signal, asleep.wait.by, asleep.due_at_ms) == (None, "timer", until)
    awake = engine.execute_step(asleep, resumed=Resumed("timer"), now_ms=until)
    assert (awake.status, awake.output) == (Status.COMPLETED, {"until": until})


def test_fail_fails_with_the_authors_own_error() -> None:
    """Its type is the author's: catch edges and retry policies know it by that."""
    engine = core_engine("core:fail", {"error": "OutOfStock", "message": "{{ 'no tea' }}"}, "error:OutOfStock")
    caught = first_step(engine)
    assert (result_of(caught).error, result_of(caught).error_type) == ("OutOfStock: no tea", "OutOfStock")
    assert went(caught) == (None, "error:OutOfStock")


@pytest.mark.parametrize(("given", "said"), [("{{ 404 }}", "404"), ("{{ [1] }}", "[1]"), (7, "7")])
def test_a_failure_fails_by_its_own_error_whatever_its_message_is(given: JsonValue, said: str) -> None:
    """What is no text is told as JSON."""
    caught = first_step(core_engine("core:fail", {"error": "Odd", "message": given}, "error"))
    assert result_of(caught).error == f"Odd: {said}"


def test_a_loop_starts_afresh_after_done() -> None:
    """Its position is that of its own last success, so that a second entry begins at the first item."""
    engine = core_engine("core:loop", {"items": ["a"]}, "loop", "done")
    snapshot = first_step(engine)
    outputs = [result_of(snapshot).output]
    for _ in range(3):
        back = Snapshot.from_json({**snapshot.to_json(), "currentNodeId": "it"})
        snapshot = engine.execute_step(back, now_ms=NOW_MS)
        outputs.append(result_of(snapshot).output)
    assert outputs == [{"item": "a", "index": 0}, {"count": 1}, {"item": "a", "index": 0}, {"count": 1}]


@pytest.mark.parametrize(
    ("node_type", "data"),
    [
        ("core:loop", {"items": "{{ 'abc' }}"}),
        ("core:loop", {"items": "{{ run.nothing }}"}),
        ("core:repeat", {"times": "{{ 0 - 1 }}"}),
        ("core:repeat", {"times": "{{ 1.5 }}"}),
        ("core:sleep", {"ms": "{{ 'soon' }}"}),
        ("core:wait", {"timeoutMs": "{{ 0 - 1 }}"}),
    ],
)
def test_data_that_turns_out_wrong_is_an_input_error(node_type: str, data: JsonObject) -> None:
    """What an expression gave is checked too: InvalidInput, once, with the field."""
    snapshot = first_step(core_engine(node_type, data, policy=PATIENT))
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type, error.attempt) == (Status.FAILED, "InvalidInput", 1)


HOSTED: dict[str, JsonObject] = {
    "core:http": {"method": "GET", "url": "https://example.com"},
    "core:parallel": {"branches": {"a": "other"}},
    "core:map": {"items": [1], "workflow": "other"},
    "core:workflow": {"workflow": "other@1"},
    "core:signal": {"workflowId": "r", "signal": "go"},
}


@pytest.mark.parametrize("node_type", HOSTED)
def test_what_does_io_needs_a_host(node_type: str) -> None:
    """The bare engine fails these with NeedsHost rather than pretend, and does not try again."""
    snapshot = first_step(core_engine(node_type, HOSTED[node_type]))
    assert (snapshot.status, result_of(snapshot).error_type) == (Status.FAILED, "NeedsHost")


def test_every_core_type_tells_an_editor_what_it_is() -> None:
    """Documentation, schema and handles of each type can be asked for."""
    for node_type, definition in CORE_NODES.items():
        assert definition.executor.__doc__, node_type
        if isinstance(definition.input, type):
            schema: Any = definition.input.model_json_schema(by_alias=True)
            assert schema["type"] == "object", node_type
    assert set(CORE_NODES) <= set(Registry().node_definitions)
