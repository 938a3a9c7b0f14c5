"""The drawing of a workflow and of a run in a terminal: what stands where, and what is said of each node."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from cli.graph_layout import columns_of, node_ids
from cli.graph_view import graph_view
from engine import WorkflowDefinition

NOW_MS = 1_767_225_600_000


def workflow(nodes: str, *edges: str, **types: str) -> WorkflowDefinition:
    """A definition of nodes by name and edges as ``source:target[:handle]``."""
    keys = ("source", "target", "sourceHandle")
    return WorkflowDefinition.parse(
        {
            "nodes": [{"id": node_id, "type": types.get(node_id, "core:set")} for node_id in nodes.split()],
            "edges": [dict(zip(keys, edge.split(":", 2), strict=False)) for edge in edges],
        }
    )


def drawn(
    definition: WorkflowDefinition,
    run: Mapping[str, object] | None = None,
    *,
    width: int = 80,
    encoding: str = "utf-8",
    colour: bool = False,
) -> str:
    """What a terminal of that width is shown."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None)
    console.print(graph_view(definition, run, now_ms=NOW_MS))
    stream.flush()
    return "\n".join(line.rstrip() for line in buffer.getvalue().decode(encoding).splitlines())


def result(attempt: int = 1, error: str | None = None) -> dict[str, object]:
    """A result as a run's document has it."""
    return {"output": None, "timestamp": 1, "attempt": attempt} | ({} if error is None else {"error": error})


def test_a_chain_stands_in_one_column() -> None:
    """With the rail between nodes, and the prefix of core types left out."""
    assert drawn(workflow("first second", "first:second")) == "○ first   set\n│\n○ second  set"


def test_ways_that_part_and_join_read_like_a_program() -> None:
    """The joint stands below the node at which the ways parted; each way says that it goes on there."""
    assert drawn(workflow("ask yes no end", "ask:yes:true", "ask:no:false", "yes:end", "no:end", ask="core:if")) == (
        "○ ask  if\n├─true─→ ○ yes  set  ↓ end\n├─false─→ ○ no  set  ↓ end\n│\n○ end  set"
    )


def test_a_loop_has_its_body_beside_it_and_a_way_back() -> None:
    """What comes after it goes on in the column."""
    definition = workflow(
        "each price rest total",
        "each:price:loop",
        "price:rest",
        "rest:each",
        "each:total:done",
        each="core:loop",
    )
    assert drawn(definition) == (
        "○ each   loop\n├─loop─→ ○ price  set\n│        │\n│        ○ rest   set  ↺ each\n│ done\n○ total  set"
    )


def test_an_else_if_chain_does_not_wander_to_the_right() -> None:
    """The way that holds most of the rest goes on in the column, under its handle."""
    definition = workflow("a x b y z", "a:x:true", "a:b:false", "b:y:true", "b:z:false")
    assert drawn(definition).splitlines()[:4] == ["○ a  set", "├─true─→ ○ x  set", "│ false", "○ b  set"]


def test_a_catch_edge_is_dotted_and_a_long_handle_stands_above_its_branch() -> None:
    """So that the branch has room."""
    lines = drawn(workflow("pay ship undo", "pay:ship", "pay:undo:error:CardDeclined")).splitlines()
    assert lines[1:3] == ["├┄error:CardDeclined┄→", "│   ○ undo  set"]


def test_what_nothing_leads_to_is_drawn_apart() -> None:
    """It runs, so it is not a fault; it is odd, so it is told."""
    assert drawn(workflow("a b", "b:a")) == "○ a  set\n\nnothing leads to:\n○ b  set  ↺ a"


def test_a_run_is_told_by_glyph_and_word() -> None:
    """What is done, how often and after how many attempts; what is waited for and until when; what is ahead."""
    run = {
        "status": "paused",
        "currentNodeId": "wait",
        "wait": {"signal": "decision", "visit": 1, "dueAt": NOW_MS + 7_200_000},
        "visits": {"rate": 3},
        "context": {"rate": [result(2)]},
    }
    lines = drawn(workflow("rate wait end", "rate:wait", "wait:end"), run).splitlines()
    assert lines[0] == "✓ rate  set  \N{MULTIPLICATION SIGN}3  after 2 attempts"
    assert lines[2].startswith("◐ wait  set  waits for 'decision' until ")
    assert lines[2].endswith(", 2 h left")
    assert lines[4] == "○ end   set"
    assert lines[-1] == "✓ done   ◐ waiting   ○ not reached"


def test_a_failed_attempt_says_when_it_is_repeated() -> None:
    """On a line of its own, for the error may be long."""
    run = {
        "status": "error",
        "currentNodeId": "call",
        "retryState": {"nodeId": "call", "attempts": 2, "nextRetryAt": NOW_MS + 3000},
        "context": {"call": [result(2, "Overloaded: 503")]},
    }
    lines = drawn(workflow("call end", "call:end"), run).splitlines()
    assert lines[0] == "↻ call  set  attempt 2 failed: Overloaded: 503"
    assert lines[1].startswith("│ attempt 3 in 3.0 s (")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("active", "▶ a  set  current"),
        ("failed", "✗ a  set  Boom: bang"),
        ("cancelled", "⊘ a  set  cancelled here"),
    ],
)
def test_where_a_run_stands_is_told(status: str, line: str) -> None:
    """Also when it ended there."""
    run = {"status": status, "currentNodeId": "a", "context": {"a": [result(1, "Boom: bang")]}}
    assert drawn(workflow("a b", "a:b"), run).splitlines()[0] == line


