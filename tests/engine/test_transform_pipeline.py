"""From a node's data to its executor's input: transform engines in order, what is left raw, and what may be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from engine import JexlTransformEngine, Registry, Snapshot, Status, TransformEngine, WorkflowDefinition, WorkflowEngine
from engine.errors import ExpressionError, InvalidDefinition
from engine.json_value import JsonObject, JsonValue
from engine.transform import Names, TemplateValidator
from tests.engine.one_node import NOW_MS, PATIENT, engine_of, first_step, result_of


def mapped(value: JsonValue, change: Callable[[str], JsonValue]) -> JsonValue:
    """A value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    return [mapped(item, change) for item in value] if isinstance(value, list) else value


class Marking:
    """Puts a mark behind every text: shows where in the order it was asked."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def transform(self, data: JsonValue, _names: Names) -> JsonValue:
        """See TransformEngine."""
        return mapped(data, lambda text: text + self.mark)


class Dollars:
    """A syntax of its own: ``$id`` is the run's id."""

    def transform(self, data: JsonValue, names: Names) -> JsonValue:
        """See TransformEngine."""
        run = names["run"]
        assert isinstance(run, Mapping)
        return mapped(data, lambda text: str(run["id"]) if text == "$id" else text)


class Careless:
    """Gives back what it is given, against the contract: the very same object."""

    def transform(self, data: JsonValue, _names: Names) -> JsonValue:
        """See TransformEngine."""
        return data


def piped(
    engines: Sequence[TransformEngine],
    data: JsonValue,
    executor: Callable[..., Any] = lambda data: data,
    **options: Any,
) -> WorkflowEngine:
    """An engine of one node ``it`` over a pipeline of transform engines."""
    registry = Registry(transform_engines=engines)
    registry.node("test:it", **options)(executor)
    node: JsonObject = {"id": "it", "type": "test:it", "data": data, "policy": PATIENT}
    return registry.engine(WorkflowDefinition.parse({"nodes": [node]}))


@pytest.mark.parametrize(
    ("engines", "output"),
    [
        ([], "{{ 1 + 1 }}x"),
        ([JexlTransformEngine()], "2x"),
        ([JexlTransformEngine(), Marking("a"), Marking("b")], "2xab"),
        ([Marking("b"), Marking("a"), JexlTransformEngine()], "2xba"),
    ],
    ids=["none", "Jexl", "Jexl first", "Jexl last"],
)
def test_each_engine_is_given_the_result_of_the_one_before(engines: list[TransformEngine], output: str) -> None:
    """In order, and none of them means that data stays as it is written."""
    assert first_step(piped(engines, {"a": ["{{ 1 + 1 }}x"]})).output == {"a": [output]}


def test_an_engine_may_have_a_syntax_of_its_own() -> None:
    """What it resolves is its own business: it sees the data whether or not there are braces in it."""
    assert first_step(piped([Dollars()], {"id": "$id"})).output == {"id": "run-1"}
    both = piped([JexlTransformEngine(), Dollars()], ["$id", "{{ '$' + 'id' }}", "{{ run.id }}"])
    assert first_step(both).output == ["run-1", "run-1", "run-1"]


@pytest.mark.parametrize("engines", [[], [Careless()], [Careless(), JexlTransformEngine()]], ids=len)
@pytest.mark.parametrize("text", ["plain", "{{ 1 }}"])
def test_an_executors_input_is_its_own_copy_whatever_the_engines_do(engines: list[TransformEngine], text: str) -> None:
    """A node that changes its input changes neither the definition nor a later step."""

    def spoil(data: dict[str, Any]) -> object:
        data["list"].append(1)
        return data["list"]

    engine = piped(engines, {"list": [], "text": text}, spoil)
    assert [first_step(engine).output for _ in range(3)] == [[1]] * 3


def test_an_engines_own_error_is_the_nodes_failure() -> None:
    """As an expression's is, under the type that it raised."""

    class Failing:
        def transform(self, _data: JsonValue, _names: Names) -> JsonValue:
            raise ExpressionError("no", expression="x")

    error = result_of(first_step(piped([Failing()], {})))
    assert (error.error, error.attempt) == ("ExpressionError: no in 'x'", 1)


def test_only_an_engine_that_can_tell_is_asked_for_faulty_templates() -> None:
    """One without ``validate_template`` refuses nothing before a run."""
    assert isinstance(JexlTransformEngine(), TemplateValidator)
    assert not isinstance(Dollars(), TemplateValidator)
    assert first_step(piped([Dollars()], "{{ 1 + }}")).output == "{{ 1 + }}"
    with pytest.raises(InvalidDefinition, match=r"\$\.nodes\[0\]\.data: "):
        piped([Dollars(), JexlTransformEngine()], "{{ 1 + }}")


def test_raw_leaves_expressions_alone() -> None:
    """Neither resolved nor checked, and none of the engines sees it; the input is a copy all the same."""

    def spoil(data: dict[str, Any]) -> object:
        data["list"].append(data["text"])
        return data

    engine = piped([JexlTransformEngine(), Marking("!")], {"text": "{{ 1 + }}", "list": []}, spoil, raw=True)
    for _ in range(2):
        assert first_step(engine).output == {"text": "{{ 1 + }}", "list": ["{{ 1 + }}"]}


