"""Node types as data: a schema and a workflow that does the work within one step."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from engine import (
    Host,
    MetricsObserver,
    Plugin,
    Registry,
    RetryPolicy,
    Snapshot,
    Status,
    Step,
    WorkflowDefinition,
    WorkflowEngine,
)
from engine.errors import InvalidDefinition
from engine.json_value import JsonObject, JsonValue
from engine.limits import NESTED_STEPS_MAX
from tests.engine.one_node import NOW_MS, PATIENT, first_step, result_of
from tests.engine.recorder import Recorder


class Told:
    """What the executors inside were told, in order."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, str]] = []
        self.steps: list[Step] = []


def new_registry(told: Told | None = None, plugins: tuple[Plugin, ...] = ()) -> Registry:
    """The core types and those that the workflows inside use."""
    registry = Registry(plugins=plugins)
    noted = Told() if told is None else told

    def note(data: object, step: Step) -> object:
        noted.keys.append((step.node_id, step.idempotency_key))
        noted.steps.append(step)
        return data

    def busy(data: object, step: Step) -> None:
        note(data, step)
        raise OSError("busy")

    async def later(data: object) -> object:
        await asyncio.sleep(0)
        return data

    registry.node("test:note")(note)
    registry.node("test:busy", retry_policy=RetryPolicy(5, interval=10))(busy)
    registry.node("test:later")(later)
    return registry


def inside(*nodes: JsonObject, edges: list[JsonValue] | None = None, **rest: JsonValue) -> JsonObject:
    """A node type ``test:made`` whose workflow has these nodes, one after the other."""
    ids = [str(node["id"]) for node in nodes]
    chain: list[JsonValue] = [{"source": a, "target": b} for a, b in pairwise(ids)]
    return {"type": "test:made", "workflow": {"nodes": list(nodes), "edges": chain if edges is None else edges}, **rest}


def using(
    registry: Registry, made: JsonObject, data: JsonValue = None, policy: JsonObject | None = None
) -> WorkflowEngine:
    """An engine whose only node ``it`` is of the type ``test:made``."""
    assert registry.add_node_data(made) == made["type"]
    node: JsonObject = {"id": "it", "type": "test:made", "data": {} if data is None else data}
    if policy is not None:
        node["policy"] = policy
    return registry.engine(WorkflowDefinition.parse({"name": "outer", "nodes": [node]}))


def set_(node_id: str, data: JsonValue) -> JsonObject:
    """A node of the plainest type."""
    return {"id": node_id, "type": "core:set", "data": data}


def test_a_workflow_inside_is_given_the_data_and_gives_its_output() -> None:
    """The resolved data is its input and its first step's payload; its output is the step's; one result is kept."""
    made = inside(
        {"id": "begin", "type": "core:trigger"},
        set_("sum", "{{ previous.n + run.input.n }}"),
        set_("text", "is {{ previous }}"),
    )
    snapshot = first_step(using(new_registry(), made, {"n": "{{ run.input }}"}), 4)
    assert (snapshot.status, snapshot.output, snapshot.version) == (Status.COMPLETED, "is 8", 1)
    assert list(snapshot.context) == ["it"]


SCHEMA: JsonObject = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (inside(set_("a", 1), input=SCHEMA), "InvalidInput: node 'it': input.n: the value is not of type 'integer'"),
        (inside(set_("a", {"n": "x"}), output=SCHEMA), "InvalidOutput: node 'it': output.n: the value is not of type"),
    ],
    ids=["input", "output"],
)
def test_its_schemas_hold_like_any_types(made: JsonObject, error: str) -> None:
    """Input before the workflow runs, output after; never tried again."""
    snapshot = first_step(using(new_registry(), made, {"n": "{{ 'x' }}"}, PATIENT))
    assert (snapshot.status, result_of(snapshot).attempt) == (Status.FAILED, 1)
    assert (result_of(snapshot).error or "").startswith(error)


