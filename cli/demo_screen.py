"""How the demo is shown: live in a terminal, as plain lines elsewhere.

In a terminal what happens scrolls by, and below it stand the table of the runs and the graph of one. Through a pipe
there are only the lines, with no control codes in them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.demo_run import DemoRun, Happening, Tone
from cli.graph_view import graph_view
from engine import WorkflowDefinition

_MARKS: Final[Mapping[Tone, tuple[str, str]]] = {
    "call": ("→", "bold"),
    "done": ("✓", "green"),
    "wait": ("◐", "yellow"),
    "retry": ("↻", "yellow"),
    "wrong": ("✗", "bold red"),
}
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "-": ("○", "dim"),
    "active": ("▶", "bold blue"),
    "paused": ("◐", "yellow"),
    "error": ("↻", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "cancelled": ("⊘", "magenta"),
}
_TABLE_LINES: Final = 9
"""Lines of the board that are not the graph's: the table, two empty ones and a title."""

_SCROLLING_LINES: Final = 2
"""Lines that are left to what scrolls by, however large the graph is."""

_PREFIX_CELLS: Final = 28


class Screen(Protocol):
    """Shows the demo while it goes on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, runs: Sequence[DemoRun], happenings: Sequence[Happening]) -> None:
        """Shows where the runs stand, and what has happened since the last time."""
        ...


def screen_for(console: Console, definitions: Mapping[str, WorkflowDefinition], *, silent: bool) -> Screen:
    """The screen that suits a console.

    Args:
        console: where to.
        definitions: the workflows, by name, for the graph.
        silent: nothing is shown, for whoever reads the result as JSON.
    """
    if silent:
        return SilentScreen()
    return LiveScreen(console, definitions) if console.is_interactive else PlainScreen(console)


class SilentScreen:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, runs: Sequence[DemoRun], happenings: Sequence[Happening]) -> None:
        """See Screen."""


class PlainScreen(SilentScreen):
    """One line for each thing that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = _Clock()

    def show(self, runs: Sequence[DemoRun], happenings: Sequence[Happening]) -> None:
        """See Screen."""
        del runs
        for happening in happenings:
            self._console.print(_line(happening, self._clock), soft_wrap=True)


class LiveScreen:
    """Lines that scroll by, over the table and a graph that are drawn anew at each look."""

    def __init__(self, console: Console, definitions: Mapping[str, WorkflowDefinition]) -> None:
        self._console = console
        self._definitions = definitions
        self._clock = _Clock()
        # Drawn only when there is something new, and gone in the end: the final table takes its place.
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, runs: Sequence[DemoRun], happenings: Sequence[Happening]) -> None:
        """See Screen."""
        for happening in happenings:
            self._console.print(_two_lines(happening, self._clock, self._console))
        self._live.update(self._board(runs), refresh=True)

    def _board(self, runs: Sequence[DemoRun]) -> RenderableType:
        now_ms = _now_ms()
        parts: list[RenderableType] = [Text(), board(runs, now_ms, width=self._console.width)]
        shown = next((run for run in runs if run.workflow_id is not None and not run.ended), None)
        graph = None if shown is None else self._graph(shown, now_ms)
        if shown is not None and graph is not None:
            parts += [
                Text(),
                Text.assemble((shown.example.workflow, "bold"), (f"  {shown.example.shows}", "dim")),
                graph,
            ]
        return Group(*parts)

    def _graph(self, run: DemoRun, now_ms: int) -> RenderableType | None:
        """The graph of a run, drawn close where it is long; None where there is no room for it."""
        definition = self._definitions.get(run.example.workflow)
        room = self._console.height - _TABLE_LINES - _SCROLLING_LINES
        if definition is None:
            return None
        for spaced in (True, False):
            graph = replace(graph_view(definition, run.document or None, now_ms=now_ms), spaced=spaced)
            if len(self._console.render_lines(graph, pad=False)) <= room:
                return graph
        return None


def board(runs: Sequence[DemoRun], now_ms: int, *, width: int) -> Table:
    """Where the runs stand, side by side. In a narrow terminal the counts of retries are left out."""
    wide = width >= 90  # noqa: PLR2004  (so wide are all columns)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    table.add_column("workflow", no_wrap=True)
    table.add_column("status", no_wrap=True, min_width=11)
    table.add_column("node", no_wrap=True, min_width=9)
    table.add_column("steps", justify="right", no_wrap=True)
    if wide:
        table.add_column("retries", justify="right", no_wrap=True)
    table.add_column("waits for", no_wrap=True, min_width=20)
    table.add_column("time", justify="right", no_wrap=True, min_width=6)
    for run in runs:
        mark, style = _LOOKS.get(run.status, ("?", ""))
        cells: list[RenderableType] = [
            Text(run.example.workflow, style="bold"),
            Text(f"{mark} {run.status if run.workflow_id is not None else 'to come'}", style=style),
            Text(str(run.document.get("currentNodeId") or "")),
            Text(str(run.steps)),
            *([Text(str(run.retries))] if wide else []),
            Text(run.waits_for(now_ms), style="yellow"),
            Text(f"{run.seconds(now_ms):.1f} s" if run.workflow_id is not None else "", style="dim"),
        ]
        table.add_row(*cells)
    return table


@dataclass(slots=True)
class _Clock:
    """Seconds since the first thing that was told."""

    began_ms: int | None = None

    def seconds(self, at_ms: int) -> float:
        if self.began_ms is None:
            self.began_ms = at_ms
        return max(at_ms - self.began_ms, 0) / 1000


def _line(happening: Happening, since: _Clock) -> Text:
    """All of it on one line."""
    return _prefix(happening, since).append(happening.text)


def _two_lines(happening: Happening, since: _Clock, console: Console) -> Table:
    """On two lines at most, the second below the first one's text; on one where it only repeats what the end tells."""
    room, most = max(console.width - _PREFIX_CELLS, 12), 1 if happening.tone == "done" else 2
    lines = Text(happening.text).wrap(console, room)
    shown = lines[:most]
    if most == 1:
        # A value may be one long word: cut where the line ends, not where a word does.
        shown = [Text(happening.text)]
    if len(lines) > most:
        shown[-1].truncate(room - 1)
        shown[-1].append("…")
    grid = Table.grid()
    grid.add_column(width=_PREFIX_CELLS, no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_row(_prefix(happening, since), Text("\n").join(shown))
    return grid


def _prefix(happening: Happening, since: _Clock) -> Text:
    mark, style = _MARKS[happening.tone]
    return Text.assemble(
        (f"{since.seconds(happening.at_ms):5.1f} s  ", "dim"),
        (f"{happening.workflow:<16}", "cyan"),
        (f" {mark} ", style),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
