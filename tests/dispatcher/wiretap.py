"""Sees every call the product makes of AWS, and makes the process die, or an answer get lost, at any of them.

It sits in botocore's own events, so nothing of the product is replaced. What it refuses to do: answer in the
service's place.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError

When = Literal["before", "after"]


class Crash(BaseException):
    """The process ends here: nothing after this line happens, and nobody can catch it."""


@dataclass(slots=True)
class Call:
    """One call of AWS. ``done``: the service has carried it out, whatever the caller was told."""

    index: int
    service: str
    operation: str
    parameters: Mapping[str, Any]
    done: bool = False

    def __str__(self) -> str:
        return f"call {self.index}, {self.service}.{self.operation}"

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return not self.operation.startswith(("Get", "Query", "Receive"))

    @property
    def version(self) -> int | None:
        """The version it writes into a head; None for any other call."""
        match self.operation:
            case "PutItem":
                attribute = self.parameters["Item"].get("version")
            case "UpdateItem":
                attribute = self.parameters["ExpressionAttributeValues"].get(":version")
            case _:
                attribute = None
        return None if attribute is None else int(attribute["N"])


Action = Callable[[Call], None]


@dataclass(slots=True)
class Wiretap:
    """The calls of some clients, and what is to happen at them."""

    calls: list[Call] = field(default_factory=list)
    _actions: list[tuple[When, Callable[[Call], bool], Action]] = field(default_factory=list)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def at(self, index: int, when: When, action: Action) -> None:
        """Does something at one call of all, counted from 0."""
        self._actions.append((when, lambda call: call.index == index, action))

    def on(self, operation: str, when: When, action: Action, *, key: str | None = None, times: int = 1) -> None:
        """Does something at the next ``times`` calls of an operation, of those that name ``key`` if it is given."""
        left = iter(range(times))

        def matches(call: Call) -> bool:
            named = key is None or key in json.dumps(call.parameters)
            return call.operation == operation and named and next(left, None) is not None

        self._actions.append((when, matches, action))

    def clear(self) -> None:
        """Forgets calls and plans."""
        self.calls.clear()
        self._actions.clear()

    def versions_written(self) -> list[int]:
        """Versions of heads that were really written, in order."""
        return [call.version for call in self.calls if call.done and call.version is not None]

    @contextmanager
    def tapping(self, clients: Sequence[BaseClient]) -> Iterator[None]:
        """Listens to these clients."""
        for client in clients:
            client.meta.events.register("before-call", self._before, unique_id=f"tap-before-{id(self)}")
            client.meta.events.register("after-call", self._after, unique_id=f"tap-after-{id(self)}")
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister("before-call", unique_id=f"tap-before-{id(self)}")
                client.meta.events.unregister("after-call", unique_id=f"tap-after-{id(self)}")

    def _before(self, *, model: Any, params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
        with self._counting:  # listings call from several threads
            call = Call(len(self.calls), model.service_model.service_name, model.name, _parameters(params["body"]))
            self.calls.append(call)
        context["wiretap"] = call
        self._act("before", call)

    def _after(self, *, http_response: Any, context: dict[str, Any], **_: object) -> None:
        call: Call = context["wiretap"]
        call.done = http_response.status_code < 300
        self._act("after", call)

    def _act(self, when: When, call: Call) -> None:
        for planned, matches, action in list(self._actions):
            if planned == when and matches(call):
                action(call)


def _parameters(body: object) -> Mapping[str, Any]:
    """What a call says; S3 and CloudWatch do not say it in JSON."""
    try:
        parameters = json.loads(body) if isinstance(body, bytes | str) else None
    except ValueError:
        parameters = None
    return parameters if isinstance(parameters, dict) else {}


def crash(_call: Call) -> None:
    """The process dies."""
    raise Crash


def lose_the_answer(call: Call) -> None:
    """The connection breaks: the caller does not know whether the call was carried out."""
    raise EndpointConnectionError(endpoint_url=f"https://{call.service}.test")


def answer_500(call: Call) -> None:
    """The service says that it failed, which is true of the answer alone."""
    raise client_error(call.operation, "InternalServerError", status=500)


def client_error(operation: str, code: str, *, status: int = 400, **response: object) -> ClientError:
    """An error as botocore makes it of a service's answer."""
    answer: Any = {
        "Error": {"Code": code, "Message": f"{code} in a test"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "test", "HTTPHeaders": {}, "RetryAttempts": 0},
        **response,
    }
    return ClientError(answer, operation)


def raising(code: str, *, status: int = 400) -> Action:
    """Answers a call with an error of that code."""

    def act(call: Call) -> None:
        raise client_error(call.operation, code, status=status)

    return act