def test_data_is_held_against_its_input_schema_at_registration() -> None:
    """Where no expression stands in it, a workflow that uses it wrongly is refused."""
    with pytest.raises(InvalidDefinition, match=r"\$\.nodes\[0\]\.data: 'n' is a required property"):
        using(new_registry(), inside(set_("a", 1), input=SCHEMA), {})


def test_an_editor_is_told_what_the_document_says() -> None:
    """Description, schemas and metadata; it has no exits but the unnamed one."""
    registry = new_registry()
    registry.add_node_data(
        inside(set_("a", 1), description="Does it.", input=SCHEMA, output={"type": "integer"}, metadata={"icon": ["x"]})
    )
    registry.add_node_data({**inside(set_("a", 1)), "type": "test:bare"})
    told: dict[str, Any] = {
        str(each["type"]): each for each in registry.describe_node_types() if isinstance(each, dict)
    }
    assert told["test:made"] == {
        "type": "test:made",
        "executed": True,
        "description": "Does it.",
        "input": SCHEMA,
        "output": {"type": "integer"},
        "handles": [],
        "handlesByData": False,
        "retry": [],
        "timeoutMs": None,
        "raw": False,
        "metadata": {"icon": ["x"]},
    }
    bare = told["test:bare"]
    assert [bare[name] for name in ("description", "input", "output", "metadata")] == [None] * 4


def test_a_failure_inside_is_the_steps_own() -> None:
    """By its type and message: catch edges and policies outside know it."""
    engine = using(
        new_registry(), inside({"id": "no", "type": "core:fail", "data": {"error": "OutOfTea", "message": "a: b"}})
    )
    error = result_of(first_step(engine))
    assert (error.error_type, error.error) == ("OutOfTea", "OutOfTea: a: b")
    registry = new_registry()
    registry.add_node_data(inside({"id": "no", "type": "test:busy"}))
    registry.add(
        {
            "name": "catching",
            "nodes": [{"id": "it", "type": "test:made"}, set_("tea", "{{ nodes.it.last.error }}")],
            "edges": [{"source": "it", "target": "tea", "sourceHandle": "error:OSError"}],
        }
    )
    assert registry.engine("catching").execute(now_ms=NOW_MS).output == "OSError: busy"


def test_a_failure_caught_inside_is_none_outside() -> None:
    """The workflow inside has its own catch edges."""
    made = inside(
        {"id": "no", "type": "test:busy", "policy": {"retry": []}},
        set_("else", "{{ nodes.no.last.error }}"),
        edges=[{"source": "no", "target": "else", "sourceHandle": "error"}],
    )
    assert first_step(using(new_registry(), made)).output == "OSError: busy"


def test_a_retry_inside_is_left_to_the_step() -> None:
    """It would have to wait, which a step cannot: the first failure is the step's, whose own policy decides."""
    told = Told()
    made = inside({"id": "no", "type": "test:busy"})
    assert first_step(using(new_registry(told), made)).status is Status.FAILED
    assert len(told.keys) == 1
    snapshot = first_step(using(new_registry(told), made, policy=PATIENT))
    assert (snapshot.status, result_of(snapshot).error) == (Status.ERROR, "OSError: busy")


@pytest.mark.parametrize(
    ("waiting", "policy"),
    [({"id": "w", "type": "core:wait"}, None), ({"id": "w", "type": "core:sleep", "data": {"ms": 5}}, PATIENT)],
    ids=["signal", "sleep"],
)
def test_a_workflow_inside_cannot_wait(waiting: JsonObject, policy: JsonObject | None) -> None:
    """The step fails for good, names the node that would, and says how to run it instead."""
    snapshot = first_step(using(new_registry(), inside(set_("a", 1), waiting), policy=policy))
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type, error.attempt) == (Status.FAILED, "NeedsHost", 1)
    assert error.error is not None
    assert "'w' waits" in error.error
    assert "core:workflow" in error.error


