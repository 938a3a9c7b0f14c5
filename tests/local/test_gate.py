"""The gate before the emulator: writes wait while it is closed, all else goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from local.gate import KEEPER, Gate

PUT_ITEM = {"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.PutItem"}
RECEIVE = {"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "AmazonSQS.ReceiveMessage"}
GET_ITEM = {"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.GetItem"}
PUT_OBJECT = {"REQUEST_METHOD": "PUT"}
GET_OBJECT = {"REQUEST_METHOD": "GET"}
KEEPERS = {**PUT_ITEM, "HTTP_USER_AGENT": f"Boto3/1 {KEEPER}"}


def _answer(_environ: Any, _start_response: Any) -> Iterable[bytes]:
    return [b"done"]


def _call(gate: Gate, request: dict[str, str]) -> Iterable[bytes]:
    return gate(request, lambda *_: lambda _body: None)


@pytest.mark.parametrize(
    ("request_", "writes"),
    [(PUT_ITEM, 1), (PUT_OBJECT, 1), (GET_ITEM, 0), (RECEIVE, 0), (GET_OBJECT, 0), (KEEPERS, 0)],
)
def test_what_may_have_changed_something_is_counted(request_: dict[str, str], writes: int) -> None:
    """Items and objects; what the keeper puts back is known to it."""
    gate = Gate(_answer)
    assert _call(gate, request_) == [b"done"]
    assert gate.writes == writes


def test_a_write_waits_until_the_gate_is_open() -> None:
    """Reads and the keeper do not."""
    done = threading.Event()
    gate = Gate(_answer)

    def write() -> None:
        _call(gate, PUT_ITEM)
        done.set()

    writer = threading.Thread(target=write)
    with gate.closed():
        writer.start()
        for request in (GET_ITEM, KEEPERS, RECEIVE):
            assert _call(gate, request) == [b"done"]
        assert not done.wait(0.05)
        assert gate.writes == 0
    assert done.wait(10)
    writer.join()


def test_the_gate_closes_once_nobody_is_inside() -> None:
    """A write that is under way ends first."""
    inside, may_end = threading.Event(), threading.Event()

    def slow(_environ: Any, _start_response: Any) -> Iterable[bytes]:
        inside.set()
        assert may_end.wait(10)
        return []

    gate = Gate(slow)
    writer = threading.Thread(target=_call, args=(gate, PUT_ITEM))
    writer.start()
    assert inside.wait(10)
    closed: list[bool] = []

    def close() -> None:
        with gate.closed():
            closed.append(may_end.is_set())

    closer = threading.Thread(target=close)
    closer.start()
    may_end.set()
    closer.join(10)
    writer.join(10)
    assert closed == [True]
