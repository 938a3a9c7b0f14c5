"""nightly-report: nights pass at once in virtual time, and each is reported at its hour."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local import LocalRunner
from local.mortal_ports import Boundary
from tests.workflows import BOUNDARIES, NewRunner, pair
from workflows.nodes.report import Day, Figures, figures

AT = "2026-01-02T02:00:00Z"
AT_MS = round(datetime(2026, 1, 2, 2, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000


class Unreachable(Exception):
    """The figures cannot be had."""


def test_the_report_is_written_at_its_hour(refluxo_runner: LocalRunner) -> None:
    """Nothing is gathered before; the day reported is the one that is over."""
    run = refluxo_runner.start("nightly-report", {"at": AT}).until("figures")
    assert refluxo_runner.now_ms == AT_MS
    assert refluxo_runner.executions[run.workflow_id, "figures"] == 0
    assert run.result() == {
        "reports": ["Thursday, 2026-01-01: 196.80 EUR, 2 orders, 3 lines"],
        "missed": [],
    }


def test_thirty_nights_pass_at_once(refluxo_runner: LocalRunner) -> None:
    """Thirty reports, a day apart, in a moment of the test's."""
    run = refluxo_runner.start("nightly-report", {"at": AT, "nights": 30})
    result = run.result()
    assert isinstance(result, dict)
    assert isinstance(result["reports"], list)
    assert len(result["reports"]) == 30
    assert "1 of them unreadable" in str(result["reports"][6])
    woken = [given["until"] for given in run.outputs("asleep") if isinstance(given, dict)]
    assert woken == [AT_MS + night * DAY_MS for night in range(30)]
    assert refluxo_runner.now_ms == AT_MS + 29 * DAY_MS


def test_an_hour_that_is_past_is_not_waited_for(refluxo_runner: LocalRunner) -> None:
    """Virtual time begins later."""
    refluxo_runner.start("nightly-report", {"at": "2025-12-31T02:00:00Z"}).result()
    assert refluxo_runner.now_ms < AT_MS


def test_a_bad_night_does_not_stop_the_next(refluxo_runner: LocalRunner) -> None:
    """It is noted, with its reason, in the end."""

    def unreachable_on_friday(asked: Day) -> Figures:
        if asked.day.isoformat() == "2026-01-02":
            raise Unreachable("no figures today")
        return figures(asked)

    refluxo_runner.fake("report:figures", unreachable_on_friday)
    result = refluxo_runner.start("nightly-report", {"at": AT, "nights": 3}).result()
    assert isinstance(result, dict)
    assert isinstance(result["reports"], list)
    assert len(result["reports"]) == 2
    assert result["missed"] == [{"night": 2, "why": "Unreachable: no figures today"}]


@pytest.mark.parametrize("crash_after", BOUNDARIES)
def test_dying_processes_and_duplicates_change_nothing(new_refluxo_runner: NewRunner, crash_after: Boundary) -> None:
    """A week of nights, each reported once, each by its own receipt."""
    calm, rough = pair(new_refluxo_runner, crash_after)
    given = {"at": AT, "nights": 7}
    runs = [runner.start("nightly-report", given, workflow_id="same").until_ended() for runner in (calm, rough)]
    assert rough.crashes
    written = runs[1].outputs("report")
    assert runs[0].outputs("report") == written
    assert len({str(report["receipt"]) for report in written if isinstance(report, dict)}) == 7
