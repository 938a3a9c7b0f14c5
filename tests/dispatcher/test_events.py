"""Every file in events/ is fed to the real handler, and does what is written here beside its name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dispatcher.handler import UnknownEvent, handle
from engine import Registry, Status
from engine.errors import UnknownWorkflow
from engine.json_value import JsonValue
from local.poller import FunctionContext
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from workflows import registry

EVENTS: Final = Path(__file__).parents[2] / "events"

Check = Callable[[MotoLoop, Any], None]


def _status(expected: int, **body: object) -> Check:
    def check(_loop: MotoLoop, answer: Any) -> None:
        assert answer["statusCode"] == expected, answer
        document = json.loads(answer["body"])
        assert {name: document.get(name) for name in body} == body

    return check


def _empty(expected: int) -> Check:
    def check(_loop: MotoLoop, answer: Any) -> None:
        assert (answer["statusCode"], answer["body"]) == (expected, "")

    return check


def _batch(loop: MotoLoop, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}
    assert loop.snapshot("order-7").version == 1


def _malformed(loop: MotoLoop, answer: Any) -> None:
    _batch(loop, answer)
    assert [body for body, _ in loop.parked()] == ["this is no JSON"]


def _swept(_loop: MotoLoop, answer: Any) -> None:
    assert answer == {"lookedAt": 0, "sent": 0, "pushed": 0, "removed": 0}


def _started(loop: MotoLoop, answer: Any) -> None:
    assert answer == {"workflowId": "article-43", "status": "active"}
    assert loop.snapshot("article-43").status is Status.ACTIVE


def _dead_letter(loop: MotoLoop, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}
    assert (loop.snapshot("order-7").version, loop.executed("order-7")) == (0, {})
    assert loop.queued() == 2  # that of its start, and the dead letter's


def _routed(route: str, **given: object) -> Check:
    def check(loop: MotoLoop, answer: Any) -> None:
        (run_id,) = answer["started"]
        assert (run_id.startswith(f"{route}-"), answer["repeated"], answer["parked"]) == (True, [], [])
        assert loop.snapshot(run_id).input == given

    return check


def _parked_event(loop: MotoLoop, answer: Any) -> None:
    assert answer == {"started": [], "repeated": [], "parked": ["articles"]}
    ((body, reason),) = loop.parked()
    assert json.loads(body)["detail"] == {"title": 5, "words": 3}
    assert reason == "route articles: InvalidRunInput: $.input.title, $.input.text"


def _nothing(loop: MotoLoop, answer: Any) -> None:
    assert answer == {"started": [], "repeated": [], "parked": []}
    assert loop.parked() == []


# What each file does to a deployment of the example workflows where the run order-7 has just been started,
# and events are routed as `_routed_registry` says.
OUTCOMES: Final[dict[str, Check]] = {
    "direct": _started,
    "eventbridge-custom": _routed("articles", title="On Queues", text="They are lines."),
    "eventbridge-invalid-input": _parked_event,
    "eventbridge-no-route": _nothing,
    "eventbridge-s3-object-created": _routed("uploads", title="articles/on-queues.txt", text=""),
    "eventbridge-schedule-of-a-route": _routed("morning", title="Good morning", text=""),
    "http-get": _status(200, workflowId="order-7", status="active", version=0),
    "http-get-unknown": _status(404, status=404),
    "http-health": _status(200, status="ok"),
    "http-preflight": _empty(204),
    "http-put-workflow": _status(201, name="greeting", changed=True, warnings=[]),
    "http-rest-claims": _status(202, accepted=True),
    "http-rest-list": _status(200, cursor=None),
    "http-rest-start": _status(202, workflowId="article-42", status="active"),
    "http-rest-unknown": _status(404, title="Not found"),
    "http-resume": _status(202, accepted=True, repeated=False),
    "http-signal": _status(202, accepted=True, repeated=False),
    "http-start": _status(202, workflowId="article-42", status="active"),
    "http-start-base64": _status(202, status="active"),
    "http-start-invalid": _status(422, title="Unprocessable content"),
    "http-webhook": _status(404, title="Not found"),
    "queue-batch": _batch,
    "queue-batch-dead-letter": _dead_letter,
    "queue-batch-malformed": _malformed,
    "schedule": _swept,
}


def _routed_registry() -> Registry:
    """The example workflows, with routes of this test's own."""
    routed = copy.copy(registry)
    routed._routes = {}
    article: dict[str, JsonValue] = {"title": "{{ event.detail.title }}", "text": "{{ event.detail.text }}"}
    newsroom = {"source": ["acme.newsroom"], "detail-type": ["Article Submitted"]}
    routed.route(newsroom, "content-approval", input=article, name="articles")
    uploads = {"source": ["aws.s3"], "detail": {"object": {"key": [{"wildcard": "articles/*.txt"}]}}}
    upload: dict[str, JsonValue] = {"title": "{{ event.detail.object.key }}", "text": ""}
    routed.route(uploads, "content-approval", input=upload, name="uploads")
    morning = {"source": ["aws.events"], "resources": [{"suffix": "rule/acme-morning-report"}]}
    routed.route(morning, "content-approval", input={"title": "Good morning", "text": ""}, name="morning")
    return routed


