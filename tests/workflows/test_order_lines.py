"""order-lines: every line of the shipped CSV, one of which cannot be delivered."""

from __future__ import annotations

import pytest

from engine.json_value import JsonValue
from local import LocalRunner
from local.mortal_ports import Boundary
from tests.workflows import BOUNDARIES, NewRunner, pair

SUMMARY = {
    "file": "orders.csv",
    "orders": 9,
    "lines": 15,
    "euros": 717.5,
    "largest": "Mug, stoneware, 300 ml",
    "large": [{"line": 5, "order": "A-1003"}, {"line": 11, "order": "A-1006"}],
}


def test_every_line_is_gone_through(refluxo_runner: LocalRunner) -> None:
    """Good ones are reserved, large ones marked, and the sums are exact."""
    run = refluxo_runner.start("order-lines")
    summary = run.result()
    assert isinstance(summary, dict)
    wrong = summary.pop("wrong")
    assert summary == SUMMARY
    assert isinstance(wrong, list)
    (line,) = wrong
    assert isinstance(line, dict)
    assert line["line"] == 8
    assert "quantity" in str(line["why"])
    assert len(run.outputs("each")) == 17  # 16 lines, and the count
    reservations = [given["reservation"] for given in run.outputs("reserve") if isinstance(given, dict)]
    assert len(set(map(str, reservations))) == 15


def test_a_quoted_field_is_one_field(refluxo_runner: LocalRunner) -> None:
    """Its commas and quotes are part of it."""
    run = refluxo_runner.start("order-lines", {}).until_ended()
    products = [given["product"] for given in run.outputs("reserve") if isinstance(given, dict)]
    assert {"Mug, stoneware, 300 ml", 'Gift box "Dozen"'} <= set(map(str, products))


def test_what_is_large_is_the_callers_to_say(refluxo_runner: LocalRunner) -> None:
    """One line is of 150 euros."""
    summary = refluxo_runner.start("order-lines", {"largeCents": 15_000}).result()
    assert isinstance(summary, dict)
    assert summary["large"] == [{"line": 5, "order": "A-1003"}]


@pytest.mark.parametrize(("file", "error"), [("nothing.csv", "UnknownFile"), ("../nodes/orders.py", "InvalidInput")])
def test_a_file_that_is_not_there_fails_the_run(refluxo_runner: LocalRunner, file: str, error: str) -> None:
    """And none outside the folder is looked at."""
    refluxo_runner.start("order-lines", {"file": file}).assert_failed(error)


def test_a_file_without_good_lines_has_a_summary(refluxo_runner: LocalRunner) -> None:
    """Nothing reserved, nothing marked, no way not taken."""
    bad: JsonValue = {"line": "2", "order": "?", "sku": "?", "product": "", "quantity": "0", "price": "-1"}
    refluxo_runner.fake("orders:read", {"file": "bad.csv", "lines": [bad]})
    summary = refluxo_runner.start("order-lines", {}).result()
    assert isinstance(summary, dict)
    assert (summary["lines"], summary["euros"], summary["largest"], summary["large"]) == (0, 0, None, [])


@pytest.mark.parametrize("crash_after", BOUNDARIES)
def test_dying_processes_and_duplicates_change_nothing(new_refluxo_runner: NewRunner, crash_after: Boundary) -> None:
    """No line is skipped and none is counted twice; a repeated step makes the same reservation."""
    calm, rough = pair(new_refluxo_runner, crash_after)
    runs = [runner.start("order-lines", {}, workflow_id="same").until_ended() for runner in (calm, rough)]
    assert rough.crashes
    assert len(runs[1].outputs("reserve")) == 15
    assert runs[0].outputs("reserve") == runs[1].outputs("reserve")
    assert runs[0].result() == runs[1].result()
