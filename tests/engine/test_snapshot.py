"""Snapshots: what from_json takes and refuses, and contexts that share their structure."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Context, NodeResult, Snapshot, Status
from engine.effects import AwaitSignal, effects_of
from engine.errors import InvalidSnapshot
from engine.json_value import JsonObject
from engine.limits import SCHEMA_VERSION

FULL: JsonObject = {
    "schemaVersion": 1,
    "workflowId": "run-1",
    "status": "paused",
    "currentNodeId": "b",
    "context": {
        "a": [
            {"output": None, "timestamp": 5, "attempt": 1, "error": "Busy: no", "errorType": "Busy"},
            {"output": {"n": 1}, "timestamp": 6, "attempt": 2},
        ],
        "b": [{"output": [1], "timestamp": 7, "attempt": 1}],
    },
    "version": 4,
    "lastStartedAt": 7,
    "totalExecutionTime": 3,
    "metadata": {"k": "v"},
    "retryState": {"nodeId": "b", "attempts": 2, "nextRetryAt": 99, "counts": [1, 1], "resumes": 1},
    "wait": {
        "signal": "go",
        "by": "timeout",
        "visit": 2,
        "attempt": 3,
        "resumes": 1,
        "dueAt": 50,
        "heartbeatMs": 9,
        "counts": [1, 1],
        "data": {"shown": True},
    },
    "lastNodeId": "a",
    "definition": {"name": "order", "version": "abc"},
    "input": {"id": 7},
    "tags": {"team": "x"},
    "tenant": "acme",
    "parent": {"workflowId": "p"},
}


def changed(path: Sequence[str | int], value: object) -> JsonObject:
    """The full document with one value replaced, or taken away where ``value`` is Ellipsis."""
    document: Any = copy.deepcopy(FULL)
    here = document
    for part in path[:-1]:
        here = here[part]
    if value is ...:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    result: JsonObject = document
    return result


def test_every_field_survives_reading_and_writing() -> None:
    """A document with every field there is comes out of a snapshot as it went in."""
    assert Snapshot.from_json(FULL).to_json() == FULL


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["workflowId"], ..., "workflowId"),
        (["workflowId"], 7, "workflowId"),
        (["status"], "running", "status"),
        (["status"], None, "status"),
        (["status"], [], "status"),
        (["currentNodeId"], 7, "currentNodeId"),
        (["context"], ..., "context"),
        (["context"], [], "context"),
        (["context", "a"], {}, "context.a"),
        (["context", "a", 0], "x", "context.a[0]"),
        (["context", "a", 0, "timestamp"], "x", "context.a[0].timestamp"),
        (["context", "a", 0, "attempt"], True, "attempt"),
        (["context", "a", 0, "error"], 7, "error"),
        (["version"], ..., "version"),
        (["version"], 1.5, "version"),
        (["version"], True, "version"),
        (["metadata"], [], "metadata"),
        (["retryState"], [], "retryState"),
        (["retryState", "nodeId"], None, "retryState.nodeId"),
        (["retryState", "attempts"], "2", "retryState.attempts"),
        (["retryState", "counts"], 7, "retryState.counts"),
        (["retryState", "counts"], [1, "x"], "retryState.counts"),
        (["wait"], [], "wait"),
        (["wait", "signal"], 5, "wait.signal"),
        (["wait", "by"], "luck", "wait.by"),
        (["wait", "dueAt"], "soon", "wait.dueAt"),
        (["wait", "dueAt"], True, "wait.dueAt"),
        (["wait", "visit"], "x", "wait.visit"),
        (["wait", "counts"], {}, "wait.counts"),
        (["lastNodeId"], 5, "lastNodeId"),
        (["definition"], 0, "definition"),
        (["definition", "version"], None, "definition.version"),
        (["tags", "team"], 1, "tags.team"),
        (["tags"], "x", "tags"),
        (["tenant"], 1, "tenant"),
        (["parent"], "p", "parent"),
        (["schemaVersion"], SCHEMA_VERSION + 1, "deploy newer code"),
        (["schemaVersion"], "1", "schemaVersion"),
    ],
)
def test_a_faulty_document_is_refused_by_the_fields_name(path: list[str | int], value: object, named: str) -> None:
    """InvalidSnapshot names the field; no half-read snapshot goes on."""
    with pytest.raises(InvalidSnapshot) as refused:
        Snapshot.from_json(changed(path, value))
    assert named in str(refused.value)


PATHS: list[list[str | int]] = [
    [],
    ["context"],
    ["context", "a"],
    ["context", "a", 0],
    ["context", "b", 0],
    ["retryState"],
    ["wait"],
    ["definition"],
    ["tags"],
    ["metadata"],
    ["parent"],
]
JSON_LEAVES = st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats(-9, 9) | st.text(max_size=3)
JSON_VALUES = st.recursive(
    JSON_LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(derandomize=True, deadline=None, max_examples=250)
@given(st.data())
def test_a_mutated_document_is_refused_or_is_a_snapshot(data: st.DataObject) -> None:
    """One to three values replaced or removed: InvalidSnapshot, or a snapshot that writes and reads as itself."""
    document: Any = copy.deepcopy(FULL)
    for _ in range(data.draw(st.integers(1, 3))):
        here = document
        for part in data.draw(st.sampled_from(PATHS)):
            inside = part in here if isinstance(here, dict) else isinstance(here, list) and part in range(len(here))
            if not inside or not isinstance(here[part], dict | list) or not here[part]:
                break
            here = here[part]
        key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
        if data.draw(st.booleans()):
            here[key] = data.draw(JSON_VALUES)
        else:
            del here[key]
        if not document:
            break
    try:
        snapshot = Snapshot.from_json(document)
    except InvalidSnapshot:
        return
    written = json.loads(json.dumps(snapshot.to_json(), allow_nan=False))
    assert Snapshot.from_json(written).to_json() == written
    assert effects_of(Snapshot.from_json(written)) == effects_of(snapshot)
    assert isinstance(snapshot.visit, int)
    assert snapshot.attempt is not None


def test_a_paused_snapshot_without_a_wait_waits_for_a_resume() -> None:
    """Refluxo writes no more of a wait than the status: here it is one that a ``resume`` signal ends."""
    snapshot = Snapshot.from_json(
        {"workflowId": "r", "status": "paused", "currentNodeId": "ask", "context": {}, "version": 3}
    )
    assert effects_of(snapshot) == (AwaitSignal("r", 3, "resume"),)
    assert (snapshot.attempt, snapshot.visit, snapshot.resumes) == (1, 1, 1)


def test_equal_snapshots_are_equal() -> None:
    """A snapshot equals its copy from storage, and not one with another result."""
    snapshot, again = Snapshot.from_json(FULL), Snapshot.from_json(FULL)
    assert snapshot == again
    assert snapshot != Snapshot.from_json(changed(["context", "a", 1, "output"], {"n": 2}))


def test_empty_fields_survive_reading_and_writing() -> None:
    """An empty mapping is not a missing one: tags of none are tags."""
    assert Snapshot.from_json(changed(["tags"], {})).to_json()["tags"] == {}


def test_results_keep_their_order_within_a_node() -> None:
    """A clock that went back between two attempts does not put the second before the first."""
    results = [{"output": n, "timestamp": 100 - n, "attempt": 1} for n in range(3)]
    snapshot = Snapshot.from_json(changed(["context", "a"], results))
    assert snapshot.context.outputs("a") == [0, 1, 2]


def test_the_newest_results_alone_are_what_http_shows() -> None:
    """``newest_only`` keeps one result of each node."""
    context = Snapshot.from_json(FULL).to_json(newest_only=True)["context"]
    assert context == {
        "a": [{"output": {"n": 1}, "timestamp": 6, "attempt": 2}],
        "b": [{"output": [1], "timestamp": 7, "attempt": 1}],
    }


def test_a_node_that_never_ran_has_no_results() -> None:
    """An empty sequence rather than a KeyError: executors ask without looking first."""
    context = Context()
    assert list(context["nowhere"]) == []
    assert context.outputs("nowhere") == []
    assert "nowhere" not in context
    assert (context.last("nowhere"), context.visits("nowhere")) == (None, 0)


APPENDS = st.tuples(
    st.integers(0, 5),
    st.sampled_from("abc"),
    st.integers(1, 3),
    st.integers(0, 9),
    st.booleans(),
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(APPENDS, max_size=25))
def test_contexts_behave_like_copies(appends: list[tuple[int, str, int, int, bool]]) -> None:
    """Appending to any earlier context, old or new, gives what a dict of lists copied each time gives."""
    contexts: list[Context] = [Context()]
    models: list[dict[str, list[tuple[int, int, bool]]]] = [{}]
    for back, node_id, attempt, output, failed in appends:
        index = max(0, len(contexts) - 1 - back)
        contexts.append(
            contexts[index].appended(
                node_id,
                output=None if failed else output,
                timestamp=output,
                attempt=attempt,
                error="Busy: no" if failed else None,
            )
        )
        model = {key: list(results) for key, results in models[index].items()}
        model.setdefault(node_id, []).append((attempt, output, failed))
        models.append(model)
    for context, model in zip(contexts, models, strict=True):
        assert_same(context, model)


def assert_same(context: Context, model: dict[str, list[tuple[int, int, bool]]]) -> None:
    """Every way to read a context agrees with the model."""
    assert set(context) == set(model)
    assert len(context) == len(model)
    assert context.length == sum(map(len, model.values())) == len(list(context.entries()))
    for node_id in "abc":
        expected = model.get(node_id, [])
        results = context[node_id]
        seen = [(result.attempt, result.timestamp, result.error is not None) for result in results]
        assert seen == expected
        assert len(results) == len(expected)
        assert (node_id in context) == bool(expected)
        assert context.outputs(node_id) == [output for _, output, failed in expected if not failed]
        assert [r.timestamp for r in results[-2:]] == [output for _, output, _ in expected[-2:]]
        if expected:
            assert results[-1] is context.last(node_id)
            assert isinstance(results[0], NodeResult)
        with pytest.raises(IndexError):
            results[len(expected)]


def test_a_terminal_status_says_so() -> None:
    """Three statuses end a run, three do not."""
    assert {status for status in Status if status.terminal} == {Status.COMPLETED, Status.FAILED, Status.CANCELLED}
