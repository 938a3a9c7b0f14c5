"""The node types of the corpus: small, deterministic, each showing one way to be an executor."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from engine import Output, Pause, Registry, RetryPolicy, Step
from engine.json_value import JsonObject, JsonValue


class Busy(Exception):
    """May be gone at the next attempt."""


class VeryBusy(Busy):
    """A kind of Busy, for matching by base."""


class Broken(Exception):
    """Will be there at the next attempt too."""


ERRORS: dict[str, type[Exception]] = {kind.__name__: kind for kind in (Busy, VeryBusy, Broken)}


class Order(BaseModel):
    """What ``test:price`` takes."""

    item: str
    count: int = 1


class Price(BaseModel):
    """What ``test:price`` gives."""

    item: str
    cents: int


def flaky(data: JsonObject, step: Step) -> JsonObject:
    """Attempt n raises the n-th of ``errors``; after the last one it gives its attempt and visit."""
    return _raise_or_tell(data, step)


def choose(data: JsonObject) -> Output:
    """Goes on by the handle its data names."""
    handle = data["handle"]
    return Output(data.get("value"), handle if isinstance(handle, str) else None)


def ask(data: JsonObject, step: Step) -> object:
    """Waits once, for a signal, a timeout or both, and tells how the wait ended."""
    if step.resumed is None:
        signal, timeout, until = data.get("signal"), data.get("timeout"), data.get("until")
        return Pause(
            signal if isinstance(signal, str) else None,
            timeout=timeout if isinstance(timeout, int) else None,
            until=until if isinstance(until, int) else None,
        )
    return {"by": step.resumed.by, "signal": step.resumed.signal, "payload": step.resumed.payload}


def ask_twice(_data: JsonValue, step: Step) -> object:
    """Waits for two signals in turn; the wait's own data carries the first payload over the second wait."""
    if step.resumed is None:
        return Pause("first")
    if step.resumes == 1:
        return Pause("second", data=step.resumed.payload)
    return [step.wait.data if step.wait is not None else None, step.resumed.payload]


def ask_then_flaky(data: JsonObject, step: Step) -> object:
    """Waits; once resumed it fails as ``flaky`` does, and then tells its payload."""
    if step.resumed is None:
        return Pause("go", timeout=60_000)
    return _raise_or_tell(data, step) | {"payload": step.external_payload}


def flaky_then_ask(data: JsonObject, step: Step) -> object:
    """Fails as ``flaky`` does, then waits, then tells its attempt."""
    told = _raise_or_tell(data, step)
    return Pause("go") if step.resumed is None else told


def ask_between(data: JsonObject, step: Step) -> object:
    """Fails as ``flaky`` does, but its second attempt waits first, and fails when it is resumed."""
    return Pause("go") if step.attempt == 2 and step.resumed is None else _raise_or_tell(data, step)


def begin(data: JsonObject, step: Step) -> object:
    """Fails as ``flaky`` does, then gives what came from outside."""
    _raise_or_tell(data, step)
    return step.external_payload


async def double(data: JsonObject) -> int:
    """An async executor that really gives way to its loop."""
    await asyncio.sleep(0)
    number = data["number"]
    assert isinstance(number, int)
    return number * 2


def price(order: Order) -> Price:
    """A pydantic model in, another one out."""
    return Price(item=order.item, cents=250 * order.count)


def keep(data: JsonValue) -> JsonValue:
    """Gives its data, which no expression has touched."""
    return data


def remember(data: JsonObject, step: Step) -> JsonObject:
    """Adds its data's ``value`` to what its earlier successes held."""
    earlier = [output["value"] for output in step.context.outputs(step.node_id) if isinstance(output, dict)]
    return {"value": data["value"], "earlier": earlier}


def _raise_or_tell(data: JsonObject, step: Step) -> JsonObject:
    errors = data.get("errors", [])
    assert isinstance(errors, list)
    if step.attempt <= len(errors):
        raise ERRORS[str(errors[step.attempt - 1])](f"attempt {step.attempt}")
    return {"attempt": step.attempt, "visit": step.visit}


def new_registry() -> Registry:
    """The core types and those of the corpus."""
    registry = Registry()
    registry.node("test:flaky")(flaky)
    registry.node("test:patient", retry_policy=RetryPolicy(3, interval=100))(flaky)
    registry.node("test:choose")(choose)
    registry.node("test:ports", handles=("left", "right"))(choose)
    registry.node("test:ask")(ask)
    registry.node("test:ask-twice")(ask_twice)
    registry.node("test:ask-then-flaky")(ask_then_flaky)
    registry.node("test:flaky-then-ask")(flaky_then_ask)
    registry.node("test:ask-between")(ask_between)
    registry.node("test:begin")(begin)
    registry.node("test:double")(double)
    registry.node("test:price")(price)
    registry.node("test:keep", raw=True)(keep)
    registry.node("test:remember")(remember)
    registry.node(
        "test:limited",
        input={"type": "object", "properties": {"n": {"maximum": 3}}},
        output={"type": "object", "required": ["n"]},
        retry_policy=RetryPolicy(5, interval=10),
    )(keep_resolved)
    return registry


def keep_resolved(data: JsonValue) -> JsonValue:
    """Gives its data, resolved; its type holds both against schemas."""
    return data
