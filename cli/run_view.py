"""A run as people read it: what it is, where it stands, what it waits for and what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.graph_view import graph_view
from cli.http_client import ENDED
from cli.moments import length, moment
from cli.output import Output
from cli.plain_text import plain
from engine import WorkflowDefinition

STATUS_STYLES: Final[Mapping[str, str]] = {
    "active": "bold blue",
    "paused": "bold yellow",
    "error": "yellow",
    "completed": "bold green",
    "failed": "bold red",
    "cancelled": "magenta",
}

_OUTPUT_LINES_MAX: Final = 30
"""Lines of output that are shown; --json prints all of it."""

_LINES_BESIDE_GRAPH: Final = 14
"""Of a run that has not ended: its facts, the legend, an error, and the lines between them."""


def status_text(status: object) -> Text:
    """A status in its colour."""
    return Text(plain(status), style=STATUS_STYLES.get(str(status), ""))


def run_view(
    run: Mapping[str, object], definition: WorkflowDefinition | None, *, lines_max: int | None = None
) -> RenderableType:
    """A run's document (``GET /runs/{id}``), with its graph when the definition is at hand.

    Args:
        run: the document.
        definition: what it is a run of.
        lines_max: lines that there is room for; of a longer graph the part around the current node is shown.
    """
    parts: list[RenderableType] = [_facts(run, with_link=lines_max is not None)]
    if definition is not None:
        room = None if lines_max is None else lines_max - _LINES_BESIDE_GRAPH
        parts += [Text(), replace(graph_view(definition, run), lines_max=room)]
    parts += _result(run)
    return Group(*parts)


def show_run(output: Output, run: Mapping[str, object], definition: WorkflowDefinition | None) -> None:
    """Shows a run as it is now; its link on a line of its own that no terminal breaks, for it is there to be copied."""
    output.show(run_view(run, definition))
    link = _link(run)
    if link is not None:
        output.unbroken(f"webhook  {link}")


def _link(run: Mapping[str, object]) -> str | None:
    wait = run.get("wait")
    link = wait.get("callbackUrl") if isinstance(wait, Mapping) else None
    return plain(link) if isinstance(link, str) else None


def _facts(run: Mapping[str, object], *, with_link: bool) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(run, time.time_ns() // 1_000_000):
        table.add_row(name, value)
    link = _link(run) if with_link else None
    if link is not None:
        table.add_row("webhook", Text(link))
    return table


def _rows(run: Mapping[str, object], now_ms: int) -> Iterator[tuple[str, Text]]:
    yield "run", Text(plain(run.get("workflowId")), style="bold")
    yield "status", status_text(run.get("status")).append(_of_held(run))
    reference = run.get("definition")
    if isinstance(reference, Mapping):
        version = plain(reference.get("version"), 13)
        yield "workflow", Text(plain(reference.get("name"))).append(f"  version {version}", style="dim")
    for name, key in (("started", "startedAt"), ("last step", "lastStartedAt")):
        at_ms = run.get(key)
        if isinstance(at_ms, int) and at_ms > 0:
            yield name, Text(moment(at_ms, now_ms))
    executed_ms = run.get("totalExecutionTime")
    if isinstance(executed_ms, int):
        many = "transition" if run.get("version") == 1 else "transitions"
        yield "executed", Text(f"{length(executed_ms)} in {run.get('version')} {many}")
    tags = run.get("tags")
    if isinstance(tags, Mapping) and tags:
        yield "tags", Text(plain(", ".join(f"{name}={value}" for name, value in tags.items())))
    if run.get("tenant") is not None:
        yield "tenant", Text(plain(run.get("tenant")))


def _of_held(run: Mapping[str, object]) -> str:
    held = run.get("held")
    if not isinstance(held, Mapping):
        return ""
    reason = f": {plain(held['reason'])}" if held.get("reason") is not None else ""
    return f", on hold by {plain(held.get('actor'))}{reason}"


def _result(run: Mapping[str, object]) -> Iterator[RenderableType]:
    error = error_of(run)
    if error is not None:
        yield Text()
        yield Text.assemble(("error  ", "dim"), (plain(error), "red"))
    if run.get("status") == "completed":
        lines = json.dumps(run.get("output"), indent=2, ensure_ascii=False).splitlines()
        yield Text()
        yield Text.assemble(("output  ", "dim"), "\n".join(plain(line) for line in lines[:_OUTPUT_LINES_MAX]))
        if len(lines) > _OUTPUT_LINES_MAX:
            yield Text(f"and {len(lines) - _OUTPUT_LINES_MAX} lines more; --json prints them", style="dim")


def waits_for_somebody(run: Mapping[str, object]) -> bool:
    """Whether a run goes on only when somebody lets it: it is on hold, or waits for a signal."""
    wait = run.get("wait")
    waits = isinstance(wait, Mapping) and wait.get("signal") is not None
    return run.get("status") not in ENDED and (waits or isinstance(run.get("held"), Mapping))


def next_call(run: Mapping[str, object]) -> str | None:
    """What somebody may want to call next."""
    run_id, wait = plain(run.get("workflowId")), run.get("wait")
    if run.get("status") in ENDED:
        return (
            f"refluxo retry {run_id} takes it back to the node that failed" if run.get("status") == "failed" else None
        )
    if isinstance(run.get("held"), Mapping):
        return f"refluxo resume {run_id} lifts the hold"
    if isinstance(wait, Mapping) and wait.get("signal") is not None:
        return f"refluxo signal {run_id} {plain(wait['signal'])} [PAYLOAD] is what it waits for"
    return f"refluxo show {run_id} --watch follows it"


def error_of(run: Mapping[str, object]) -> str | None:
    """The error a run has failed with, or waits to repeat after."""
    if run.get("status") not in {"failed", "error"}:
        return None
    context = run.get("context")
    results = context.get(run.get("currentNodeId")) if isinstance(context, Mapping) else None
    newest = results[-1] if isinstance(results, list) and results else None
    error = newest.get("error") if isinstance(newest, Mapping) else None
    return None if error is None else f"{run.get('currentNodeId')}: {error}"