@pytest.mark.parametrize(
    ("times", "status"), [(NESTED_STEPS_MAX // 2 - 1, "completed"), (NESTED_STEPS_MAX // 2, "failed")]
)
def test_the_steps_inside_are_counted(times: int, status: str) -> None:
    """As many as the limit and no more: a workflow inside that does not end fails its step."""
    made = inside(
        {"id": "again", "type": "core:repeat", "data": {"times": times}},
        set_("once", None),
        set_("end", "done"),
        edges=[
            {"source": "again", "target": "once", "sourceHandle": "loop"},
            {"source": "once", "target": "again"},
            {"source": "again", "target": "end", "sourceHandle": "done"},
        ],
    )
    snapshot = first_step(using(new_registry(), made))
    assert snapshot.status == status
    assert result_of(snapshot).error_type == (None if status == "completed" else "NestedStepsExceeded")


def keys_of(told: Told) -> list[str]:
    """The keys noted so far, which are forgotten."""
    keys = [key for _, key in told.keys]
    told.keys.clear()
    return keys


def test_idempotency_keys_inside_are_the_steps_own() -> None:
    """Each step inside has another; a retry of the outer step repeats them; no other step or run has them."""
    told = Told()
    registry = new_registry(told)
    made = inside({"id": "a", "type": "test:note"}, {"id": "b", "type": "test:note"}, {"id": "c", "type": "test:busy"})
    engine = using(registry, made, policy=PATIENT)
    failed = first_step(engine, host=Host(nonce="n1"))
    first = keys_of(told)
    assert len(set(first)) == 3
    engine.execute_step(failed, now_ms=NOW_MS, host=Host(nonce="n1"))
    assert keys_of(told) == first
    first_step(engine, host=Host(nonce="n2"))
    other_run = keys_of(told)
    first_step(engine, host=Host(nonce="n1", retry_epoch=1))
    other_epoch = keys_of(told)
    assert len({*first, *other_run, *other_epoch}) == 9


def test_two_nodes_of_one_type_have_keys_of_their_own() -> None:
    """The same step inside of two steps outside is two steps; so are two visits of one."""
    told = Told()
    registry = new_registry(told)
    registry.add_node_data(inside({"id": "a", "type": "test:note"}))
    nodes = [{"id": node_id, "type": "test:made"} for node_id in ("one", "two")]
    edges = [{"source": "one", "target": "two"}, {"source": "two", "target": "one"}]
    registry.add({"name": "round", "nodes": nodes, "edges": edges})
    registry.engine("round").execute(step_limit=4, now_ms=NOW_MS)
    assert len(set(keys_of(told))) == 4


def test_steps_inside_are_told_what_the_outer_one_was() -> None:
    """Globals and the deadline; the run's id says whose step it is."""
    told = Told()
    engine = using(new_registry(told), inside({"id": "a", "type": "test:note", "data": "{{ globals.g }}"}))
    snapshot = first_step(engine, globals={"g": "glob"}, host=Host(deadline_ms=NOW_MS + 5))
    step = told.steps[0]
    assert (snapshot.output, dict(step.globals), step.deadline_ms) == ("glob", {"g": "glob"}, NOW_MS + 5)
    assert (step.workflow_id, step.node_id, step.context.outputs("it")) == ("run-1/it", "a", [])


def test_plugins_are_told_of_steps_inside_and_of_one_run() -> None:
    """Each execution of a node is one; the workflow inside is no run that starts, ends or fails."""
    recorder, metrics = Recorder(), MetricsObserver()
    engine = using(new_registry(plugins=(recorder, metrics)), inside(set_("a", 1), {"id": "b", "type": "test:busy"}))
    first_step(engine)
    assert recorder.told == [
        *("before it 1.1", "before a 1.1", "after a 1.1", "before b 1.1", "error b 1.1"),
        *("error it 1.1", "start 0", "fail 1"),
    ]
    assert metrics.health()["runs"] == {"started": 1, "paused": 0, "completed": 0, "failed": 1, "cancelled": 0}


def test_a_node_type_may_use_another() -> None:
    """Workflows nest; each level's failures come out as they went in."""
    registry = new_registry()
    registry.add_node_data({**inside(set_("a", "{{ run.input + 1 }}")), "type": "test:plus-one"})
    twice = inside(
        {"id": "x", "type": "test:plus-one", "data": "{{ run.input }}"},
        {"id": "y", "type": "test:plus-one", "data": "{{ previous }}"},
    )
    assert first_step(using(registry, twice, 5)).output == 7


@pytest.mark.parametrize("nested", [False, True])
def test_async_executors_inside_work_for_every_host(*, nested: bool) -> None:
    """Those that have an event loop and those that have none."""
    registry = new_registry()
    made = inside({"id": "a", "type": "test:later", "data": "{{ run.input }}"}, set_("b", ["{{ previous }}"]))
    if nested:
        registry.add_node_data({**made, "type": "test:deep"})
        made = inside({"id": "c", "type": "test:deep", "data": "{{ run.input }}"})
    engine = using(registry, made, 3)
    assert first_step(engine).output == [3]

    async def by_loop() -> Snapshot:
        return await engine.execute_step_async(engine.create_initial_snapshot("run-1", now_ms=NOW_MS), now_ms=NOW_MS)

    assert asyncio.run(by_loop()).output == [3]


def faults_in(document: Any) -> dict[str, str]:
    """What is said of a node type, by path."""
    with pytest.raises(InvalidDefinition) as refused:
        new_registry().add_node_data(document)
    return {fault.path: fault.message for fault in refused.value.faults}


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        ({"workflow": {"nodes": [set_("a", 1)]}}, "$.type", "required"),
        ({"type": "", "workflow": {"nodes": [set_("a", 1)]}}, "$.type", "at least 1"),
        ({"type": "x"}, "$.workflow", "required"),
        ({"type": "x", "workflow": "other"}, "$.workflow", "dictionary"),
        (inside(set_("a", 1), colour="red"), "$.colour", "Extra"),
        (inside(set_("a", 1), description=5), "$.description", "string"),
        (inside(set_("a", 1), input={"type": "strin"}), "$.input.type", "not a JSON Schema"),
        (inside(set_("a", 1), output={"required": 1}), "$.output.required", "not a JSON Schema"),
        (inside(), "$.workflow.nodes", "at least one node"),
        (inside({"id": "a", "type": "test:no"}), "$.workflow.nodes[0].type", "'test:no' is not registered"),
        (inside(set_("a", 1), {"id": "b", "type": "core:if", "data": {}}), "$.workflow.nodes[1].data.when", "required"),
        (inside(set_("a", {"k": ["{{ 1 + }}"]})), "$.workflow.nodes[0].data.k[0]", " at "),
        (
            inside(set_("a", 1), edges=[{"source": "a", "target": "a", "sourceHandle": "x"}]),
            "$.workflow.edges[0].sourceHandle",
            "no handle 'x'",
        ),
        (inside({"id": "a", "type": "test:made"}), "$.workflow.nodes[0].type", "is not registered"),
    ],
)
def test_a_fault_is_told_with_its_path(document: JsonObject, path: str, said: str) -> None:
    """Found when the type is registered; one that uses itself is not known yet."""
    faults = faults_in(document)
    assert list(faults) == [path]
    assert said in faults[path]


def test_all_faults_are_told_at_once() -> None:
    """Of the schemas and of the workflow together."""
    document = inside({"id": "a", "type": "test:no"}, set_("b", "{{"), input={"type": 1}, output={"type": 1})
    assert set(faults_in(document)) == {
        "$.input.type",
        "$.output.type",
        "$.workflow.nodes[0].type",
        "$.workflow.nodes[1].data",
    }


def test_a_faulty_type_is_not_registered_and_a_taken_one_is_refused() -> None:
    """Nothing half-made stays behind."""
    registry = new_registry()
    with pytest.raises(InvalidDefinition):
        registry.add_node_data(inside())
    assert "test:made" not in registry.node_definitions
    with pytest.raises(ValueError, match="'core:set' is registered already"):
        registry.add_node_data({**inside(set_("a", 1)), "type": "core:set"})
