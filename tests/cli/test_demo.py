"""The demo, really run: one process, real HTTP, all five workflows, as fast as it goes."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from cli.demo import run_demo
from cli.demo_examples import EXAMPLES, Pace
from local.own_command import own_command

QUICK = Pace(editor=0.1, upload=0.1, night=0.5, poll=0.05)


def _told(*, json_out: bool, pace: Pace) -> tuple[int, str]:
    """The exit code, and what was printed through a pipe."""
    pipe = io.StringIO()
    code = run_demo(Console(file=pipe, width=80, highlight=False), json_out=json_out, pace=pace)
    return code, pipe.getvalue()


@pytest.fixture(scope="module")
def demo() -> tuple[int, str]:
    """One demo for the tests that look at what it says."""
    return _told(json_out=False, pace=QUICK)


def test_every_run_ends_as_it_should(demo: tuple[int, str]) -> None:
    """And the exit code says so."""
    code, told = demo
    assert "5 of 5 runs ended as they should" in told, told
    assert code == 0
    for example in EXAMPLES:
        assert f"✓ {example.workflow}" in told


def test_it_tells_what_happens(demo: tuple[int, str]) -> None:
    """The retry after a 503, the editor's link, the sleep, the file: each on a line of its own."""
    lines = demo[1].splitlines()
    for workflow, what in (
        ("api-aggregation", "503"),
        ("content-approval", "waits for signal decision"),
        ("content-approval", "the editor POSTs"),
        ("order-lines", "goes another way"),
        ("nightly-report", "asleep"),
        ("file-arrived", "PUT s3://refluxo-uploads/incoming/orders.csv"),
        ("file-arrived", "Object Created"),
    ):
        assert any(workflow in line and what in line for line in lines), (workflow, what, demo[1])


def test_through_a_pipe_there_are_no_control_codes(demo: tuple[int, str]) -> None:
    """Nor lines that were cut: a log is read by machines too."""
    assert "\x1b" not in demo[1]
    assert "\r" not in demo[1]
    assert "Try next" in demo[1]
    assert f"\n  {own_command()} list  " in demo[1]


def test_a_demo_that_does_not_end_well_says_so_as_json() -> None:
    """Nothing but JSON is printed, and the exit code is 1."""
    code, told = _told(json_out=True, pace=Pace(patience=0))
    document = json.loads(told)
    assert code == 1
    assert document["wentWell"] is False
    assert [run["workflow"] for run in document["runs"]] == [example.workflow for example in EXAMPLES]
