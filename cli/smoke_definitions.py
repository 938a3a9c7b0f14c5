"""The workflows of ``refluxo smoke``: of core node types alone, so they run on any deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

Definition: TypeAlias = Mapping[str, object]

ROUNDS: Final = 50
"""Rounds of the chain: two steps each, far beyond the 16 hops after which AWS ends a loop it was not told to allow."""

RETRY_MS: Final = 3000
"""Wait before the second attempt: seconds, so that a message that is not delayed is told from one that is."""

SIGNAL: Final = "go"

CHAIN: Final[Definition] = {
    "name": "refluxo-smoke-chain",
    "nodes": [
        {"id": "rounds", "type": "core:repeat", "data": {"times": ROUNDS}},
        {"id": "step", "type": "core:set", "data": "{{ nodes.rounds.last.data.index }}"},
    ],
    "edges": [
        {"source": "rounds", "target": "step", "sourceHandle": "loop"},
        {"source": "step", "target": "rounds"},
    ],
}

# Less than no rounds breaks the node's schema; once the node has failed so, it asks for none, which is well.
RETRY: Final[Definition] = {
    "name": "refluxo-smoke-retry",
    "nodes": [
        {
            "id": "flaky",
            "type": "core:repeat",
            "data": {"times": "{{ nodes.flaky.last.error ? 0 : 0 - 1 }}"},
            "policy": {"retry": {"maxAttempts": 3, "interval": RETRY_MS, "retryOn": ["SchemaViolation"]}},
        }
    ],
}

WAIT: Final[Definition] = {
    "name": "refluxo-smoke-wait",
    "nodes": [
        {"id": "wait", "type": "core:wait", "data": {"signal": SIGNAL, "timeoutMs": 3_600_000}},
        {"id": "end", "type": "core:set", "data": {"answer": "{{ nodes.wait.last.data }}"}},
    ],
    "edges": [{"source": "wait", "target": "end"}],
}

LARGE: Final[Definition] = {
    "name": "refluxo-smoke-large",
    "nodes": [{"id": "copy", "type": "core:set", "data": {"text": "{{ run.input.text }}"}}],
}

ALL: Final = (CHAIN, RETRY, WAIT, LARGE)
