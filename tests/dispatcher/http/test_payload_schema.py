"""A payload is held against the schema of the wait it is for before it is taken: a typo does not end a run."""

from __future__ import annotations

from engine import Registry
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop

SCHEMA = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}


def _waiting(new_loop: NewLoop) -> MotoLoop:
    """A run that waits for a decision of that schema."""
    registry = Registry()
    registry.add(
        {
            "name": "strict",
            "nodes": [
                {"id": "ask", "type": "core:wait", "data": {"signal": "decision", "schema": SCHEMA}},
                {"id": "then", "type": "core:set", "data": "{{ nodes.ask.last.data.ok }}"},
            ],
            "edges": [{"source": "ask", "target": "then"}],
        }
    )
    loop = new_loop(registry)
    loop.start("strict")
    loop.deliver_all()
    return loop


def test_a_payload_that_breaks_the_schema_is_refused_and_the_run_waits_on(new_loop: NewLoop) -> None:
    """By link and by resume: 422 with the field named, nothing written, and the next payload is taken."""
    loop = _waiting(new_loop)
    before = loop.items()
    for path in (f"/webhooks/{loop.token()}", "/runs/run-1/resume"):
        answer = loop.ask("POST", path, {"ok": "nope"})
        assert (answer.status, [fault["path"] for fault in answer.body["errors"]]) == (422, ["$.ok"])
    assert loop.items() == before
    assert loop.ask("POST", f"/webhooks/{loop.token()}", {"ok": True}).status == 202
    loop.settle()
    assert loop.snapshot().output is True


def test_a_problem_document_does_not_quote_the_payload(new_loop: NewLoop) -> None:
    """It may hold what the caller would not want in a log."""
    loop = _waiting(new_loop)
    answer = loop.ask("POST", "/runs/run-1/resume", {"ok": "canary-77"})
    assert "canary-77" not in str(answer.body)
