"""A workflow drawn as text for a terminal, with how far a run has come.

Owns glyphs, colours and words; where each node stands is graph_layout.py's. Colour only repeats what a glyph and a
word say, so the drawing reads the same through a pipe. It fits any width: what is too long is cut, not wrapped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from cli.graph_layout import Branch, Column, Place, columns_of, node_ids
from cli.moments import clock, length, moment
from cli.plain_text import plain
from engine import Edge, WorkflowDefinition

State: TypeAlias = Literal["done", "active", "waiting", "retry", "failed", "cancelled", "pending"]
"""What a run has come to at a node."""


@dataclass(frozen=True, slots=True)
class _Look:
    glyph: str
    ascii_glyph: str
    style: str
    word: str


_LOOKS: Final[Mapping[State, _Look]] = {
    "done": _Look("✓", "+", "green", "done"),
    "active": _Look("▶", ">", "bold blue", "current"),
    "waiting": _Look("◐", "~", "bold yellow", "waiting"),
    "retry": _Look("↻", "%", "bold yellow", "to be retried"),
    "failed": _Look("✗", "x", "bold red", "failed"),
    "cancelled": _Look("⊘", "/", "magenta", "cancelled"),
    "pending": _Look("○", "o", "dim", "not reached"),
}

_STATE_OF_STATUS: Final[Mapping[object, State]] = {
    "active": "active",
    "paused": "waiting",
    "error": "retry",
    "failed": "failed",
    "cancelled": "cancelled",
}

_ID_CELLS_MAX: Final = 28
"""Longest id that its column is widened for."""

_ELBOW_CELLS_MAX: Final = 14
"""Longest handle whose branch stands beside it; of a longer one it stands below."""

_ERROR_CHARACTERS_MAX: Final = 300

_WINDOW_LINES_MIN: Final = 5
"""Least part of a long drawing that is of use: the current node, two lines around it, and what is left out."""


@dataclass(frozen=True, slots=True)
class _Marks:
    """What edges are drawn with."""

    rail: str
    tee: str
    corner: str
    dash: str
    catch_dash: str
    tip: str
    down: str
    up: str
    times: str


_UNICODE: Final = _Marks("│", "├", "└", "─", "┄", "→", "↓", "↺", "\N{MULTIPLICATION SIGN}")
_ASCII: Final = _Marks("|", "|", "`", "-", ".", ">", "v", "^", "x")


def graph_view(
    definition: WorkflowDefinition, run_document: Mapping[str, object] | None = None, *, now_ms: int | None = None
) -> GraphView:
    """A workflow's graph, to be printed on a rich console.

    Args:
        definition: what is drawn.
        run_document: a run of it as ``GET /runs/{id}`` shows it; None draws the workflow alone. Nodes that the
            definition does not have (any more) are left out.
        now_ms: what times are relative to, epoch milliseconds; the clock's when it is printed, if None.
    """
    return GraphView(definition, run_document, now_ms)


@dataclass(frozen=True, slots=True)
class GraphView:
    """The drawing of one workflow. Its lines follow from the width it is printed at."""

    definition: WorkflowDefinition
    run_document: Mapping[str, object] | None
    now_ms: int | None = None
    spaced: bool | None = None
    """Whether a line with the rail stands between nodes; None leaves it out where the drawing would not fit."""
    lines_max: int | None = None
    """Of a longer drawing the part around the current node is shown; None shows all of it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich.protocol."""
        now_ms = time.time_ns() // 1_000_000 if self.now_ms is None else self.now_ms
        progress = None if self.run_document is None else _Progress(self.run_document, now_ms)
        marks = _ASCII if options.ascii_only else _UNICODE
        columns = columns_of(self.definition)
        spaced = self.spaced
        if spaced is None:
            room = max(options.size.height, 30) if self.lines_max is None else self.lines_max
            spaced = 2 * len(self.definition.nodes) < room
        drawing = _Drawing(self.definition, columns, progress, marks, spaced=spaced)
        lines = [*drawing.lines()]
        if self.lines_max is not None and progress is not None:
            lines = _window(lines, progress.current, max(self.lines_max, _WINDOW_LINES_MIN))
        for line in (*lines, *drawing.legend()):
            line.truncate(options.max_width, overflow="crop" if options.ascii_only else "ellipsis")
            yield line


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a run's document says of each node."""

    document: Mapping[str, object]
    now_ms: int

    @property
    def current(self) -> str:
        """How the line of the node that the run stands at begins, its glyph aside."""
        return f" {plain(self.document.get('currentNodeId'))} "

    def state(self, node_id: str) -> State:
        """What the run has come to at a node."""
        if node_id == self.document.get("currentNodeId") and self.document.get("status") in _STATE_OF_STATUS:
            return _STATE_OF_STATUS[self.document.get("status")]
        newest = self._newest(node_id)
        if newest is None:
            return "pending"
        return "done" if newest.get("error") is None else "failed"

    def visits(self, node_id: str) -> int:
        """How often the node has been entered, as far as the document tells."""
        told = _mapping(self.document.get("visits")).get(node_id)
        if isinstance(told, int):
            return told
        current = node_id == self.document.get("currentNodeId")
        of_wait = _mapping(self.document.get("wait")).get("visit") if current else None
        firsts = sum(1 for result in self._results(node_id) if result.get("attempt", 1) == 1)
        return max(firsts, of_wait if isinstance(of_wait, int) else 0)

    def notes(self, node_id: str) -> Iterator[str]:
        """What else is to be said of a node."""
        state, newest = self.state(node_id), self._newest(node_id) or {}
        if state in {"active", "waiting", "retry"}:
            yield from self._held()
        match state:
            case "waiting":
                yield self._wait()
            case "retry":
                yield f"{_attempts(newest)}failed: {plain(newest.get('error'), _ERROR_CHARACTERS_MAX)}"
            case "failed":
                yield f"{_attempts(newest)}{plain(newest.get('error'), _ERROR_CHARACTERS_MAX)}"
            case "active":
                yield "current"
            case "cancelled":
                yield "cancelled here"
            case "done":
                if _attempts(newest):
                    yield f"after {newest.get('attempt')} attempts"
            case "pending":
                pass

    def retry(self, node_id: str) -> str | None:
        """When a failed attempt is repeated."""
        state = _mapping(self.document.get("retryState"))
        at_ms = state.get("nextRetryAt")
        if self.state(node_id) != "retry" or not isinstance(at_ms, int):
            return None
        number = state.get("attempts")
        attempt = f"attempt {number + 1} " if isinstance(number, int) else "again "
        return attempt + (moment(at_ms, self.now_ms) if at_ms > self.now_ms else "now")

    def _held(self) -> Iterator[str]:
        held = _mapping(self.document.get("held"))
        if held:
            reason = held.get("reason")
            yield f"on hold by {plain(held.get('actor'))}" + (f" ({plain(reason)})" if reason is not None else "")

    def _wait(self) -> str:
        wait = _mapping(self.document.get("wait"))
        signal, due_ms = wait.get("signal"), wait.get("dueAt")
        what = f"waits for {plain(signal)!r}" if signal is not None else "sleeps"
        if not isinstance(due_ms, int):
            return what
        left = f"{length(due_ms - self.now_ms)} left" if due_ms > self.now_ms else "due"
        return f"{what} until {clock(due_ms, self.now_ms)}, {left}"

    def _newest(self, node_id: str) -> Mapping[str, object] | None:
        results = self._results(node_id)
        return results[-1] if results else None

    def _results(self, node_id: str) -> Sequence[Mapping[str, object]]:
        results = _mapping(self.document.get("context")).get(node_id)
        return [_mapping(result) for result in results] if isinstance(results, list) else []


