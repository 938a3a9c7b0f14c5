"""The demo's parts: what is told of a run, in which order, and what fits into a terminal."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence

import pytest
from rich.console import Console

from cli.demo_close import close
from cli.demo_director import Director
from cli.demo_examples import APPROVAL, ARRIVAL, EXAMPLES, Example, Pace
from cli.demo_run import DemoRun, Happening
from cli.demo_screen import LiveScreen, PlainScreen, SilentScreen, board, screen_for
from cli.http_client import Answer
from workflows import registry

NOW_MS = 1_767_225_600_000


def _entry(version: int, kind: str, **more: object) -> dict[str, object]:
    """An entry of a history."""
    return {"version": version, "at": NOW_MS + version * 100, "kind": kind, "nodeId": "rating", **more}


def _followed(document: Mapping[str, object], *entries: Mapping[str, object]) -> tuple[DemoRun, list[Happening]]:
    """A run that has been looked at once."""
    run = DemoRun(Example(APPROVAL, "", {"approved_by": "Ana"}))
    run.begin("r1", NOW_MS)
    return run, list(run.take(document, entries))


def test_a_retry_is_told_with_when_it_comes() -> None:
    """And counted."""
    document = {"status": "error", "version": 1, "retryState": {"attempts": 1, "nextRetryAt": NOW_MS + 2100}}
    run, told = _followed(document, _entry(1, "rescheduled", attempt=1, error="Busy: 503"))
    assert [happening.text for happening in told] == ["rating failed, again in 2.0 s: Busy: 503"]
    assert (run.steps, run.attempts, run.retries) == (0, 1, 1)
    assert run.waits_for(NOW_MS + 100) == "attempt 2, 2.0 s"


def test_a_wait_is_told_with_its_signal_and_a_sleep_with_its_end() -> None:
    """As long as the run is still in it; of one that is over no more is known."""
    waiting = {"status": "paused", "version": 1, "wait": {"signal": "decision"}}
    asleep = {"status": "paused", "version": 1, "wait": {"signal": None, "dueAt": NOW_MS + 5000}}
    run, told = _followed(waiting, _entry(1, "paused"))
    assert told[0].text == "rating: waits for signal decision, nothing runs"
    assert run.waits_for(NOW_MS) == "signal decision"
    run, told = _followed(asleep, _entry(1, "paused"))
    assert told[0].text.startswith("rating: sleeps until ")
    assert run.waits_for(NOW_MS) == "its hour, 5.0 s"
    _, told = _followed({**asleep, "version": 2}, _entry(1, "paused"), _entry(2, "succeeded"))
    assert told[0].text == "rating: waits, nothing runs"


def test_an_entry_is_told_once() -> None:
    """However often it is handed over."""
    run, told = _followed({"status": "active", "version": 1}, _entry(1, "caught", attempt=1, error="Bad: no"))
    assert [happening.text for happening in told] == ["rating failed, goes another way: Bad: no"]
    assert list(run.take(run.document, [_entry(1, "caught", attempt=1, error="Bad: no")])) == []
    assert run.attempts == 1


@pytest.mark.parametrize(
    ("document", "well"),
    [
        ({"status": "completed", "output": {"approved_by": "Ana", "slug": "x"}}, True),
        ({"status": "completed", "output": {"approved_by": "Bob"}}, False),
        ({"status": "completed", "output": None}, False),
        ({"status": "failed", "output": {"approved_by": "Ana"}}, False),
        ({"status": "paused", "output": None}, False),
        ({}, False),
    ],
)
def test_a_run_went_well_when_it_completed_with_what_was_expected(document: Mapping[str, object], well: bool) -> None:
    """Nothing else will do."""
    run = DemoRun(Example(APPROVAL, "", {"approved_by": "Ana"}), document=document)
    assert run.went_well is well


def test_a_run_that_failed_is_told_with_its_error() -> None:
    """It is what somebody would ask for."""
    document = {"status": "failed", "version": 1, "context": {"rating": [{"error": "Busy: \x1b[31m503"}]}}
    run, told = _followed(document, _entry(1, "failed", attempt=1, error="Busy: 503"))
    assert [happening.tone for happening in told] == ["wrong", "wrong"]
    assert told[1].text == "failed, and should not have: Busy:  [31m503"
    assert run.ended


def test_what_the_history_knows_first_is_told_with_the_document() -> None:
    """The history is read after the document, so it may be ahead of it; nothing is lost by that, or told twice."""
    waits = _entry(2, "paused")
    run, told = _followed({"status": "active", "version": 1}, _entry(1, "succeeded"), waits)
    assert (told, run.version) == ([], 1)
    document = {"status": "paused", "version": 2, "wait": {"signal": "decision"}}
    assert [happening.text for happening in run.take(document, [waits])] == [
        "rating: waits for signal decision, nothing runs"
    ]


def test_an_end_is_told_once() -> None:
    """With the last entry, or without any."""
    document = {"status": "completed", "version": 1, "output": {"approved_by": "Ana"}}
    run, told = _followed(document, _entry(1, "succeeded", attempt=1))
    assert [happening.text for happening in told] == ['completed: {"approved_by": "Ana"}']
    assert list(run.take(document, [])) == []


class _StandStill:
    """An API whose runs never move. ``listed``: what it lists beside those that were started."""

    def __init__(self, listed: Sequence[Mapping[str, object]] = ()) -> None:
        self.posted: list[str] = []
        self._listed = list(listed)

    def get(self, path: str, *, etag: str | None = None) -> Answer:
        if path == f"/runs?workflow={ARRIVAL}":
            started_at_ms = time.time_ns() // 1_000_000
            return Answer(200, {"runs": [{**run, "startedAt": started_at_ms} for run in self._listed]})
        if path.endswith("/history?after=0"):
            return Answer(200, {"entries": [_entry(1, "succeeded", attempt=1)], "after": None})
        if etag is not None:
            return Answer(304, {})
        return Answer(200, {"status": "active", "version": 1}, {"etag": "1"})

    def post(self, path: str, document: object = None) -> Answer:
        self.posted.append(path)
        workflow_id = document["workflowId"] if isinstance(document, dict) else None
        return Answer(202, {"workflowId": workflow_id})


def test_patience_ends() -> None:
    """What does not move is given up, and did not go well."""
    api = _StandStill()
    director = Director(api, api_url="http://shop", upload=lambda _key: 7, pace=Pace(patience=0, poll=0))
    (told,) = director.play()
    assert [happening.text for happening in told] == [f"POST {path}: 202" for path in api.posted]
    assert len(api.posted) == 4
    assert not any(run.ended or run.went_well for run in director.runs)


def test_a_run_that_an_event_has_started_is_found() -> None:
    """The upload comes first, then the run it has started, whose steps are counted from then on."""
    api = _StandStill([{"workflowId": "x1", "workflow": ARRIVAL, "version": 1}])
    director = Director(api, api_url="http://shop", upload=lambda _key: 7, pace=Pace(upload=0, poll=0))
    (run,) = [run for run in director.runs if run.example.workflow == ARRIVAL]
    told: list[Happening] = []
    for happenings in director.play():
        told += happenings
        if run.steps and len(told) >= len(EXAMPLES) + 1:
            break
    assert [happening.at_ms for happening in told] == sorted(happening.at_ms for happening in told)
    assert [happening.text for happening in told if happening.workflow == ARRIVAL] == [
        "PUT s3://refluxo-uploads/incoming/orders.csv, 7 bytes",
        "the event Object Created has started a run",
    ]
    assert (run.workflow_id, run.steps) == ("x1", 1)


def _runs() -> list[DemoRun]:
    """All five, of which one waits and the others have not begun."""
    runs = [DemoRun(example) for example in EXAMPLES]
    runs[0].begin("r1", NOW_MS)
    document = {"status": "paused", "version": 1, "currentNodeId": "review", "wait": {"signal": "decision"}}
    list(runs[0].take(document, [_entry(1, "paused")]))
    return runs


def _console(width: int, height: int) -> tuple[Console, io.StringIO]:
    """A terminal of that size, and what is written to it."""
    written = io.StringIO()
    environ = {"TERM": "xterm"}
    console = Console(file=written, force_terminal=True, width=width, height=height, highlight=False, _environ=environ)
    return console, written


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_fits(width: int) -> None:
    """No line is longer than the terminal is wide, and no name is cut."""
    console, written = _console(width, 24)
    console.print(board(_runs(), NOW_MS, width=width))
    lines = written.getvalue().splitlines()
    assert len(lines) == 6
    for example in EXAMPLES:
        assert example.workflow in written.getvalue()
    assert "signal decision" in written.getvalue()
    assert ("retries" in written.getvalue()) is (width > 80)


@pytest.mark.parametrize(("height", "drawn"), [(24, True), (14, False)])
def test_the_graph_is_drawn_where_there_is_room(height: int, drawn: bool) -> None:
    """A small terminal has the table alone: a frame that is cut would say less."""
    console, written = _console(80, height)
    with LiveScreen(console, registry.workflows) as screen:
        screen.show(_runs(), [Happening(NOW_MS, APPROVAL, "call", "it begins")])
    assert ("published" in written.getvalue()) is drawn
    assert "it begins" in written.getvalue()


def test_a_long_line_takes_two_at_most() -> None:
    """What is left of it is cut; what only repeats the final table takes one."""
    console, written = _console(80, 24)
    with LiveScreen(console, {}) as screen:
        screen.show(
            [], [Happening(NOW_MS, APPROVAL, "retry", "word " * 60), Happening(NOW_MS, ARRIVAL, "done", "x" * 99)]
        )
    assert sum("word" in line for line in written.getvalue().splitlines()) == 2
    assert sum("xx" in line for line in written.getvalue().splitlines()) == 1


def test_a_screen_suits_its_console() -> None:
    """A terminal is drawn on; a pipe, or one that cannot draw, gets lines; whoever wants JSON gets nothing else."""
    terminal, _ = _console(80, 24)
    pipe = Console(file=io.StringIO())
    assert isinstance(screen_for(terminal, {}, silent=False), LiveScreen)
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(screen_for(pipe, {}, silent=False), PlainScreen)
    assert isinstance(screen_for(dumb, {}, silent=False), PlainScreen)
    assert type(screen_for(terminal, {}, silent=True)) is SilentScreen


def test_the_end_says_which_run_went_wrong() -> None:
    """Nobody is told what to try next then."""
    pipe = io.StringIO()
    close(Console(file=pipe, width=80), _runs(), deliveries=3, seconds=1.0)
    assert "0 of 5 runs ended as they should" in pipe.getvalue()
    assert "Try next" not in pipe.getvalue()
