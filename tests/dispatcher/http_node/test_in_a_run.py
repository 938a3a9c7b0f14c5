"""``core:http`` in a run, by the real dispatcher: retries, waits, edges, and secrets that are nowhere to be found."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import zlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest

from dispatcher.http_node.address import networks_of
from engine import Registry, Status
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.http_node.server import LOOPBACK, Received, Server, answered, as_json, serving
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import DAY, SECOND

CANARY: Final = "canary b7f3/e21d+\u00e9"


def calling(server: Server, path: str = "/", policy: object = None, **data: Any) -> Registry:
    """A workflow of one call, of a node behind its success and of one behind its rejection if it is asked for."""
    registry = Registry(lambda: {"secrets": {"key": CANARY, "number": 4929_1234}})
    node = {"id": "call", "type": "core:http", "data": {"method": "POST", "url": f"{server.url}{path}", **data}}
    nodes = [
        node | ({"policy": policy} if policy else {}),
        {"id": "done", "type": "core:set", "data": "{{ previous.body }}"},
    ]
    registry.add({"name": "calling", "nodes": nodes, "edges": [{"source": "call", "target": "done"}]})
    return registry


def looped(new_loop: NewLoop, registry: Registry, workflow: str = "calling") -> MotoLoop:
    """A deployment that may call this machine, with a run of that workflow."""
    loop = new_loop(registry, http_allowed_networks=networks_of(LOOPBACK))
    loop.start(workflow)
    loop.deliver_all()
    return loop


def test_a_call_is_a_step(new_loop: NewLoop) -> None:
    """Its result is the run's, its key that of the step."""
    with serving(as_json('{"n": 1}')) as server:
        loop = looped(new_loop, calling(server))
    assert (loop.snapshot().status, loop.snapshot().output) == (Status.COMPLETED, {"n": 1})
    assert loop.executed() == {"call": 1, "done": 1}
    assert len(server.received[0].headers["idempotency-key"]) == 36


def test_three_attempts_with_one_key(new_loop: NewLoop) -> None:
    """What fails in passing is tried again, and the server can tell that it is the same call."""
    answers = [answered(503), b"", as_json('"third time"')]
    with serving(lambda _request: answers[len(server.received) - 1]) as server:
        loop = looped(new_loop, calling(server))
        for _ in range(2):
            assert loop.snapshot().status is Status.ERROR
            loop.advance(10 * SECOND)
    assert loop.snapshot().output == "third time"
    kinds = [result.error_type for result in loop.snapshot().context["call"]]
    assert kinds == ["HttpUnavailable", "HttpUnreachable", None]
    assert len({request.headers["idempotency-key"] for request in server.received}) == 1


def test_the_fourth_is_never_made(new_loop: NewLoop) -> None:
    """Three executions, the first included; then the run fails with the last one's error."""
    with serving(answered(500, "down", content_type="text/plain")) as server:
        loop = looped(new_loop, calling(server))
        for _ in range(5):
            loop.advance(10 * SECOND)
    assert (len(server.received), loop.snapshot().status) == (3, Status.FAILED)
    error = loop.snapshot().error
    assert error is not None
    assert error.error == f"HttpUnavailable: POST 127.0.0.1:{server.port}/ was answered 500: down"


@pytest.mark.parametrize(
    ("header", "wait_ms"), [("120", 120 * SECOND), ("Mon, 02 Mar 2026 10:00:00 GMT", 3600 * SECOND), ("9999999", DAY)]
)
def test_the_next_attempt_waits_as_long_as_it_is_asked_to(new_loop: NewLoop, header: str, wait_ms: int) -> None:
    """Seconds or a date, a day at most; not a millisecond earlier."""
    answers = [answered(429, retry_after=header), as_json('"now"')]
    with serving(lambda _request: answers[len(server.received) - 1]) as server:
        loop = looped(new_loop, calling(server))
        due_at_ms = loop.snapshot().due_at_ms
        assert due_at_ms == loop.time.now_ms + wait_ms
        loop.time.pass_by(wait_ms - 1)
        loop.sweep()
        loop.deliver_all()
        assert (len(server.received), loop.snapshot().status) == (1, Status.ERROR)
        loop.minutes(2)
        assert len(server.received) == 2
    assert loop.snapshot().output == "now"


@pytest.mark.parametrize(
    ("policy", "calls"),
    [
        (None, 1),
        ({"retry": {"maxAttempts": 3, "interval": 0}}, 1),
        ({"retry": {"maxAttempts": 3, "interval": 0, "retryOn": ["HttpRejected"]}}, 3),
    ],
)
def test_a_rejection_is_final_unless_somebody_knows_better(
    new_loop: NewLoop, policy: Mapping[str, Any] | None, calls: int
) -> None:
    """It fails the run at once, with what was answered."""
    with serving(as_json('{"why": "unknown order"}', 404)) as server:
        loop = looped(new_loop, calling(server, "/orders/7", policy))
    assert len(server.received) == calls
    error = loop.snapshot().error
    assert (loop.snapshot().status, error and error.error_type) == (Status.FAILED, "HttpRejected")


