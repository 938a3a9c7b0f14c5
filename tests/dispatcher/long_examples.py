"""Workflows whose history outgrows its head."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from engine import Output, Registry, Step
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.values import incompressible

PAD: Final = "x" * 1500
"""Compressible, so it is kept where it stands: three results of it fill a tail."""


def counting(until: int, then: Mapping[str, Any], *, end: Mapping[str, Any] | None = None) -> Registry:
    """``count >> echo >> count ...`` so many times, then a wait for ``go``, then a node that reads all that."""
    made = Registry()

    @made.node("test:count", handles=["again", "enough"])
    def count(_data: JsonValue, step: Step) -> Output:
        """Gives its visit."""
        return Output({"n": step.visit, "pad": PAD}, "again" if step.visit < until else "enough")

    @made.node("test:read")
    def read(_data: JsonValue, step: Step) -> JsonValue:
        """Gives what it finds in the context."""
        counted = step.context["count"]
        last = step.context.last("count")
        return {
            "visits": len(counted),
            "first": _n(counted[0].output),
            "middle": [_n(result.output) for result in counted[1:4]],
            "last": _n(counted[-1].output),
            "newest": None if last is None else _n(last.output),
            "sum": sum(_n(output) for output in step.context.outputs("count")),
            "nodes": [*sorted(step.context)],
        }

    @made.node("test:swallow")
    def swallow(_data: JsonValue, step: Step) -> JsonValue:
        """Makes light of whatever happens."""
        try:
            return _n(step.context["count"][0].output)
        except Exception as error:  # noqa: BLE001  (that is what node code does)
            return f"never mind {type(error).__name__}"

    nodes: list[Mapping[str, Any]] = [
        {"id": "count", "type": "test:count"},
        {"id": "echo", "type": "core:set", "data": {"n": "{{ previous.n }}"}},
        {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
        {"id": "then", **then},
    ]
    edges: list[tuple[str, ...]] = [("count", "echo", "again"), ("echo", "count"), ("count", "wait", "enough")]
    edges.append(("wait", "then"))
    if end is not None:
        nodes.append({"id": "end", **end})
        edges.append(("then", "end"))
    examples.add(made, "counting", nodes, edges)
    return made


def _n(output: JsonValue) -> int:
    assert isinstance(output, dict)
    number = output["n"]
    assert isinstance(number, int)
    return number


READ: Final = {"type": "test:read"}
SWALLOW: Final = {"type": "test:swallow"}
EXPRESSIONS: Final = {
    "type": "core:set",
    "data": {
        "first": "{{ nodes.count.all[0].data.n }}",
        "second": "{{ nodes.echo.all[1].data.n }}",
        "last": "{{ nodes.count.last.data.n }}",
    },
}


def wide(width: int) -> Registry:
    """So many nodes in a row, then one that reads the first, one in the middle and the last of them."""
    names = [f"n{number:03d}" for number in range(width)]
    nodes: list[Mapping[str, Any]] = [
        {"id": name, "type": "core:set", "data": {"name": name, "pad": PAD[:200]}} for name in names
    ]
    asked = (names[0], names[width // 2], names[-1])
    data = {name: f"{{{{ nodes.{name}.last.data.name }}}}" for name in asked}
    nodes.append({"id": "end", "type": "core:set", "data": {**data, "never": "{{ nodes.never.last.data }}"}})
    nodes.append({"id": "never", "type": "core:set", "data": 1})
    edges = [*pairwise(names), (names[-1], "end")]
    return examples.registry("wide", nodes, edges)


def large(size: int) -> Registry:
    """A node that gives a large text, a wait, and one that tells how long input, output and payload are."""
    made = Registry()

    @made.node("test:large")
    def give(_data: JsonValue) -> JsonValue:
        """Gives the text."""
        return {"text": incompressible(size)}

    @made.node("test:length")
    def length(data: Mapping[str, Any]) -> JsonValue:
        """Gives the lengths of texts."""
        return {name: len(text) for name, text in data.items()}

    nodes: list[Mapping[str, Any]] = [
        {"id": "give", "type": "test:large"},
        {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
        {
            "id": "length",
            "type": "test:length",
            "data": {
                "input": "{{ run.input.text }}",
                "output": "{{ nodes.give.last.data.text }}",
                "payload": "{{ nodes.wait.last.data.text }}",
            },
        },
    ]
    examples.add(made, "large", nodes, [("give", "wait"), ("wait", "length")])
    return made
