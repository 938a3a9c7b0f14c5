"""Differences of definitions as data, and the hash that names a definition's content."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Change, WorkflowDefinition, definition_diff

BASE: Mapping[str, Any] = {
    "name": "order",
    "description": "pays and ships",
    "input": {"type": "object", "properties": {"cents": {"type": "integer", "default": None}}},
    "deadlineMs": 5000,
    "metadata": {"team": "shop"},
    "nodes": [
        {"id": "pay", "type": "charge-card", "data": {"cents": "{{ run.input.cents }}", "tags": ["a", "b"]}},
        {
            "id": "ship",
            "type": "core:set",
            "data": {"to": {"city": "Ulm"}, "a key": True},
            "policy": {"retry": {"maxAttempts": 3, "interval": 10}, "timeoutMs": 1000},
        },
        {"id": "sorry", "type": "core:fail", "data": {"error": "Refused"}},
    ],
    "edges": [
        {"source": "pay", "target": "ship", "id": "e1"},
        {"source": "pay", "target": "sorry", "sourceHandle": "error:Declined"},
        {"source": "pay", "target": "ship", "sourceHandle": "error"},
    ],
}


def parse(document: Mapping[str, Any]) -> WorkflowDefinition:
    """A definition of JSON data."""
    return WorkflowDefinition.parse(document)


def edited(**fields: Any) -> dict[str, Any]:
    """The base with other top-level fields."""
    return copy.deepcopy(dict(BASE)) | fields


def with_node(index: int, **fields: Any) -> dict[str, Any]:
    """The base with a node that has other fields."""
    document = edited()
    document["nodes"][index] |= fields
    return document


def with_edge(index: int, **fields: Any) -> dict[str, Any]:
    """The base with an edge that has other fields."""
    document = edited()
    document["edges"][index] |= fields
    return document


def without(field: str, index: int | None = None) -> dict[str, Any]:
    """The base without a field, or without one entry of it."""
    document = edited()
    if index is None:
        del document[field]
    else:
        del document[field][index]
    return document


PAY = '$.nodes[?@.id=="pay"]'
SHIP = '$.nodes[?@.id=="ship"]'
UNNAMED = '$.edges[?@.source=="pay" && !@.sourceHandle]'

CASES: dict[str, tuple[dict[str, Any], list[Change]]] = {
    "nothing": (edited(), []),
    "a description": (
        edited(description="pays"),
        [Change("changed", "$.description", "pays and ships", "pays")],
    ),
    "a description gone": (without("description"), [Change("removed", "$.description", before="pays and ships")]),
    "the name": (edited(name="order-2"), [Change("changed", "$.name", "order", "order-2")]),
    "another start": (edited(start="ship"), [Change("changed", "$.start", "pay", "ship")]),
    "the start said aloud": (edited(start="pay"), []),
    "an output": (edited(output={"type": "string"}), [Change("added", "$.output", after={"type": "string"})]),
    "deep in the input": (
        edited(input={"type": "object", "properties": {"cents": {"type": "number"}}}),
        [
            Change("removed", "$.input.properties.cents.default", before=None),
            Change("changed", "$.input.properties.cents.type", "integer", "number"),
        ],
    ),
    "the deadline": (edited(deadlineMs=6000), [Change("changed", "$.deadlineMs", 5000, 6000)]),
    "a node more": (
        edited(nodes=[*BASE["nodes"], {"id": "log", "type": "core:set"}]),
        [Change("added", '$.nodes[?@.id=="log"]', after={"id": "log", "type": "core:set"})],
    ),
    "a node less": (
        {**without("nodes", 2), "edges": [BASE["edges"][0], BASE["edges"][2]]},
        [
            Change("removed", '$.nodes[?@.id=="sorry"]', before=BASE["nodes"][2]),
            Change("removed", '$.edges[?@.source=="pay" && @.sourceHandle=="error:Declined"]', before=BASE["edges"][1]),
        ],
    ),
    "a node renamed": (
        {
            **with_node(2, id="refused"),
            "edges": [BASE["edges"][0], {**BASE["edges"][1], "target": "refused"}, BASE["edges"][2]],
        },
        [
            Change("added", '$.nodes[?@.id=="refused"]', after={**BASE["nodes"][2], "id": "refused"}),
            Change("removed", '$.nodes[?@.id=="sorry"]', before=BASE["nodes"][2]),
            Change(
                "changed",
                '$.edges[?@.source=="pay" && @.sourceHandle=="error:Declined"].target',
                "sorry",
                "refused",
            ),
        ],
    ),
    "a node's type": (
        with_node(0, type="charge-bank"),
        [Change("changed", f"{PAY}.type", "charge-card", "charge-bank")],
    ),
    "a list in data, whole": (
        with_node(0, data={"cents": "{{ run.input.cents }}", "tags": ["b", "a"]}),
        [Change("changed", f"{PAY}.data.tags", ["a", "b"], ["b", "a"])],
    ),
    "a number for a boolean": (
        with_node(1, data={"to": {"city": "Ulm"}, "a key": 1}),
        [Change("changed", f'{SHIP}.data["a key"]', True, 1)],
    ),
    "deep in data": (
        with_node(1, data={"to": {"city": None, "zip": "1"}, "a key": True}),
        [
            Change("changed", f"{SHIP}.data.to.city", "Ulm", None),
            Change("added", f"{SHIP}.data.to.zip", after="1"),
        ],
    ),
    "a policy": (
        with_node(1, policy={"retry": {"maxAttempts": 4, "interval": 10}, "atMostOnce": True}),
        [
            Change("added", f"{SHIP}.policy.atMostOnce", after=True),
            Change("changed", f"{SHIP}.policy.retry.maxAttempts", 3, 4),
            Change("removed", f"{SHIP}.policy.timeoutMs", before=1000),
        ],
    ),
    "an edge led elsewhere": (with_edge(0, target="sorry"), [Change("changed", f"{UNNAMED}.target", "ship", "sorry")]),
    "an edge from another handle": (
        with_edge(0, sourceHandle='a "b"'),
        [
            Change("removed", UNNAMED, before=BASE["edges"][0]),
            Change(
                "added",
                '$.edges[?@.source=="pay" && @.sourceHandle=="a \\"b\\""]',
                after={**BASE["edges"][0], "sourceHandle": 'a "b"'},
            ),
        ],
    ),
    "catch edges in another order": (
        edited(edges=[BASE["edges"][2], BASE["edges"][0], BASE["edges"][1]]),
        [
            Change(
                "changed",
                '$.edges[?@.source=="pay"].sourceHandle',
                ["error:Declined", "error"],
                ["error", "error:Declined"],
            )
        ],
    ),
}


def sorted_by_path(changes: list[Change] | tuple[Change, ...]) -> list[Change]:
    """As a list whose order is that of the paths."""
    return sorted(changes, key=lambda change: change.path)


@pytest.mark.parametrize(("document", "expected"), CASES.values(), ids=CASES)
def test_each_difference_is_a_change(document: dict[str, Any], expected: list[Change]) -> None:
    """With its path, what was there and what is there now."""
    assert sorted_by_path(definition_diff(parse(BASE), parse(document))) == sorted_by_path(expected)


@pytest.mark.parametrize(("document", "expected"), CASES.values(), ids=CASES)
def test_the_way_back_is_the_mirror(document: dict[str, Any], expected: list[Change]) -> None:
    """What was added is removed, and what was before is after."""
    mirrored: Mapping[str, Any] = {"added": "removed", "removed": "added", "changed": "changed"}
    assert sorted_by_path(definition_diff(parse(document), parse(BASE))) == sorted_by_path(
        [Change(mirrored[change.kind], change.path, change.after, change.before) for change in expected]
    )


@pytest.mark.parametrize("document", [document for document, _ in CASES.values()], ids=CASES)
def test_what_makes_a_change_makes_a_version(document: dict[str, Any]) -> None:
    """Two definitions of one version have no differences."""
    if definition_diff(parse(BASE), parse(document)):
        assert parse(BASE).version != parse(document).version


def test_fields_come_first_then_nodes_then_edges() -> None:
    """In an order that does not depend on how the documents list them."""
    document = {**with_node(0, type="x"), "name": "b", "description": "c", "edges": []}
    paths = [change.path for change in definition_diff(parse(BASE), parse(document))]
    assert paths[:3] == ["$.description", "$.name", f"{PAY}.type"]
    assert paths[3:] == sorted(paths[3:])
    assert len(paths) == 6


def test_a_change_as_json_tells_nothing_from_null() -> None:
    """What was not there has no ``before``; what is not there any more has no ``after``."""
    assert Change("added", "$.a", after=None).to_json() == {"kind": "added", "path": "$.a", "after": None}
    assert Change("removed", "$.a", before=None).to_json() == {"kind": "removed", "path": "$.a", "before": None}
    assert Change("changed", "$.a", None, 1).to_json() == {"kind": "changed", "path": "$.a", "before": None, "after": 1}
    changes = definition_diff(parse(BASE), parse(CASES["a node renamed"][0]))
    assert json.loads(json.dumps([change.to_json() for change in changes]))[0]["kind"] == "added"


def test_a_change_as_text_is_a_line() -> None:
    """For the command line and for logs."""
    assert str(Change("added", "$.a", after={"b": "ü"})) == '+ $.a: {"b": "ü"}'
    assert str(Change("removed", "$.a", before=[1])) == "- $.a: [1]"
    assert str(Change("changed", "$.a", before=None, after=True)) == "~ $.a: null -> true"


# --- any definition ----------------------------------------------------------------------------

names = st.text("abc-_1", min_size=1, max_size=4).filter(lambda text: text[0] != "-")
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """A definition as JSON data."""
    ids = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    data: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional={"data": values})
    nodes = [{"id": node_id, "type": draw(names), **draw(data)} for node_id in ids]
    exits = draw(
        st.lists(
            st.tuples(st.sampled_from(ids), st.none() | st.sampled_from(["done", "error", "error:A", "error:B"])),
            max_size=6,
            unique=True,
        )
    )
    edges = [
        {"source": source, "sourceHandle": handle, "target": draw(st.sampled_from(ids))} for source, handle in exits
    ]
    optional: Mapping[Any, Any] = {
        "description": st.text(max_size=5),
        "metadata": values,
        "deadlineMs": st.integers(1, 10),
        "start": st.sampled_from(ids),
    }
    return {"name": draw(names), "nodes": nodes, "edges": edges} | draw(st.fixed_dictionaries({}, optional=optional))


def reordered(value: Any, draw: st.DrawFn) -> Any:
    """The same JSON, the keys of its objects in another order."""
    if isinstance(value, dict):
        return {key: reordered(value[key], draw) for key in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        return [reordered(item, draw) for item in value]
    return value


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A definition, and the same with its keys shuffled."""
    document = draw(definitions())
    return document, reordered(document, draw)


