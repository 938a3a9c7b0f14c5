"""The node types every registry has, with their documentation, and the executors of the pure ones.

Types that do I/O or make other runs are described here, for editors and checks; their executors are a host's
(``Host.executors``), and without one a step of theirs fails with NeedsHost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, NoReturn

from pydantic import BaseModel

from engine.core_data import (
    FailData,
    HttpData,
    IfData,
    LoopData,
    MapData,
    ParallelData,
    RepeatData,
    SignalData,
    SleepData,
    SwitchData,
    WaitData,
    WhileData,
    WorkflowData,
)
from engine.errors import InvalidInput, NeedsHost, WorkflowFailure
from engine.json_value import JsonValue
from engine.node_definition import Handles, NodeDefinition
from engine.outcome import Output, Pause
from engine.retry import RetryPolicy
from engine.schema import schema_faults
from engine.step import Step
from engine.templates import has_template

DEFAULT_HANDLE: Final = "default"


def trigger(_data: JsonValue, step: Step) -> Output:
    """Begins a run; gives the start's payload."""
    return Output(step.external_payload)


def set_(data: JsonValue) -> Output:
    """Gives its data, resolved."""
    return Output(data)


def if_(data: IfData) -> Output:
    """Goes on by ``true`` or ``false``; gives which."""
    return Output(data.when, "true" if data.when else "false")


def switch(data: SwitchData) -> Output:
    """Goes on by the name of the first case equal to the value, or by ``default``; gives the value."""
    for case in data.cases:
        if case == data.value and isinstance(case, bool) == isinstance(data.value, bool):
            return Output(data.value, case_handle(case))
    return Output(data.value, DEFAULT_HANDLE)


def case_handle(case: JsonValue) -> str:
    """The handle of a case: its text, as JSON writes it."""
    if isinstance(case, str):
        return case
    if case is None or isinstance(case, bool):
        return {None: "null", True: "true", False: "false"}[case]
    if isinstance(case, float) and case.is_integer():
        return str(int(case))
    return str(case)


def loop(data: LoopData, step: Step) -> Output:
    """Goes through items: ``{item, index}`` by ``loop`` for each, then ``{count}`` by ``done``.

    Its position is that of its own last success, so it needs no state beside the run's results; after
    ``done`` it starts afresh, so loops nest.
    """
    index = _next_index(step)
    if index < len(data.items):
        return Output({"item": data.items[index], "index": index}, "loop")
    return Output({"count": index}, "done")


def while_(data: WhileData, step: Step) -> Output:
    """Goes on by ``loop`` (``{index}``) while its condition holds, then by ``done`` (``{count}``)."""
    index = _next_index(step)
    return Output({"index": index}, "loop") if data.when else Output({"count": index}, "done")


def repeat(data: RepeatData, step: Step) -> Output:
    """Goes on by ``loop`` (``{index}``) a number of times, then by ``done`` (``{count}``)."""
    index = _next_index(step)
    return Output({"index": index}, "loop") if index < data.times else Output({"count": index}, "done")


def _next_index(step: Step) -> int:
    newest = step.results.last_success(step.node_id)
    if newest is None or not isinstance(newest.output, dict):
        return 0
    index = newest.output.get("index")
    return index + 1 if isinstance(index, int) else 0


def wait(data: WaitData, step: Step) -> Output | Pause:
    """Waits for a signal and gives its payload; on a timeout the run goes on by ``timeout``."""
    if step.resumed is None:
        return Pause(data.signal, timeout=data.timeout_ms, heartbeat=data.heartbeat_ms)
    if step.resumed.by == "timeout":
        return Output(None, "timeout")
    if data.payload_schema is not None:
        faults = schema_faults(data.payload_schema, step.resumed.payload)
        if faults:
            raise InvalidInput("the payload breaks the wait's schema: " + "; ".join(map(str, faults)))
    return Output(step.resumed.payload)


