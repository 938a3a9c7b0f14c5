"""Routes: checked when they are made; what a run is given and called follows from the event alone."""

from __future__ import annotations

from typing import Any

import pytest

from engine import JexlTransformEngine, Plugin, Registry, Route
from engine.errors import ExpressionError, InvalidOutput, InvalidRoute, UnknownWorkflow
from engine.naming import valid_name
from engine.route import ROUTE_NAME_CHARACTERS_MAX, event_key

UPLOAD: dict[str, Any] = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {
        "bucket": {"name": "inbox"},
        "object": {"key": "in/a b.csv", "size": 5, "sequencer": "0055AED6DCD90281E5"},
    },
}
PATTERN = {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "in/"}]}}}


def _registry(**arguments: Any) -> Registry:
    registry = Registry(**arguments)
    registry.add({"name": "file", "nodes": [{"id": "a", "type": "core:set", "data": 1}]})
    registry.add({"name": "other", "nodes": [{"id": "a", "type": "core:set", "data": 1}]})
    return registry


def test_a_route_leads_an_event_to_a_workflow() -> None:
    """With its detail as the input, unless told otherwise."""
    registry = _registry()
    route = registry.route(PATTERN, "file")
    assert isinstance(route, Route)
    assert registry.routes == (route,)
    assert (route.workflow, route.pattern) == ("file", PATTERN)
    assert route.matches(UPLOAD)
    assert not route.matches({**UPLOAD, "source": "shop"})
    assert route.start_input(UPLOAD) == UPLOAD["detail"]


def test_the_input_is_made_of_the_event() -> None:
    """Expressions at any depth; what the event lacks is null, as everywhere."""
    given: Any = {
        "key": "{{ event.detail.object.key }}",
        "list": ["{{ event.source|upper }}", 7],
        "no": "{{ event.x }}",
    }
    route = _registry().route(PATTERN, "file", input=given)
    assert route.start_input(UPLOAD) == {"key": "in/a b.csv", "list": ["AWS.S3", 7], "no": None}
    assert _registry().route(PATTERN, "file", input=None).start_input(UPLOAD) is None


def test_the_registry_s_own_transforms_are_there() -> None:
    """Routes speak the language that the registry's nodes do."""
    registry = _registry(transform_engines=[JexlTransformEngine({"stem": lambda key: str(key).rpartition("/")[2]})])
    route = registry.route(PATTERN, "file", input="{{ event.detail.object.key|stem }}")
    assert route.start_input(UPLOAD) == "a b.csv"


def test_what_is_wrong_with_a_route_is_told_when_it_is_made() -> None:
    """All of it, each with its place; nothing is registered."""
    registry = _registry()
    with pytest.raises(InvalidRoute) as caught:
        registry.route(
            {"source": "aws.s3", "detail": {}},
            "file",
            input={"a": ["{{ nodes.x.output }}"], "b": "{{ event. }}", "c": "{{ event.x|nothing }}"},
            name="a/b",
        )
    assert [fault.path for fault in caught.value.faults] == [
        *("$.pattern.source", "$.pattern.detail", "$.input.a[0]", "$.input.b", "$.input.c", "$.name")
    ]
    for told in ("there is no name 'nodes'; there is: event", '$.pattern.source: is "aws.s3"; it must be a list'):
        assert told in str(caught.value)
    assert registry.routes == ()


def test_what_json_cannot_hold_is_told_by_its_place() -> None:
    """In the pattern as in the input."""
    for arguments in ({"pattern": {"detail": {"a": [object()]}}}, {"pattern": PATTERN, "input": {"a": float("nan")}}):
        with pytest.raises(InvalidOutput, match=r"\.a"):
            _registry().route(workflow="file", **arguments)


def test_an_unknown_workflow_is_told_with_those_there_are() -> None:
    """A typo is found by the import, not by the first event."""
    with pytest.raises(UnknownWorkflow, match=r"'flie'; registered: file, other"):
        _registry().route(PATTERN, "flie")