@given(shuffled(), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_keys_and_formatting_do_not_change_the_version(
    pair: tuple[dict[str, Any], dict[str, Any]], indent: int | str | None, ascii_only: bool
) -> None:
    """Nor do they make a difference."""
    document, other = pair
    text = json.dumps(other, indent=indent, ensure_ascii=ascii_only)
    before, after = parse(document), parse(json.loads(text))
    assert before.version == after.version
    assert definition_diff(before, after) == ()


@given(definitions())
def test_saying_a_default_does_not_change_the_version(document: dict[str, Any]) -> None:
    """Left out, null and the default are one."""
    said = copy.deepcopy(document)
    for node in said["nodes"]:
        node.setdefault("data", {})
        node |= {"policy": None, "metadata": None}
    for name in ("description", "start", "input", "output", "deadlineMs", "metadata"):
        said.setdefault(name, None)
    said["edges"] = [{key: value for key, value in edge.items() if value is not None} for edge in said["edges"]]
    assert parse(said).version == parse(document).version


@given(definitions())
def test_a_definition_read_back_has_the_same_version(document: dict[str, Any]) -> None:
    """The canonical JSON is a fixed point, as data and as text."""
    definition = parse(document)
    again = parse(json.loads(json.dumps(definition.to_json())))
    assert again == definition
    assert again.to_json() == definition.to_json()
    assert again.version == definition.version


@given(definitions(), st.data())
def test_the_order_of_nodes_and_edges_is_no_difference(document: dict[str, Any], data: st.DataObject) -> None:
    """As long as the start stays the start, and catch edges their order."""
    other = document | {"start": document.get("start") or document["nodes"][0]["id"]}
    other["nodes"] = data.draw(st.permutations(document["nodes"]))
    catches = [edge for edge in document["edges"] if str(edge["sourceHandle"]).startswith("error")]
    others = [edge for edge in document["edges"] if edge not in catches]
    other["edges"] = data.draw(st.permutations(others)) + catches
    assert definition_diff(parse(document), parse(other)) == ()


@given(definitions(), definitions())
def test_two_definitions_differ_or_do_not(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Each way tells the mirror of the other, and one version means no difference."""
    one, two = parse(first), parse(second)
    there, back = definition_diff(one, two), definition_diff(two, one)
    assert [change.path for change in there] == [change.path for change in back]
    assert [(change.before, change.after) for change in there] == [(change.after, change.before) for change in back]
    assert len({change.path for change in there}) == len(there)
    if one.version == two.version:
        assert there == ()


@given(definitions(), values)
def test_other_data_is_another_version(document: dict[str, Any], value: Any) -> None:
    """And exactly one place, or one within it, is different."""
    other = copy.deepcopy(document)
    other["nodes"][0]["data"] = {"new": value}
    before, after = parse(document), parse(other)
    changes = definition_diff(before, after)
    prefix = f"$.nodes[?@.id=={json.dumps(document['nodes'][0]['id'])}].data"
    assert all(change.path.startswith(prefix) for change in changes)
    if changes:
        assert before.version != after.version


MEANINGFUL: dict[str, dict[str, Any]] = {name: document for name, (document, changes) in CASES.items() if changes}


def test_everything_meaningful_is_part_of_the_version() -> None:
    """Each edit of the table makes a version of its own."""
    versions = [parse(document).version for document in (BASE, *MEANINGFUL.values())]
    assert len(set(versions)) == len(versions)
