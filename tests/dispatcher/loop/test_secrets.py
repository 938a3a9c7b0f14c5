"""Globals are given to steps and appear nowhere else: a canary is looked for in everything that leaves the process."""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from engine import Registry, Step
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.examples import Unavailable
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import SECOND

CANARY = "canary-b7f3-e21d"


def _registry() -> tuple[Registry, list[object]]:
    made = Registry(globals_provider=lambda: {"secret": CANARY, "nested": {"key": CANARY}})
    seen: list[object] = []

    @made.node("test:call")
    def call(data: Mapping[str, Any], step: Step) -> JsonValue:
        """Uses the secret, fails once, and returns something else."""
        seen.append(data["authorization"])
        if step.attempt == 1:
            raise Unavailable("401 from the service")
        return {"calls": len(seen)}

    policy = {"retry": {"maxAttempts": 2, "interval": SECOND}}
    data = {"authorization": "Bearer {{ globals.secret }}"}
    nodes = [
        {"id": "call", "type": "test:call", "data": data, "policy": policy},
        {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
        {"id": "end", "type": "core:set", "data": {"ok": "{{ globals.nested.key == 'x' }}"}},
    ]
    examples.add(made, "secretive", nodes, [("call", "wait"), ("wait", "end")])
    return made, seen


def _stored(loop: MotoLoop) -> str:
    """Everything in the table, unpacked."""
    texts = []
    for item in loop.items():
        for value in item.values():
            packed = value.get("B")
            texts.append(zlib.decompress(packed).decode() if packed is not None else json.dumps(value))
    return "\n".join(texts)


def test_a_secret_is_in_no_item_message_response_or_log_line(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """Used by a step, through a failure, a retry, a wait and a webhook: it is nowhere to be found afterwards."""
    caplog.set_level(logging.DEBUG, logger="refluxo")
    registry, seen = _registry()
    loop = new_loop(registry)
    answers = []
    bodies = []
    loop.start("secretive")
    for _ in range(3):
        while messages := loop.receive():
            bodies += [message["Body"] for message in messages]
            loop.acknowledge(messages, loop.invoke(messages))
        loop.time.pass_by(SECOND)
    answers.append(loop.http("GET", "/runs/run-1"))
    token = loop.token()
    answers += [loop.http(method, f"/webhooks/{token}", {"ok": True}) for method in ("GET", "POST")]
    loop.settle()
    answers += [loop.http("GET", path) for path in ("/runs/run-1", "/health", f"/webhooks/{token}")]
    assert seen == [f"Bearer {CANARY}"] * 2
    assert answers[-3].body["output"] == {"ok": False}
    # It looks where it should: what is known to be there is found.
    assert "401 from the service" in _stored(loop)
    assert "run-1" in "".join(bodies)
    assert "committed" in caplog.text
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    everything = "\n".join([_stored(loop), *bodies, *map(str, answers), logged, caplog.text])
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode()):
        assert form not in everything


def test_the_signing_secret_is_in_no_link(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """A token is signed with the secret; it is neither in the token nor in an item, an answer or a log line."""
    caplog.set_level(logging.DEBUG, logger="refluxo")
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    shown = loop.http("GET", "/runs/run-1")
    claims = base64.urlsafe_b64decode(loop.token().split(".")[0] + "===").decode()
    everything = "\n".join([str(shown), claims, _stored(loop), caplog.text])
    assert "whsec_test" not in everything
    assert loop.head().nonce not in f"{shown}{claims}"


def test_a_globals_provider_that_fails_is_an_infrastructure_error(new_loop: NewLoop) -> None:
    """Secrets that cannot be read now use up no attempt: the message comes back."""
    down = [True]

    def load() -> Mapping[str, JsonValue]:
        if down[0]:
            raise ConnectionError("the secrets are out of reach")
        return {}

    made = Registry(globals_provider=load)
    examples.add(made, "one", [{"id": "a", "type": "core:set"}], [])
    loop = new_loop(made)
    loop.start("one")
    loop.deliver_all()
    assert (loop.failures, loop.head().version) == (1, 0)
    down[0] = False
    loop.settle()
    assert loop.head().version == 1