def test_a_route_is_called_after_its_workflow_and_pattern() -> None:
    """So its name stays when others come and go; two of one name must be told apart by hand."""
    registry = _registry()
    first, second, third = (
        registry.route(PATTERN, "file"),
        registry.route({"id": ["x"]}, "file"),
        registry.route(PATTERN, "other"),
    )
    assert len({first.name, second.name, third.name}) == 3
    assert first.name.startswith("file-")
    assert _registry().route(PATTERN, "file").name == first.name
    with pytest.raises(InvalidRoute, match=r"\$\.name: there is a route"):
        registry.route(PATTERN, "file", input="another")
    assert registry.route(PATTERN, "file", name="again").name == "again"


@pytest.mark.parametrize("workflow", ["w", "w" * 128])
def test_the_runs_of_a_route_have_names_a_path_can_hold(workflow: str) -> None:
    """However long the workflow's name."""
    registry = Registry()
    registry.add({"name": workflow, "nodes": [{"id": "a", "type": "core:set", "data": 1}]})
    run_id = registry.route(PATTERN, workflow).run_id(UPLOAD)
    assert valid_name(run_id)
    named = registry.route(PATTERN, workflow, name="n" * ROUTE_NAME_CHARACTERS_MAX)
    assert valid_name(named.run_id(UPLOAD))
    with pytest.raises(InvalidRoute, match=str(ROUTE_NAME_CHARACTERS_MAX)):
        registry.route(PATTERN, workflow, name="n" * (ROUTE_NAME_CHARACTERS_MAX + 1))


def test_a_repeated_event_has_one_run_and_another_has_another() -> None:
    """By route and event; an upload is known by what S3 calls the change, whatever id its notification has."""
    registry = _registry()
    route, other = registry.route(PATTERN, "file", name="one"), registry.route(PATTERN, "file", name="two")
    assert route.run_id(UPLOAD) == route.run_id({**UPLOAD, "id": "another", "time": "later"})
    assert route.run_id(UPLOAD).startswith("one-")
    changed = {
        **UPLOAD,
        "detail": {**UPLOAD["detail"], "object": {"key": "in/a b.csv", "sequencer": "0055AED6DCD90281E6"}},
    }
    assert len({route.run_id(UPLOAD), other.run_id(UPLOAD), route.run_id(changed)}) == 3


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (UPLOAD, "inbox/in/a b.csv/0055AED6DCD90281E5"),
        ({**UPLOAD, "source": "shop"}, UPLOAD["id"]),
        ({**UPLOAD, "detail": {"bucket": {"name": "inbox"}, "object": {"key": "k"}}}, UPLOAD["id"]),
        ({**UPLOAD, "detail": {"object": {"sequencer": "1"}}}, UPLOAD["id"]),
        ({**UPLOAD, "detail": "text"}, UPLOAD["id"]),
        ({"id": "e-1", "source": "shop"}, "e-1"),
    ],
    ids=str,
)
def test_an_event_s_key(event: dict[str, object], key: str) -> None:
    """Bucket, key and sequencer of an object's change; the event's id of all else."""
    assert event_key(event) == key


def test_an_event_without_an_id_is_known_by_its_content() -> None:
    """It did not come through EventBridge, which gives each one."""
    first, again, other = ({"source": "a", "detail": {"n": n}} for n in (1, 1, 2))
    assert event_key(first) == event_key(again)
    assert event_key(first) != event_key(other)


def test_an_input_that_cannot_be_made_of_an_event_is_an_error() -> None:
    """Links to a run that does not exist yet, say."""
    route = _registry().route(PATTERN, "file", input="{{ 'x'|callbackUrl }}")
    with pytest.raises(ExpressionError):
        route.start_input(UPLOAD)


def test_a_registry_with_more_plugins_is_another() -> None:
    """The user's own is left alone; workflows, types and routes are the same."""
    own, more = Plugin(), Plugin()
    registry = _registry(plugins=[own])
    route = registry.route(PATTERN, "file")
    extended = registry.with_plugins([more])
    assert (registry.plugins, extended.plugins) == ((own,), (own, more))
    assert (extended.routes, extended.workflows) == ((route,), registry.workflows)
    assert extended.node_definitions == registry.node_definitions
