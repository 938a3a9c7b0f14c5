"""Calls of ``core:http`` without a workflow around them: data in, output or error out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dispatcher.http_node.address import networks_of
from dispatcher.http_node.connection import Connect, Outside, Resolve, system_connection
from dispatcher.http_node.node import HttpNode
from engine import Context, Host, Output, Step
from engine.core_data import HttpData
from engine.json_value import JsonValue, checked_copy
from tests.dispatcher.http_node.server import LOOPBACK

NOW_MS: Final = 1_767_225_600_000
"""2026-01-01, 00:00 UTC."""


def names(**addresses: str | Sequence[str]) -> Resolve:
    """A resolver that knows these names, with an underscore for each dot, and no other."""
    known = {name.replace("_", "."): [at] if isinstance(at, str) else list(at) for name, at in addresses.items()}

    def resolve(host: str, _port: int) -> Sequence[str]:
        if host not in known:
            raise OSError(-2, "Name or service not known")
        return known[host]

    return resolve


def call(
    method: str,
    url: str,
    *,
    resolve: Resolve | None = None,
    connect: Connect = system_connection,
    allowed: str = LOOPBACK,
    exits: Sequence[str] = (),
    global_values: Mapping[str, JsonValue] | None = None,
    deadline_ms: int | None = None,
    **data: Any,
) -> Output:
    """Executes a node of that data, which has these exits; what it gives is JSON."""
    node = HttpNode(
        outside=Outside(networks_of(allowed), resolve=names() if resolve is None else resolve, connect=connect),
        now_ms=lambda: NOW_MS,
    )
    step = Step(
        "run-1",
        "call",
        1,
        1,
        Context(),
        globals=global_values or {},
        host=Host(nonce="n", deadline_ms=deadline_ms),
        exits=dict.fromkeys(exits, "next"),
    )
    output = node.execute(HttpData.model_validate({"method": method, "url": url, **data}), step)
    checked_copy(output.data)
    return output


def got(method: str, url: str, **data: Any) -> Any:
    """What a call gives."""
    return call(method, url, **data).data
