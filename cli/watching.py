"""Watches a run until it ends: live in a terminal, a line for each change in a pipe, JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from cli.definition_source import of_run
from cli.failures import DONE, FAILED
from cli.following import versions_of
from cli.http_client import ENDED, Api
from cli.moments import clock, length
from cli.options import Remote
from cli.plain_text import plain
from cli.run_view import error_of, next_call, run_view, show_run, status_text, waits_for_somebody

if TYPE_CHECKING:
    from engine import WorkflowDefinition


def watch_run(
    remote: Remote,
    run_id: str,
    *,
    registry: str,
    interval_seconds: float,
    graph: bool = True,
    seen: Callable[[Mapping[str, object]], None] | None = None,
) -> int:
    """Shows a run until it ends.

    Args:
        remote: the API that knows the run.
        run_id: the run's id.
        registry: where its definition is found if the API does not give it.
        interval_seconds: between two looks.
        graph: whether the workflow is drawn.
        seen: told of each state of the run, once it is shown.

    Returns:
        0 when it completed, else 1.
    """
    source = _Definitions(remote.api, registry) if graph else None
    versions = _telling(versions_of(remote.api, run_id, interval_seconds=interval_seconds), seen)
    run: Mapping[str, object] = {}
    if remote.output.as_json:
        for run in versions:
            remote.output.json_line(run)
    elif not remote.output.console.is_terminal:
        for run in versions:
            remote.output.show(_line(run))
        remote.output.show(run_view(run, None if source is None else source.of(run)))
    else:
        with Live(console=remote.output.console, refresh_per_second=4) as live:
            for run in versions:
                # What does not fit a terminal cannot be drawn anew in its place. Its end may scroll.
                room = None if run.get("status") in ENDED else remote.output.console.height
                view = run_view(run, None if source is None else source.of(run), lines_max=room)
                live.update(view, refresh=True)
    return DONE if run.get("status") == "completed" else FAILED


def _telling(
    versions: Iterator[Mapping[str, object]], seen: Callable[[Mapping[str, object]], None] | None
) -> Iterator[Mapping[str, object]]:
    for run in versions:
        yield run
        if seen is not None:
            seen(run)


def wait_for(remote: Remote, run_id: str, *, registry: str, interval_seconds: float, patience_seconds: float) -> int:
    """Waits for the end of a run, or until it waits for somebody itself, then shows it.

    Returns:
        0 when it completed, 1 when it failed, was cancelled or has not ended.
    """
    versions = versions_of(remote.api, run_id, interval_seconds=interval_seconds, patience_seconds=patience_seconds)
    run: Mapping[str, object] = {}
    with remote.output.progress(f"waiting for {run_id}"):
        for run in versions:
            if waits_for_somebody(run):
                break
    if remote.output.as_json:
        remote.output.document(run)
    else:
        show_run(remote.output, run, of_run(remote.api, run, registry))
    if waits_for_somebody(run):
        remote.output.note(f"not ended: {next_call(run)}")
    elif run.get("status") not in ENDED:
        remote.output.note(f"not ended within {length(patience_seconds * 1000)}; refluxo show {run_id} --watch goes on")
    return DONE if run.get("status") == "completed" else FAILED


class _Definitions:
    """The definition a run is pinned to, asked for once for each that it is pinned to."""

    def __init__(self, api: Api, registry: str) -> None:
        self._api = api
        self._registry = registry
        self._found: dict[str, WorkflowDefinition | None] = {}

    def of(self, run: Mapping[str, object]) -> WorkflowDefinition | None:
        """The one of this state of the run."""
        key = str(run.get("definition"))
        if key not in self._found:
            self._found[key] = of_run(self._api, run, self._registry)
        return self._found[key]


def _line(run: Mapping[str, object]) -> Text:
    now_ms = time.time_ns() // 1_000_000
    error = error_of(run)
    line = Text.assemble((f"{clock(now_ms, now_ms)}  ", "dim"), status_text(run.get("status")))
    line.append(f"  at {plain(run.get('currentNodeId') or '-')}")
    return line if error is None else line.append(f"  {plain(error)}")