def test_rejections_and_failures_have_edges(new_loop: NewLoop) -> None:
    """``rejected`` with the answer; catch edges by the errors' names, and their bases'."""
    registry = Registry()
    with serving(lambda request: answered(int(request.path[1:]), "so", content_type="text/plain")) as server:
        node = {"id": "call", "type": "core:http", "policy": {"retry": []}}
        data = {"method": "GET", "url": f"{server.url}/{{{{ run.input }}}}"}
        handles = {"rejected": "{{ previous.status }}", "error:HttpThrottled": "slow", "error:HttpError": "error"}
        nodes = [
            {**node, "data": data},
            *({"id": h.replace(":", "-"), "type": "core:set", "data": d} for h, d in handles.items()),
        ]
        edges = [{"source": "call", "target": h.replace(":", "-"), "sourceHandle": h} for h in handles]
        registry.add({"name": "edges", "nodes": nodes, "edges": edges})
        loop = new_loop(registry, http_allowed_networks=networks_of(LOOPBACK))
        outputs = {}
        for status in ("404", "429", "500"):
            loop.start("edges", status, run=f"run-{status}")
            loop.deliver_all()
            outputs[status] = loop.snapshot(f"run-{status}").output
    assert outputs == {"404": 404, "429": "slow", "500": "error"}


@pytest.mark.parametrize("policy", [None, {"retry": {"maxAttempts": 9, "interval": 0}}])
def test_what_may_not_be_called_is_not_tried_again(new_loop: NewLoop, policy: Mapping[str, Any] | None) -> None:
    """Whatever the policy: it would be as forbidden again."""
    with serving(answered()) as server:
        loop = new_loop(calling(server, policy=policy))
        loop.start("calling")
        loop.deliver_all()
    error = loop.snapshot().error
    assert error is not None
    assert (error.error_type, error.attempt, loop.snapshot().status) == ("HttpRefused", 1, Status.FAILED)
    assert not server.received


def test_a_call_by_a_type_that_is_data(new_loop: NewLoop) -> None:
    """A node type made of a workflow calls as any other does."""
    registry = Registry()
    with serving(as_json("[1]")) as server:
        inside = {"id": "get", "type": "core:http", "data": {"method": "GET", "url": "{{ run.input.url }}"}}
        registry.add_node_data({"type": "test:get", "workflow": {"nodes": [inside]}})
        registry.add({"name": "calling", "nodes": [{"id": "it", "type": "test:get", "data": {"url": server.url}}]})
        loop = looped(new_loop, registry)
    assert loop.snapshot().output["body"] == [1]  # type: ignore[index,call-overload]


# --- secrets -----------------------------------------------------------------------------------


def _echo(status: int) -> Any:
    """Sends back everything it was sent, as careless servers do in their errors."""

    def answer(request: Received) -> bytes:
        credentials = {name: request.headers.get(name) for name in ("x-api-key", "x-number", "authorization")}
        told = {"body": request.body.decode("latin-1"), "target": request.target} | credentials
        return as_json(json.dumps(told), status)

    return answer


def _raw(text: str) -> Any:
    return lambda _request: text.encode("latin-1")


def _away(request: Received) -> bytes:
    if request.path.startswith("/away"):
        return _echo(404)(request)  # type: ignore[no-any-return]
    return answered(302, location=f"/away?{request.target}{request.headers['x-api-key']}")


ANSWERS: Final = {
    "rejected": _echo(404),
    "unavailable": _echo(503),
    "throttled": _echo(429),
    "redirected": _away,
    "redirected to a URL that is none": lambda r: answered(302, location=f"http://x:{r.headers['x-api-key']}@y/"),
    "redirected inside": lambda r: answered(302, location=f"http://10.0.0.1/{r.headers['x-api-key']}"),
    "malformed headers": _raw("HTTP/1.1 200 OK\r\nno colon here\r\n: nothing\r\n\r\n"),
    "no HTTP": _raw(f"{'x' * 9} nothing\r\n"),
    "cut short": _raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
    "nothing": _raw(""),
}


def everything(loop: MotoLoop, bodies: list[str], caplog: pytest.LogCaptureFixture) -> str:
    """All that left the process but for the calls themselves."""
    texts = [*bodies, caplog.text, *(str(vars(record)) for record in caplog.records)]
    for item in loop.items():
        for value in item.values():
            packed = value.get("B")
            texts.append(zlib.decompress(packed).decode() if packed is not None else json.dumps(value))
    texts += [str(loop.http("GET", path)) for path in ("/runs/run-1", "/runs/run-1/history")]
    return "\n".join(texts)


