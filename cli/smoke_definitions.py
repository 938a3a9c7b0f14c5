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

# No core node fails once and then succeeds, so this one fails as often as it may; what counts is when.
RETRY: Final[Definition] = {
    "name": "refluxo-smoke-retry",
    "nodes": [
        {
            "id": "outage",
            "type": "core:fail",
            "data": {"error": "SmokeOutage", "message": "as it should"},
            "policy": {"retry": {"maxAttempts": 2, "interval": RETRY_MS, "retryOn": ["SmokeOutage"]}},
        },
        {"id": "caught", "type": "core:set", "data": {"error": "{{ nodes.outage.last.error }}"}},
    ],
    "edges": [{"source": "outage", "target": "caught", "sourceHandle": "error:SmokeOutage"}],
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