@pytest.fixture
def loop(new_loop: NewLoop) -> MotoLoop:
    """The example workflows, with one run."""
    loop = new_loop(_routed_registry())
    loop.start("content-approval", {"title": "On Queues", "text": "They are lines."}, run="order-7")
    return loop


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*")))
def test_a_sample_event_does_what_is_documented(loop: MotoLoop, name: str) -> None:
    """Each file is one event as AWS sends it; a file without an outcome above fails here."""
    event = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    OUTCOMES[name](loop, handle(loop.app, event, FunctionContext()))


def test_every_outcome_has_its_file() -> None:
    """None is documented that is not there."""
    assert {path.name for path in EVENTS.iterdir()} == {f"{name}.json" for name in OUTCOMES}


@pytest.mark.parametrize(
    "event", [{}, {"Records": "none"}, {"requestContext": {}}, {"workflow": 7}, {"detail-type": "Object Created"}]
)
def test_an_event_of_no_kind_is_refused_aloud(loop: MotoLoop, event: dict[str, object]) -> None:
    """Silence would look like success: the error names the kinds there are."""
    with pytest.raises(UnknownEvent, match="queue batch"):
        handle(loop.app, event, FunctionContext())


def test_a_direct_call_starts_a_run_once(loop: MotoLoop) -> None:
    """The same call again finds the same run; an unknown workflow is an error the caller sees."""
    event = {"workflow": "content-approval", "workflowId": "a", "input": {"title": "t", "text": ""}}
    for _ in range(2):
        assert handle(loop.app, event, FunctionContext()) == {"workflowId": "a", "status": "active"}
    with pytest.raises(UnknownWorkflow):
        handle(loop.app, {"workflow": "nobody"}, FunctionContext())


def test_a_direct_call_that_lambda_repeats_starts_one_run(loop: MotoLoop) -> None:
    """An asynchronous call is repeated with the same request id, which stands for a run's id; another is another."""
    event = {"workflow": "content-approval", "input": {"title": "t", "text": ""}}
    once, another = FunctionContext(), FunctionContext()
    first, again, other = (handle(loop.app, event, context) for context in (once, once, another))
    assert first == again
    assert first != other
    named: Any = handle(loop.app, {**event, "workflowId": "mine"}, once)
    assert named["workflowId"] == "mine"


@pytest.mark.parametrize("workflow_id", ["a~b", "", "a/b", "r" * 200, "a#b", 7])
def test_a_direct_call_s_id_is_checked_as_well(loop: MotoLoop, workflow_id: object) -> None:
    """The tilde is a child's; nothing is written under an id that no path could name."""
    before = loop.items()
    event = {"workflow": "content-approval", "workflowId": workflow_id, "input": {"title": "t", "text": ""}}
    with pytest.raises(ValueError, match="workflowId"):
        handle(loop.app, event, FunctionContext())
    assert loop.items() == before
