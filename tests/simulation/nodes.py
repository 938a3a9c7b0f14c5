"""The node types of random programs: deterministic, and sensitive to all that went before."""

from __future__ import annotations

import base64
import hashlib
import json
import random

from engine import Registry, Step
from engine.json_value import JsonObject, JsonValue
from tests.engine.corpus.nodes import Broken, Busy, new_registry

CANARY = "canary-4f1d9a62"
"""A secret among the globals. It must never be seen in anything that is stored or sent."""


def chain(data: JsonValue) -> str:
    """A digest of its data: one wrong value anywhere before, and the end of the run is another."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def large(data: JsonObject) -> str:
    """As many characters as its data asks for, of a text that hardly gets smaller."""
    size = data["size"]
    assert isinstance(size, int)
    noise = random.Random(chain(data)).randbytes(size)  # noqa: S311  (repeatable, not secret)
    return base64.b85encode(noise)[:size].decode()


def flaky(data: JsonObject, step: Step) -> str:
    """Fails as often in each visit as its data says, then gives a digest."""
    failures = data["failures"]
    assert isinstance(failures, int)
    if step.attempt <= failures:
        raise Busy(f"attempt {step.attempt}")
    return chain([data, step.attempt])


def mended(data: JsonObject, step: Step) -> str:
    """Fails for good at its first attempt; somebody mends what it needs, and has it tried again."""
    if step.attempt == 1:
        raise Broken("not yet")
    return chain(data)


def secretive(data: JsonValue, step: Step) -> int:
    """Reads a secret, and tells no more than how long it is."""
    token = step.globals["token"]
    assert token == CANARY
    return len(token) + len(chain(data))


def looking_back(data: JsonObject, step: Step) -> str:
    """A digest of all that a node has given so far, the oldest results included."""
    return chain([result.output for result in step.context[str(data["node"])]])


def keyed(_data: JsonValue, step: Step) -> str:
    """Gives the key by which it would call others."""
    return step.idempotency_key


def new_simulation_registry() -> Registry:
    """The core types, those of the corpus, and these; with a secret among the globals."""
    registry = new_registry()
    registry._globals_provider = lambda: {"token": CANARY}
    for name, executor in (
        ("sim:chain", chain),
        ("sim:large", large),
        ("sim:flaky", flaky),
        ("sim:mended", mended),
        ("sim:secretive", secretive),
        ("sim:looking-back", looking_back),
        ("sim:keyed", keyed),
    ):
        registry.node(name)(executor)
    return registry