def test_raw_fields_leave_the_others_to_be_resolved() -> None:
    """By name, at the top of the data; a field that is not there is not missed."""
    data: JsonObject = {"body": {"t": "{{ 1 + }}"}, "to": "{{ run.id }}", "deep": {"body": "{{ 2 }}"}}
    engine = piped([JexlTransformEngine()], data, raw=("body", "head"))
    for _ in range(2):
        assert first_step(engine).output == {"body": {"t": "{{ 1 + }}"}, "to": "run-1", "deep": {"body": 2}}


def test_raw_fields_are_the_executors_own_copy() -> None:
    """As the rest of its input is."""

    def spoil(data: dict[str, Any]) -> object:
        data["body"].append(1)
        return data["body"]

    engine = piped([JexlTransformEngine()], {"body": [], "to": "{{ 1 }}"}, spoil, raw=["body"])
    assert [first_step(engine).output for _ in range(2)] == [[1], [1]]


def test_raw_fields_of_what_is_no_object_are_none() -> None:
    """Data that is one expression is resolved whole; what it gives is not resolved again."""
    engine = piped([JexlTransformEngine()], "{{ run.input }}", raw=("body",))
    assert first_step(engine, {"body": "{{ 1 }}"}).output == {"body": "{{ 1 }}"}


def two_nodes(data: JsonValue, **options: Any) -> Snapshot:
    """A run whose second node ``b`` has that data, after ``a`` gave ``{"n": 1}``."""
    nodes: list[JsonValue] = [
        {"id": "a", "type": "core:set", "data": {"n": 1}},
        {"id": "b", "type": "core:set", "data": data},
    ]
    engine = Registry().engine(WorkflowDefinition.parse({"nodes": nodes, "edges": [{"source": "a", "target": "b"}]}))
    return engine.execute(external_payload={"list": [1]}, workflow_id="run-1", now_ms=NOW_MS, **options)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("nodes.a.last.data.n", 1),
        ("nodes.a.last.error", None),
        ("nodes.a.last.timestamp", NOW_MS),
        ("nodes.a.all[0].data", {"n": 1}),
        ("nodes.a.all|length", 1),
        ("nodes.a.output.n", 1),
        ("nodes.b.last", None),
        ("previous", {"n": 1}),
        ("run", {"id": "run-1", "input": {"list": [1]}}),
        ("run.input.list[0]", 1),
        ("input.fixed", "own"),
        ("globals.g", "glob"),
        ("globals.missing", None),
    ],
)
def test_the_names_an_expression_may_use(expression: str, value: JsonValue) -> None:
    """Those of the contract; what is not there is null."""
    snapshot = two_nodes({"it": f"{{{{ {expression} }}}}", "fixed": "own"}, globals={"g": "glob"})
    assert snapshot.output == {"it": value, "fixed": "own"}


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("undefinedName", "there is no name 'undefinedName'; there are: nodes, previous, run, input, globals"),
        ("node.a.last.data", "there is no name 'node'"),
        ("nodes.nobody.last.data", "nodes.nobody: there is no node 'nobody'; nodes: a"),
        ("nodes['nobody'].output", "nodes.nobody: there is no node 'nobody'"),
        ("true ? previous : nodes.b.output", "nodes.b: there is no node 'b'"),
        ("run.input.list[.a > nodes.b.output]", "nodes.b: there is no node 'b'"),
    ],
)
def test_a_name_that_no_run_will_have_is_told_when_the_workflow_is_written(expression: str, fault: str) -> None:
    """A misspelt one would be null for ever, and choose a branch without a word."""
    document = {"name": "w", "nodes": [{"id": "a", "type": "core:set", "data": {"x": f"{{{{ {expression} }}}}"}}]}
    with pytest.raises(InvalidDefinition) as raised:
        Registry().add(document)
    assert [item.path for item in raised.value.faults] == ["$.nodes[0].data.x"]
    assert fault in raised.value.faults[0].message


def test_names_that_are_worked_out_are_not_judged() -> None:
    """What stands in brackets is known when it is evaluated; elements of a filter are no names."""
    expressions = [
        "{{ nodes[run.input.which].output }}",
        "{{ run.input.list[.nobody > 1] }}",
        "{{ nodes['a'].output }}",
    ]
    Registry().add({"name": "w", "nodes": [{"id": "a", "type": "core:set", "data": expressions}]})


def test_input_is_the_nodes_own_data_as_written() -> None:
    """With its expressions unresolved and its raw fields in it."""
    data: JsonObject = {"raw": {"k": "{{ 1 }}"}, "text": "{{ 2 }}", "seen": "{{ input }}"}
    output: Any = first_step(engine_of(lambda data: data, data, raw=("raw",))).output
    assert output["seen"] == data


