"""A registry whose demo takes no time: a failed attempt, a short retry, a wait, an end."""

from __future__ import annotations

from engine import Registry, Step
from engine.json_value import JsonValue

registry = Registry()


@registry.node("small:flaky")
def flaky(_data: JsonValue, step: Step) -> JsonValue:
    """Fails once."""
    if step.attempt == 1:
        raise ConnectionError("not yet")
    return {"attempt": step.attempt}


registry.add(
    {
        "name": "small",
        "nodes": [
            {"id": "flaky", "type": "small:flaky", "policy": {"retry": {"maxAttempts": 2, "interval": 100}}},
            {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
            {"id": "end", "type": "core:set", "data": {"got": "{{ nodes.wait.last.data }}"}},
        ],
        "edges": [{"source": "flaky", "target": "wait"}, {"source": "wait", "target": "end"}],
    }
)

not_a_registry = "text"