def forms(secret: str) -> set[str]:
    """How a secret may look somewhere."""
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    plain = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], basic}
    return plain | {json.dumps(form)[1:-1] for form in plain} | {secret.encode().decode("latin-1")}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_secret_is_in_anything_but_the_call(new_loop: NewLoop, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """In path, query, headers and body of a call whose server repeats them all: in no error, item, message or log."""
    caplog.set_level(logging.DEBUG)
    basic = f"Basic {base64.b64encode(f'user:{CANARY}'.encode()).decode()}"
    data: dict[str, Any] = {
        "headers": {
            "Authorization": basic,
            "X-Api-Key": "{{ globals.secrets.key }}",
            "X-Number": "n{{ globals.secrets.number }}",
        },
        "query": {"key": "{{ globals.secrets.key }}"},
        "json": {"key": "{{ globals.secrets.key }}", "number": "{{ globals.secrets.number }}"},
    }
    with serving(ANSWERS[name]) as server:
        registry = calling(server, "/hook/{{ globals.secrets.key }}/x", **data)
        caplog.clear()
        loop = new_loop(registry, http_allowed_networks=networks_of(LOOPBACK))
        loop.start("calling")
        bodies: list[str] = []
        for _ in range(4):
            while messages := loop.receive():
                bodies += [message["Body"] for message in messages]
                loop.acknowledge(messages, loop.invoke(messages))
            loop.advance(10 * SECOND)
    # The secret was sent, as it should be.
    request = server.received[0]
    assert request.headers["x-api-key"] == CANARY
    assert request.target == f"/hook/{quote(CANARY, safe='/+')}/x?key={quote(CANARY, safe='')}"
    assert json.loads(request.body) == {"key": CANARY, "number": 4929_1234}
    # The definition holds the header of the example above as it was written; nothing else may.
    found = everything(loop, bodies, caplog).replace(basic, "")
    assert f"127.0.0.1:{server.port}" in found
    for form in forms(CANARY) | {"49291234"}:
        assert form not in found


@pytest.mark.parametrize(
    "data",
    [
        {"url": "http://user:{{ globals.secrets.key }}@example.com/"},
        {"url": "http://{{ globals.secrets.key }}/"},
        {"url": "http://example.com:{{ globals.secrets.key }}/"},
        {"url": "{{ globals.secrets.key }}"},
        {"url": "http://example.com/\\{{ globals.secrets.key }}"},
        {"url": "http://10.0.0.1/{{ globals.secrets.key }}?{{ globals.secrets.key }}"},
        {"url": "http://no-such-name.invalid/{{ globals.secrets.key }}?{{ globals.secrets.key }}"},
        {"headers": {"X": "{{ globals.secrets.key }}\r\nY: z"}},
        {"headers": {"Host": "{{ globals.secrets.key }}"}},
        {"headers": "{{ globals.secrets.key }}"},
        {"query": "{{ globals.secrets.key }}"},
        {"query": {"a": {"b": "{{ globals.secrets.key }}"}}},
        {"timeoutMs": "{{ globals.secrets.key }}"},
        {"method": "{{ globals.secrets.key }}"},
        {"body": "{{ globals.secrets.key }}", "json": "{{ globals.secrets.key }}"},
    ],
    ids=str,
)
def test_no_secret_is_in_what_is_said_of_data_that_is_no_call(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture, data: dict[str, Any]
) -> None:
    """Whatever field it has made invalid."""
    caplog.set_level(logging.DEBUG)
    with serving(answered()) as server:
        loop = looped(new_loop, calling(server, policy={"retry": []}, **data))
    assert loop.snapshot().status is Status.FAILED
    found = everything(loop, [], caplog)
    for form in forms(CANARY):
        assert form not in found
    assert not server.received


# --- what it costs who does not use it ---------------------------------------------------------

_PROGRAM: Final = """
import sys
from engine import Registry
from local import LocalRunner
registry = Registry()
registry.add({"name": "set", "nodes": [{"id": "a", "type": "core:set"}]})
registry.add({"name": "get", "nodes": [{"id": "a", "type": "core:http",
                                         "data": {"method": "GET", "url": "http://10.0.0.1/"}}]})
runner = LocalRunner(registry, network=True)
runner.start("set").result()
print("urllib3" in sys.modules, "dispatcher.http_node.node" in sys.modules)
print(runner.start("get").assert_failed("HttpRefused").status.value)
print("urllib3" in sys.modules, "dispatcher.http_node.node" in sys.modules)
"""


def test_nothing_of_it_is_loaded_before_a_step_calls() -> None:
    """A deployment whose workflows call nothing pays nothing."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.splitlines() == ["False False", "failed", "True True"]