def test_previous_is_the_output_of_the_step_before_whichever_path_led_here() -> None:
    """Past a failed attempt and a join of paths: the newest success that the run went through."""
    nodes: list[JsonValue] = [
        {"id": "if", "type": "core:if", "data": {"when": "{{ run.input }}"}},
        {"id": "yes", "type": "core:set", "data": "yes"},
        {"id": "no", "type": "core:fail", "data": {"error": "No"}},
        {
            "id": "join",
            "type": "core:set",
            "data": ["{{ previous }}", "{{ nodes.no.last.error }}", "{{ nodes.no.output }}"],
        },
    ]
    edges: list[JsonValue] = [
        {"source": "if", "target": "yes", "sourceHandle": "true"},
        {"source": "if", "target": "no", "sourceHandle": "false"},
        {"source": "yes", "target": "join"},
        {"source": "no", "target": "join", "sourceHandle": "error"},
    ]
    engine = Registry().engine(WorkflowDefinition.parse({"nodes": nodes, "edges": edges}))
    assert engine.execute(external_payload=True, now_ms=NOW_MS).output == ["yes", None, None]
    assert engine.execute(external_payload=False, now_ms=NOW_MS).output == [False, "No: ", None]


class Vault(Mapping[str, Any]):
    """Globals that are fetched when they are asked for, and note what was."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        if key not in {"one", "two"}:
            raise KeyError(key)
        return {"value": f"secret {key}"}

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("nobody needs them all")

    def __len__(self) -> int:
        raise AssertionError("nobody needs their number")


@pytest.mark.parametrize(
    ("data", "asked", "output"),
    [
        ("plain", [], "plain"),
        ("{{ run.id }}", [], "run-1"),
        ("{{ globals.one.value|length }}", ["one"], 10),
        ("{{ false && globals.one }}", [], False),
        ("{{ globals.three }}", ["three"], None),
        (["{{ globals.one.value|length }}", "{{ globals.two.value|length }}"], ["one", "two"], [10, 10]),
    ],
    ids=str,
)
def test_globals_are_read_one_by_one_and_when_they_are_needed(
    data: JsonValue, asked: list[str], output: JsonValue
) -> None:
    """A host may fetch each secret as an expression asks for it; a step without one fetches none."""
    vault = Vault()
    snapshot = first_step(engine_of(lambda data: data, data), globals=vault)
    assert (snapshot.output, vault.asked) == (output, asked)


def test_an_executor_reads_the_same_globals() -> None:
    """The host's own mapping, as lazy as it is."""
    vault = Vault()
    engine = engine_of(lambda _data, step: len(step.globals["two"]["value"]))
    assert (first_step(engine, globals=vault).output, vault.asked) == (10, ["two"])


CANARY = "canary-5f0e"
FAULTY = [
    "{{ globals.secret.key * {} }}",
    "{{ globals.secret.key|keys }}",
    "{{ globals.secret.key|number|length }}",
    "{{ globals.secret.list.x.y[0] }}",
    "{{ globals.secret[globals.secret.key][0] }}",
    "{{ globals.secret.key|callbackUrl }}",
    "{{ globals.secret.key / 0 }}",
    "{{ 'a'|callbackUrl(globals.secret.key) }}",
    "{{ globals.secret.key|split(globals.secret) }}",
]


@pytest.mark.parametrize("expression", FAULTY)
def test_globals_do_not_come_into_errors(expression: str) -> None:
    """An expression that fails is quoted as written; the values it failed over are not."""
    secret: JsonObject = {"key": CANARY, "list": [CANARY]}
    engine = engine_of(lambda data: data, {"it": expression}, policy=PATIENT)
    snapshot = first_step(engine, globals={"secret": secret})
    assert result_of(snapshot).error_type == "ExpressionError"
    assert CANARY not in json.dumps(snapshot.to_json())


def test_globals_do_not_come_into_snapshots_by_themselves() -> None:
    """Nothing but what a node returns is stored: not what it was given, nor what the step knew."""

    def use(data: object, step: Any) -> object:
        assert CANARY in str(data)
        assert step.globals == {"secret": CANARY}
        assert CANARY not in repr(step)
        if step.attempt == 1:
            raise OSError("busy")
        return {"length": len(str(data))}

    engine = engine_of(use, {"auth": "Bearer {{ globals.secret }}"}, policy=PATIENT)
    snapshot = first_step(engine, globals={"secret": CANARY})
    documents = [snapshot.to_json()]
    documents.append(engine.execute_step(snapshot, globals={"secret": CANARY}, now_ms=NOW_MS).to_json())
    assert [document["status"] for document in documents] == [Status.ERROR, Status.COMPLETED]
    assert CANARY not in json.dumps(documents)


def test_a_schema_violation_over_globals_does_not_tell_them() -> None:
    """The rule is told, the value is not."""
    for schema in ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"properties": {"n": {"enum": [1]}}}):
        engine = engine_of(lambda data: data, {"n": "{{ globals.secret }}"}, input=schema)
        error = result_of(first_step(engine, globals={"secret": CANARY})).error or ""
        assert error.startswith("InvalidInput: node 'it': input.n: ")
        assert CANARY not in error
