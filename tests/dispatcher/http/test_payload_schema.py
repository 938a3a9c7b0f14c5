"""A payload is held against the schema of the wait it is for before it is taken: a typo does not end a run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from engine import Registry
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import PUBLIC_URL, MotoLoop

SCHEMA = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}


def _deployed(new_loop: NewLoop, *schemas: Mapping[str, object]) -> MotoLoop:
    """A workflow that waits for decisions of those schemas, one after the other."""
    registry = Registry()
    waits = [
        {"id": f"ask-{number}", "type": "core:wait", "data": {"signal": "decision", "schema": schema}}
        for number, schema in enumerate(schemas)
    ]
    ids = [*(str(node["id"]) for node in waits), "then"]
    registry.add(
        {
            "name": "strict",
            "nodes": [*waits, {"id": "then", "type": "core:set", "data": "{{ nodes['ask-0'].last.data.ok }}"}],
            "edges": [{"source": source, "target": target} for source, target in pairwise(ids)],
        }
    )
    return new_loop(registry)


def _waiting(new_loop: NewLoop) -> MotoLoop:
    """A run that waits for a decision of that schema."""
    loop = _deployed(new_loop, SCHEMA)
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


def test_a_named_signal_is_held_against_the_schema_of_the_wait_it_would_end(new_loop: NewLoop) -> None:
    """By name as by link and by resume; a signal of another name is kept for whoever may wait for it."""
    loop = _waiting(new_loop)
    before = loop.items()
    answer = loop.signal("decision", {"ok": "nope"})
    assert (answer.status, [fault["path"] for fault in answer.body["errors"]]) == (422, ["$.ok"])
    assert loop.items() == before
    assert loop.signal("other", {"ok": "nope"}, key="key-2").status == 202
    assert loop.signal("decision", {"ok": True}).status == 202
    loop.settle()
    assert loop.snapshot().output is True


def test_an_early_signal_waits_for_its_schema(new_loop: NewLoop) -> None:
    """The run is in no wait yet, so there is nothing to hold it against."""
    loop = _deployed(new_loop, SCHEMA)
    loop.start("strict")
    assert loop.signal("decision", {"ok": "nope"}).status == 202


def test_a_link_for_a_signal_is_held_against_the_schema_too(new_loop: NewLoop) -> None:
    """A link mailed before the wait, followed in it."""
    registry = Registry()
    registry.add(
        {
            "name": "mailed",
            "nodes": [
                {"id": "mail", "type": "core:set", "data": "{{ 'decision'|callbackUrl }}"},
                {"id": "ask", "type": "core:wait", "data": {"signal": "decision", "schema": SCHEMA}},
            ],
            "edges": [{"source": "mail", "target": "ask"}],
        }
    )
    loop = new_loop(registry)
    loop.start("mailed")
    loop.deliver_all()
    (link,) = loop.snapshot().context.outputs("mail")
    path = str(link).removeprefix(PUBLIC_URL)
    assert loop.ask("POST", path, {"ok": 1}).status == 422
    assert loop.ask("POST", path, {"ok": True}).status == 202


@pytest.mark.parametrize("path", ["/runs/run-1/signals/decision", "/runs/run-1/resume"])
def test_a_repeat_is_one_though_the_run_waits_for_something_else_by_now(new_loop: NewLoop, path: str) -> None:
    """It was taken by the first wait; the schema of the second is none of its business."""
    loop = _deployed(new_loop, SCHEMA, {"type": "integer"})
    loop.start("strict")
    loop.deliver_all()
    for repeated in (False, True):
        answer = loop.ask("POST", path, {"ok": True}, {"idempotency-key": "k"})
        assert (answer.status, answer.body.get("repeated")) == (202, repeated)
        loop.settle()
    assert loop.snapshot().current_node_id == "ask-1"
    assert loop.ask("POST", path, {"ok": True}, {"idempotency-key": "l"}).status == 422


def test_a_problem_document_does_not_quote_the_payload(new_loop: NewLoop) -> None:
    """It may hold what the caller would not want in a log."""
    loop = _waiting(new_loop)
    answer = loop.ask("POST", "/runs/run-1/resume", {"ok": "canary-77"})
    assert "canary-77" not in str(answer.body)
