"""Small workflows, each about one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from engine import Output, Pause, Registry, Step, clock
from engine.json_value import JsonValue

ARTICLE: Final = {"title": "On Queues", "text": "They are lines.", "outages": 1}
DECISION: Final = {"approved": True, "editor": "mara"}


class Unavailable(Exception):
    """A service that is down for a while."""


def registry(
    name: str, nodes: Sequence[Mapping[str, Any]], edges: Sequence[tuple[str, ...]], **definition: object
) -> Registry:
    """A registry of one workflow, with the node types below. An edge is ``(source, target[, handle])``."""
    made = Registry()
    _add_node_types(made)
    add(made, name, nodes, edges, **definition)
    return made


def add(
    to: Registry,
    name: str,
    nodes: Sequence[Mapping[str, Any]],
    edges: Sequence[tuple[str, ...]],
    **definition: object,
) -> None:
    """Adds a workflow to a registry."""
    to.add({"name": name, "nodes": list(nodes), "edges": [_edge(*edge) for edge in edges], **definition})


def _edge(source: str, target: str, handle: str | None = None) -> dict[str, str]:
    edge = {"source": source, "target": target}
    return edge if handle is None else {**edge, "sourceHandle": handle}


def _add_node_types(made: Registry) -> None:
    @made.node("test:flaky")
    def flaky(data: Mapping[str, Any], step: Step) -> JsonValue:
        """Fails as often as its data says, then gives its attempt and its idempotency key."""
        if step.attempt <= data["failures"]:
            raise Unavailable(f"attempt {step.attempt}")
        return {"attempt": step.attempt, "key": step.idempotency_key}

    @made.node("test:append")
    def append(data: Mapping[str, Any]) -> JsonValue:
        """Gives the list it is given with one letter more."""
        return [*(data.get("list") or []), data["letter"]]

    @made.node("test:key")
    def key(_data: JsonValue, step: Step) -> JsonValue:
        """Gives its idempotency key."""
        return step.idempotency_key


def chain(length: int = 4) -> Registry:
    """``a >> b >> c ...``: each appends its own name."""
    names = [chr(ord("a") + index) for index in range(length)]
    nodes = [{"id": name, "type": "test:append", "data": {"list": "{{ previous }}", "letter": name}} for name in names]
    return registry("chain", nodes, list(pairwise(names)))


def retry(interval_ms: int, *, failures: int = 1, attempts: int = 3) -> Registry:
    """One node that fails a few times, and one behind it."""
    policy = {"retry": {"maxAttempts": attempts, "interval": interval_ms}}
    nodes = [
        {"id": "flaky", "type": "test:flaky", "data": {"failures": failures}, "policy": policy},
        {"id": "done", "type": "core:set", "data": {"after": "{{ nodes.flaky.last.data.attempt }}"}},
    ]
    return registry("retry", nodes, [("flaky", "done")])


def wait(*, timeout_ms: int | None = None, signal: str | None = "go") -> Registry:
    """``before >> wait >> after``; by ``timeout`` to ``late``."""
    data = {"signal": signal, "timeoutMs": timeout_ms}
    nodes = [
        {"id": "before", "type": "core:set", "data": {"step": 1}},
        {"id": "wait", "type": "core:wait", "data": {k: v for k, v in data.items() if v is not None}},
        {"id": "after", "type": "core:set", "data": {"got": "{{ nodes.wait.last.data }}"}},
        {"id": "late", "type": "core:set", "data": {"late": True}},
    ]
    return registry("wait", nodes, [("before", "wait"), ("wait", "after"), ("wait", "late", "timeout")])


def two_waits() -> Registry:
    """``first >> second >> after``: two waits for the same signal."""
    nodes = [
        {"id": "first", "type": "core:wait", "data": {"signal": "go"}},
        {"id": "second", "type": "core:wait", "data": {"signal": "go"}},
        {
            "id": "after",
            "type": "core:set",
            "data": {"got": ["{{ nodes.first.last.data }}", "{{ nodes.second.last.data }}"]},
        },
    ]
    return registry("two-waits", nodes, [("first", "second"), ("second", "after")])


def choice() -> Registry:
    """``if``, which ends by a handle without an edge when it is false."""
    nodes = [
        {"id": "big", "type": "core:if", "data": {"when": "{{ run.input.n > 10 }}"}},
        {"id": "yes", "type": "core:set", "data": {"big": "{{ run.input.n }}"}},
    ]
    return registry("choice", nodes, [("big", "yes", "true")])


def returning(value: object) -> Registry:
    """One node, retried at once if it may be, that gives a value as it is."""
    made = Registry()

    @made.node("test:value")
    def give(_data: JsonValue) -> object:
        """Gives the value."""
        return value

    policy = {"retry": {"maxAttempts": 5, "interval": 0}}
    add(made, "returning", [{"id": "value", "type": "test:value", "policy": policy}], [])
    return made


def sleep(ms: int) -> Registry:
    """One node that sleeps, then tells when it woke."""
    made = Registry()

    @made.node("test:sleep")
    def nap(_data: JsonValue, step: Step) -> Output | Pause:
        """Sleeps once."""
        return Pause(until=clock.now_ms() + ms) if step.resumed is None else Output(step.resumed.by)

    add(made, "sleep", [{"id": "nap", "type": "test:sleep"}], [])
    return made


def flaky_wait(failures: int) -> Registry:
    """One node that waits, then fails a few times with the payload in its hands."""
    made = Registry()
    keys: set[str] = set()

    @made.node("test:ask")
    def ask(_data: JsonValue, step: Step) -> Output | Pause:
        """Gives the payload and all keys it was executed with since it has it."""
        if step.resumed is None:
            return Pause("go")
        keys.add(step.idempotency_key)
        if step.attempt <= failures:
            raise Unavailable(f"attempt {step.attempt}")
        return Output({"payload": step.external_payload, "keys": sorted(keys)})

    policy = {"retry": {"maxAttempts": failures + 1, "interval": 1000}}
    add(made, "flaky-wait", [{"id": "ask", "type": "test:ask", "policy": policy}], [])
    return made


def asking_twice() -> Registry:
    """One node that is not content with its first answer."""
    made = Registry()

    @made.node("test:ask-twice")
    def ask(_data: JsonValue, step: Step) -> Output | Pause:
        """Waits until the payload is 2."""
        return Output(step.external_payload) if step.external_payload == 2 else Pause("go")

    add(made, "asking-twice", [{"id": "ask", "type": "test:ask-twice"}], [])
    return made


def linked_wait(links: list[str], *, timeout_ms: int | None = None, content_with: JsonValue = None) -> Registry:
    """One node that hands out its own link, then waits for whoever follows it.

    With ``content_with`` it does so until it is given that; without a time limit after the first.
    """
    made = Registry()

    @made.node("test:link")
    def link(_data: JsonValue, step: Step) -> Output | Pause:
        """Gives away its callback URL and waits."""
        if step.resumed is not None and content_with in (None, step.external_payload):
            return Output({"by": step.resumed.by, "payload": step.external_payload})
        links.append(step.callback_url or "")
        return Pause("answer", timeout=timeout_ms if step.resumed is None else None)

    policy = {"retry": {"maxAttempts": 3, "interval": 0}}
    nodes: list[dict[str, Any]] = [
        {"id": "link", "type": "test:link", "policy": policy},
        {"id": "end", "type": "core:set", "data": "{{ previous }}"},
    ]
    add(made, "linked-wait", nodes, [("link", "end")])
    return made


def linked_sleep(links: list[str], ms: int) -> Registry:
    """One node that hands out its own link, then sleeps: it asks for no signal."""
    made = Registry()

    @made.node("test:linked-sleep")
    def nap(_data: JsonValue, step: Step) -> Output | Pause:
        """Gives away its callback URL and sleeps."""
        if step.resumed is not None:
            return Output({"by": step.resumed.by, "payload": step.external_payload})
        links.append(step.callback_url or "")
        return Pause(until=clock.now_ms() + ms)

    add(made, "linked-sleep", [{"id": "nap", "type": "test:linked-sleep"}], [])
    return made


def raising(error: BaseException) -> Registry:
    """One node that raises an error, twice if it may."""
    made = Registry()

    @made.node("test:raise")
    def fail(_data: JsonValue) -> None:
        """Fails."""
        raise error

    policy = {"retry": {"maxAttempts": 2, "interval": 0}}
    add(made, "raising", [{"id": "raise", "type": "test:raise", "policy": policy}], [])
    return made


def growing(text: str) -> Registry:
    """Two nodes in a circle, each result as long as the text, and none like another."""
    made = Registry()

    @made.node("test:grow")
    def grow(_data: JsonValue, step: Step) -> JsonValue:
        """Gives the text in an order of its own."""
        return text[step.visit * 100 :] + text[: step.visit * 100]

    nodes = [{"id": name, "type": "test:grow"} for name in ("ping", "pong")]
    add(made, "growing", nodes, [("ping", "pong"), ("pong", "ping")])
    return made


def big_wait(text: str, *, fails: bool = False) -> Registry:
    """A node with a large result, then a wait that gives, or fails with, what it is given."""
    made = Registry()

    @made.node("test:text")
    def give(_data: JsonValue) -> JsonValue:
        """Gives the text."""
        return text

    @made.node("test:answer")
    def answer(_data: JsonValue, step: Step) -> Output | Pause:
        """Waits once."""
        if step.resumed is None:
            return Pause("go")
        if fails:
            raise Unavailable("down")
        return Output(step.external_payload)

    policy = {"retry": {"maxAttempts": 3, "interval": 1000}}
    nodes: list[dict[str, Any]] = [
        {"id": "text", "type": "test:text"},
        {"id": "wait", "type": "test:answer", "policy": policy},
    ]
    add(made, "big-wait", nodes, [("text", "wait")])
    return made


def endless() -> Registry:
    """Two nodes in a circle."""
    nodes = [{"id": name, "type": "core:set", "data": name} for name in ("ping", "pong")]
    return registry("endless", nodes, [("ping", "pong"), ("pong", "ping")])


def mailed_link() -> Registry:
    """A link made by an expression, then the wait for its signal."""
    nodes = [
        {"id": "mail", "type": "core:set", "data": {"link": "{{ 'decision'|callbackUrl }}"}},
        {"id": "wait", "type": "core:wait", "data": {"signal": "decision"}},
    ]
    return registry("mailed-link", nodes, [("mail", "wait")])