def sleep(data: SleepData, step: Step) -> Output | Pause:
    """Sleeps for a time or until a moment, of any length; gives ``{until}``."""
    if step.resumed is None:
        return Pause(until=data.until if data.ms is None else timedelta(milliseconds=data.ms))
    return Output({"until": step.wait.due_at_ms if step.wait is not None else data.until})


def fail(data: FailData) -> NoReturn:
    """Fails the run with an error of the author's own."""
    raise WorkflowFailure(data.error, data.message)


def inline_definitions(node_type: str, data: JsonValue) -> Sequence[tuple[str, JsonValue]]:
    """Definitions written inside a node's data, each with its path there: children that have no name."""
    if not isinstance(data, dict):
        return ()
    found: list[tuple[str, JsonValue]] = []
    if node_type in {"core:map", "core:workflow"}:
        found = [("workflow", data.get("workflow"))]
    elif node_type == "core:parallel":
        branches = data.get("branches")
        found = [(f"branches.{name}", item) for name, item in branches.items()] if isinstance(branches, dict) else []
    return [(path, definition) for path, definition in found if isinstance(definition, dict)]


def _switch_handles(data: JsonValue) -> Sequence[str] | None:
    cases = data.get("cases") if isinstance(data, dict) else None
    if not isinstance(cases, list) or has_template(cases):
        return None
    return (*(case_handle(case) for case in cases), DEFAULT_HANDLE)


def _hosted(
    node_type: str,
    description: str,
    model: type[BaseModel],
    *,
    handles: Handles = (),
    retry_policy: RetryPolicy | None = None,
    raw: Sequence[str] = (),
) -> NodeDefinition:
    def executor(data: object, step: Step) -> object:
        hosts = step.host.executors.get(node_type)
        if hosts is None:
            raise NeedsHost(
                f"no executor of {node_type!r} is here: it does I/O or makes other runs, which the engine does not"
            )
        return hosts(data, step)

    executor.__doc__ = description
    return NodeDefinition(
        executor, input=model, handles=handles, retry_policy=retry_policy, raw=raw or False, hosted=True
    )


def _pure(
    executor: Callable[..., object], model: type[BaseModel] | None = None, handles: Handles = ()
) -> NodeDefinition:
    return NodeDefinition(executor, input=model, handles=handles)


_ROUNDS: Final = ("loop", "done")

CORE_NODES: Final[Mapping[str, NodeDefinition]] = {
    "core:trigger": _pure(trigger),
    "core:set": _pure(set_),
    "core:if": _pure(if_, IfData, ("true", "false")),
    "core:switch": _pure(switch, SwitchData, _switch_handles),
    "core:loop": _pure(loop, LoopData, _ROUNDS),
    "core:while": _pure(while_, WhileData, _ROUNDS),
    "core:repeat": _pure(repeat, RepeatData, _ROUNDS),
    "core:wait": _pure(wait, WaitData, ("timeout",)),
    "core:sleep": _pure(sleep, SleepData),
    "core:fail": _pure(fail, FailData),
    "core:http": _hosted(
        "core:http",
        "Calls a URL; gives ``{status, headers, body}``. 4xx goes by ``rejected`` when connected; 429, 5xx and "
        "network errors are retried, ``Retry-After`` honoured.",
        HttpData,
        handles=("rejected",),
        retry_policy=RetryPolicy(3, interval=1000, backoff="exponential", jitter="full"),
    ),
    "core:parallel": _hosted(
        "core:parallel", "Runs branches as child runs; gives their outputs by name.", ParallelData, raw=("branches",)
    ),
    "core:map": _hosted(
        "core:map",
        "Runs a workflow for each item as child runs; gives their outputs in item order.",
        MapData,
        raw=("workflow",),
    ),
    "core:workflow": _hosted(
        "core:workflow", "Runs a workflow as a child run; gives its output.", WorkflowData, raw=("workflow",)
    ),
    "core:signal": _hosted("core:signal", "Sends a signal to another run.", SignalData),
}