def test_a_hold_is_told_where_the_run_stands() -> None:
    """With who holds it and why."""
    run = {"status": "active", "currentNodeId": "a", "held": {"actor": "ann", "reason": "freeze"}, "context": {}}
    assert "on hold by ann (freeze)" in drawn(workflow("a"), run)


def test_a_failure_that_was_caught_is_told() -> None:
    """The run went on elsewhere."""
    run = {"status": "completed", "currentNodeId": None, "context": {"a": [result(1, "Boom: bang")], "b": [result()]}}
    assert drawn(workflow("a b", "a:b:error"), run).splitlines()[0] == "✗ a  set  Boom: bang"


def test_results_of_a_whole_snapshot_are_counted() -> None:
    """A run shown with all its results needs nobody to count them."""
    run = {"status": "completed", "currentNodeId": None, "context": {"a": [result(), result(1, "X: y"), result(2)]}}
    assert "\N{MULTIPLICATION SIGN}2" in drawn(workflow("a"), run)


def test_others_text_cannot_steer_the_terminal() -> None:
    """An escape sequence in an error or a node type is shown as text."""
    run = {"status": "failed", "currentNodeId": "a", "context": {"a": [result(1, "X: \x1b[2J\ngone")]}}
    told = drawn(workflow("a", a="evil\x1b[31m\ntype"), run)
    assert "\x1b" not in told
    assert "X:  [2J gone" in told


def test_what_is_too_long_is_cut() -> None:
    """A line is never wrapped: it would tear the graph."""
    run = {"status": "failed", "currentNodeId": "a", "context": {"a": [result(1, "X: " + "y" * 500)]}}
    lines = drawn(workflow("a b", "a:b"), run, width=40).splitlines()
    assert max(map(len, lines)) == 40
    assert lines[0].endswith("…")


def test_a_terminal_without_unicode_is_drawn_for_too() -> None:
    """In ASCII alone."""
    told = drawn(workflow("a b c", "a:b:yes", "a:c:no", "b:a"), {"status": "active", "context": {}}, encoding="ascii")
    assert told.splitlines()[:2] == ["o a  set", "|-yes-> o b  set  ^ a"]


def test_colour_is_only_added() -> None:
    """What is said is the same with colours as without."""
    definition = workflow("a b", "a:b")
    run = {"status": "active", "currentNodeId": "b", "context": {"a": [result()]}}
    coloured = drawn(definition, run, colour=True)
    assert "\x1b[" in coloured
    assert Text.from_ansi(coloured).plain == drawn(definition, run)
    assert "\x1b[" not in drawn(definition, run)


def test_what_stands_beside_a_rail_has_its_own_colour() -> None:
    """A node that is done is as green in a branch as in the first column."""
    run = {"status": "active", "currentNodeId": "b", "context": {"a": [result()], "c": [result()]}}
    told = drawn(workflow("a b c", "a:b:x", "a:c:y"), run, colour=True)
    assert told.count("\x1b[32m✓") >= 2


def test_a_long_workflow_leaves_out_the_rails() -> None:
    """Of what does not fit the terminal as much as possible is shown."""
    names = [f"s{index}" for index in range(40)]
    edges = [f"{one}:{other}" for one, other in itertools.pairwise(names)]
    assert len(drawn(workflow(" ".join(names), *edges)).splitlines()) == 40


@pytest.mark.parametrize(("current", "first", "last"), [(0, 0, 8), (20, 17, 23), (39, 31, 39)])
def test_of_a_long_graph_the_part_around_the_current_node_is_shown(current: int, first: int, last: int) -> None:
    """When it is to fit: how much is left out is told, and the legend stays."""
    names = [f"s{index}" for index in range(40)]
    definition = workflow(" ".join(names), *(f"{one}:{other}" for one, other in itertools.pairwise(names)))
    run = {"status": "active", "currentNodeId": f"s{current}", "context": {}}
    view = replace(graph_view(definition, run, now_ms=NOW_MS), lines_max=10 if current in {0, 39} else 9)
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as captured:
        console.print(view)
    lines = captured.get().splitlines()
    shown = [int(line.split()[1][1:]) for line in lines[:-2] if " lines " not in line]
    assert (shown[0], shown[-1]) == (first, last)
    assert (len(lines) - 2, current in shown) == (view.lines_max, True)
    left_out = [int(line.split()[0]) for line in lines if " lines " in line]
    assert len(shown) + sum(left_out) == 40
    assert "current" in lines[-1]


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_any_graph_has_each_node_once_and_each_edge_once(graph: tuple[int, set[tuple[int, int]]]) -> None:
    """Whatever leads wherever: nodes once; an edge is a branch, a reference or a step down the column."""
    count, pairs = graph
    names = [f"n{index}" for index in range(count)]
    definition = workflow(" ".join(names), *(f"n{one}:n{other}:h{other}" for one, other in sorted(pairs)))
    columns = columns_of(definition)
    assert sorted(node_id for column in columns for node_id in node_ids(column)) == sorted(names)
    pending = [place for column in columns for place in column]
    edges: list[tuple[str, str]] = []
    while pending:
        place = pending.pop()
        edges += [(place.via.source, place.via.target)] if place.via is not None else []
        for branch in place.branches:
            edges.append((branch.edge.source, branch.edge.target))
            pending += branch.column or ()
    assert sorted(edges) == sorted((f"n{one}", f"n{other}") for one, other in pairs)
    assert drawn(definition).count("○") == count
