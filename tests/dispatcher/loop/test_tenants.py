"""A run's messages carry its tenant, so that one tenant's backlog does not delay another's."""

from __future__ import annotations

from dispatcher.messages import Continuation
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import HOUR, MINUTE


def _groups(loop: MotoLoop) -> set[str | None]:
    return {call.parameters.get("MessageGroupId") for call in loop.tap.calls if call.operation == "SendMessage"}


def _start(loop: MotoLoop, workflow: str, tenant: str | None = "acme") -> None:
    body = {"workflowId": "run-1", "tenant": tenant}
    assert loop.http("POST", f"/workflows/{workflow}/runs", body).status == 202


def test_every_message_of_a_run_is_its_tenant_s(new_loop: NewLoop) -> None:
    """Start, continuation, retry, timer, nudge, release, sweep: each send there is."""
    loop = new_loop(examples.wait(timeout_ms=10 * MINUTE))
    _start(loop, "wait")
    loop.settle()
    loop.signal("go", 1)
    loop.ask("POST", "/runs/run-1/pause")
    loop.settle()
    loop.ask("POST", "/runs/run-1/resume")
    loop.settle()
    assert _groups(loop) == {"acme"}


def test_the_sweep_and_early_messages_too(new_loop: NewLoop) -> None:
    """What is sent again is still the tenant's."""
    loop = new_loop(examples.retry(2 * HOUR))
    _start(loop, "retry")
    loop.deliver_all()
    loop.advance(2 * HOUR - 2 * MINUTE)
    loop.minutes(3)
    loop.deploy(examples.retry(10 * MINUTE))
    loop.ask("POST", "/workflows/retry/runs", {"workflowId": "run-2", "tenant": "acme"})
    loop.deliver_all()
    loop.purge()
    loop.send(Continuation("run-2", 1))
    loop.deliver_all()
    assert _groups(loop) == {"acme"}
    assert len([call for call in loop.tap.calls if call.operation == "SendMessage"]) >= 5


def test_a_run_of_nobody_has_no_group(new_loop: NewLoop) -> None:
    """It is delivered as on any standard queue."""
    loop = new_loop(examples.chain(2))
    _start(loop, "chain", None)
    loop.settle()
    assert _groups(loop) == {None}


def test_a_fork_is_its_source_s_tenant_s(new_loop: NewLoop) -> None:
    """As are its tags."""
    loop = new_loop(examples.chain(2))
    _start(loop, "chain")
    loop.settle()
    made = loop.ask("POST", "/runs/run-1/fork", {"version": 1}).body["workflowId"]
    loop.settle()
    assert loop.snapshot(made).tenant == "acme"
    assert _groups(loop) == {"acme"}