def _attempts(result: Mapping[str, object]) -> str:
    attempt = result.get("attempt")
    return f"attempt {attempt} " if isinstance(attempt, int) and attempt > 1 else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


@dataclass(slots=True)
class _Drawing:
    """Lines of a drawing in the making."""

    definition: WorkflowDefinition
    columns: Sequence[Column]
    progress: _Progress | None
    marks: _Marks
    spaced: bool
    rows: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        order = (node_id for column in self.columns for node_id in node_ids(column))
        self.rows = {node_id: row for row, node_id in enumerate(order)}

    def lines(self) -> Iterator[Text]:
        """The drawing from top to bottom."""
        for index, column in enumerate(self.columns):
            if index:
                yield Text()
                yield Text("nothing leads to:", style="dim")
            yield from self._column(column)

    def legend(self) -> Iterator[Text]:
        """What the glyphs of a run mean."""
        if self.progress is not None:
            yield Text()
            yield self._legend(self.progress)

    def _column(self, column: Column) -> Iterator[Text]:
        ids = [len(place.node_id) for place in column]
        width = min(max(ids), _ID_CELLS_MAX)
        for index, place in enumerate(column):
            if index:
                yield from self._between(place)
            following = column[index + 1] if index + 1 < len(column) else None
            yield from self._place(place, following, width)

    def _between(self, place: Place) -> Iterator[Text]:
        """The way from the place before to this one, if there is anything to say of it."""
        edge = place.via
        if edge is not None and edge.source_handle is not None:
            yield Text.assemble((self.marks.rail, "dim"), " ", (plain(edge.source_handle), _edge_style(edge)))
        elif edge is None and not place.joined:
            yield Text()
        elif self.spaced:
            yield Text(self.marks.rail, style="dim")

    def _place(self, place: Place, following: Place | None, width: int) -> Iterator[Text]:
        line = self._node(place.node_id, width)
        alone = place.branches[0] if len(place.branches) == 1 else None
        branches = place.branches
        if alone is not None and alone.column is None and (following is None or following.via is None):
            line.append_text(self._reference(alone.edge))
            branches = ()
        yield line.append_text(self._notes(place.node_id))
        goes_on = following is not None and (following.via is not None or following.joined)
        retry = None if self.progress is None else self.progress.retry(place.node_id)
        if retry is not None:
            lead = self.marks.rail if branches or goes_on else " "
            yield Text.assemble((lead, "dim"), " ", (retry, "yellow"))
        for index, branch in enumerate(branches):
            yield from self._branch(branch, last=index + 1 == len(branches) and not goes_on)

    def _branch(self, branch: Branch, *, last: bool) -> Iterator[Text]:
        edge, marks = branch.edge, self.marks
        dash = marks.catch_dash if edge.catches else marks.dash
        # Pieces with a style each: a line's own style would dim what is put behind it.
        rail = Text.assemble((" " if last else marks.rail, "dim"))
        elbow = Text.assemble((marks.corner if last else marks.tee, "dim"))
        elbow.append(dash, "dim")
        elbow.append(plain(edge.source_handle or ""), _edge_style(edge))
        elbow.append(marks.tip if edge.source_handle is None else dash + marks.tip, "dim")
        elbow.append(" ")
        if branch.column is None:
            elbow.append_text(self._target(edge))
            yield elbow
            return
        below = elbow.cell_len > _ELBOW_CELLS_MAX
        if below:
            yield elbow
        indent = " " * (3 if below else elbow.cell_len - 1)
        for index, line in enumerate(self._column(branch.column)):
            head = elbow if index == 0 and not below else rail.copy().append(indent)
            yield head.copy().append_text(line)

    def _node(self, node_id: str, width: int) -> Text:
        node, progress = self.definition.node(node_id), self.progress
        state: State = "pending" if progress is None else progress.state(node_id)
        look = _LOOKS[state]
        style = "" if progress is None else look.style
        glyph = look.ascii_glyph if self.marks is _ASCII else look.glyph
        kind = "" if node is None else plain(node.type.removeprefix("core:"))
        line = Text.assemble((glyph, style or "cyan"), " ", (plain(node_id).ljust(width), style), "  ", (kind, "dim"))
        visits = 0 if progress is None else progress.visits(node_id)
        return line.append(f"  {self.marks.times}{visits}", "cyan") if visits > 1 else line

    def _notes(self, node_id: str) -> Text:
        notes = Text()
        if self.progress is not None:
            state = self.progress.state(node_id)
            for note in self.progress.notes(node_id):
                notes.append(f"  {note}", "dim" if state == "done" else _LOOKS[state].style)
        return notes

    def _reference(self, edge: Edge) -> Text:
        """The one way out of a node, behind it on its line."""
        marks, handle = self.marks, edge.source_handle
        said = "" if handle is None else f"{marks.dash}{plain(handle)}{marks.dash}{marks.tip} "
        return Text("  ").append(said, _edge_style(edge)).append_text(self._target(edge))

    def _target(self, edge: Edge) -> Text:
        here, there = self.rows[edge.source], self.rows[edge.target]
        mark = self.marks.down if there > here else self.marks.up
        return Text(f"{mark} {plain(edge.target)}", style="dim cyan")

    def _legend(self, progress: _Progress) -> Text:
        states = {progress.state(node.id) for node in self.definition.nodes}
        ascii_only = self.marks is _ASCII
        legend = Text()
        for state, look in _LOOKS.items():
            if state in states:
                legend.append("   " if legend else "")
                legend.append(look.ascii_glyph if ascii_only else look.glyph, look.style)
                legend.append(f" {look.word}", "dim")
        return legend


def _window(lines: list[Text], current: str, lines_max: int) -> list[Text]:
    """As many lines, those around the current node if there is one; how many are left out is told in their place."""
    if len(lines) <= lines_max:
        return lines
    looks = {look.glyph for look in _LOOKS.values()} | {look.ascii_glyph for look in _LOOKS.values()}
    starts = tuple(f"{glyph}{current}" for glyph in looks)
    focus = next((index for index, line in enumerate(lines) if any(start in f"{line.plain} " for start in starts)), 0)
    first = min(max(focus - lines_max // 2, 0), len(lines) - lines_max)
    shown = lines[first : first + lines_max]
    if first > 0:
        shown[0] = Text(f"  {first + 1} lines above", style="dim")
    if first + lines_max < len(lines):
        shown[-1] = Text(f"  {len(lines) - first - lines_max + 1} lines below", style="dim")
    return shown


def _edge_style(edge: Edge) -> str:
    return "red" if edge.catches else "cyan"
