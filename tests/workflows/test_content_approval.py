"""content-approval: an editor decides, by signal or by link, or nobody does."""

from __future__ import annotations

import pytest

from dispatcher.front_door import InvalidPayload, WaitClosed
from engine.json_value import JsonObject
from local import LocalRunner
from local.mortal_ports import Boundary
from tests.workflows import BOUNDARIES, NewRunner, pair

ARTICLE = {"title": "On Queues", "text": "They are lines, and lines are PATIENCE."}


def test_an_editor_approves(refluxo_runner: LocalRunner) -> None:
    """By the link that the run shows."""
    run = refluxo_runner.start("content-approval", ARTICLE).until_paused()
    link = run.callback_url
    assert link is not None
    run.webhook(link, {"approved": True, "editor": "Ana"})
    published = run.result()
    assert isinstance(published, dict)
    assert (published["slug"], published["approved_by"]) == ("on-queues", "Ana")
    run.assert_executed("submitted", "rating", "review", "approved", "published")
    assert run.outputs("rating") == [{"words": 7, "shouting": 0.14}]


def test_an_editor_declines(refluxo_runner: LocalRunner) -> None:
    """The other path, with the reason."""
    run = refluxo_runner.start("content-approval", ARTICLE).until_paused()
    run.signal("decision", {"approved": False, "reason": "too short"})
    assert run.result() == {"title": "On Queues", "declined": True, "reason": "too short"}


@pytest.mark.parametrize("decision", [{}, {"approved": "maybe", "editor": "Ana"}, {"approved": True}])
def test_half_a_decision_is_refused(refluxo_runner: LocalRunner, decision: JsonObject) -> None:
    """The run waits on: who approves says who they are."""
    run = refluxo_runner.start("content-approval", ARTICLE).until_paused()
    with pytest.raises(InvalidPayload):
        run.signal("decision", decision)
    run.signal("decision", {"approved": False})
    assert run.result() == {"title": "On Queues", "declined": True, "reason": None}


def test_nobody_decides(refluxo_runner: LocalRunner) -> None:
    """After a day, and not a moment before, the run goes on by itself; the link is dead then."""
    began = refluxo_runner.now_ms
    run = refluxo_runner.start("content-approval", ARTICLE).until_paused()
    link = run.callback_url
    assert link is not None
    assert run.result() == {"title": "On Queues", "declined": True, "reason": "nobody decided"}
    assert refluxo_runner.now_ms - began >= 86_400_000
    with pytest.raises(WaitClosed):
        run.webhook(link, {"approved": True})


def test_the_classifier_is_down_for_too_long(refluxo_runner: LocalRunner) -> None:
    """Four attempts, then the run fails by the classifier's own error."""
    run = refluxo_runner.start("content-approval", {**ARTICLE, "outages": 4}).assert_failed("ClassifierUnavailable")
    assert len(run.errors("rating")) == 4


@pytest.mark.parametrize("crash_after", BOUNDARIES)
def test_dying_processes_and_duplicates_change_nothing(new_refluxo_runner: NewRunner, crash_after: Boundary) -> None:
    """Same results, each once, and one receipt however often the step was executed."""
    calm, rough = pair(new_refluxo_runner, crash_after)
    results = []
    for runner in (calm, rough):
        run = runner.start("content-approval", {**ARTICLE, "outages": 1}, workflow_id="same")
        run.until_paused().signal("decision", {"approved": True, "editor": "Ana"})
        results.append(run.result())
        run.assert_executed("submitted", "rating", "rating", "review", "approved", "published")
    assert rough.crashes
    assert results[0] == results[1]
