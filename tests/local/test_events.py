"""Events on a laptop: uploads, PutEvents and events sent by hand start the runs that the routes say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dispatcher.bootstrap import Adapters, App
from dispatcher.errors import Retryable
from dispatcher.head import Head
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue
from local import LocalStack
from local.emulator import EmulatorClients
from local.events import DELIVERIES_MAX, UPLOAD_BUCKET_NAME, EventDelivery, InvalidEvent, events_of
from local.poller import FunctionContext
from tests.dispatcher.settings import SETTINGS, NoSecret
from tests.local.event_registry import registry
from tests.local.http import call
from tests.local.waiting import until, until_status

ORDER: Mapping[str, Any] = {"source": "shop", "detail-type": "Order placed", "detail": {"total": 11}}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """One stack for all tests of this file."""
    with LocalStack(registry="tests.local.event_registry:registry") as stack:
        yield stack


def _runs(stack: LocalStack, route: str) -> list[str]:
    _, page = call(f"{stack.url}/runs?workflow=keep")
    return [run["workflowId"] for run in page["runs"] if run["workflowId"].startswith(f"{route}-")]


def test_each_upload_starts_a_run(stack: LocalStack) -> None:
    """The same key twice is two uploads: each has a sequencer of its own. Other files start nothing."""
    s3 = EmulatorClients(stack.emulator_url).s3()
    for key in ("orders.txt", "orders.csv", "orders.csv"):
        s3.put_object(Bucket=UPLOAD_BUCKET_NAME, Key=key, Body=b"a,b\n")
    runs = until(lambda: _runs(stack, "upload"), lambda runs: len(runs) == 2)
    output = until_status(stack.url, runs[0], "completed")["output"]
    assert output["key"] == "orders.csv"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", output["time"])


def test_put_events_reaches_the_routes(stack: LocalStack) -> None:
    """By EventBridge's own API; what no route asks for starts nothing."""
    EmulatorClients(stack.emulator_url).events().put_events(
        Entries=[
            {"Source": "shop", "DetailType": "Order placed", "Detail": json.dumps({"total": total})}
            for total in (3, 12)
        ]
    )
    (run,) = until(lambda: _runs(stack, "order"))
    assert until_status(stack.url, run, "completed")["output"] == {"total": 12}


def test_events_are_taken_by_the_front(stack: LocalStack) -> None:
    """One, a list, or a call of PutEvents; the answer tells the routes. The same id is the same event."""
    before = len(_runs(stack, "order"))
    status, answer = call(f"{stack.url}/local/events", {**ORDER, "id": "e-1"})
    assert (status, answer) == (202, {"events": [{"id": "e-1", "routes": ["order"]}]})
    listed = [{**ORDER, "id": "e-1"}, {**ORDER, "source": "nobody"}]
    assert [event["routes"] for event in call(f"{stack.url}/local/events", listed)[1]["events"]] == [["order"], []]
    entries = {"Entries": [{"Source": "shop", "DetailType": "Order placed", "Detail": '{"total": 40}'}]}
    assert call(f"{stack.url}/local/events", entries)[0] == 202
    until(lambda: _runs(stack, "order"), lambda runs: len(runs) == before + 2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (7, "event 0 is a int, not an object"),
        ({"source": "shop"}, "'detail-type' is missing"),
        ({**ORDER, "detail": "text"}, "'detail' is missing or not an object"),
        ([ORDER, {"Source": "shop", "DetailType": "x", "Detail": "{"}], "event 1: 'Detail' is not JSON"),
    ],
)
def test_what_is_no_event_is_refused(stack: LocalStack, body: object, said: str) -> None:
    """With the event at fault, and none of the list is sent."""
    status, problem = call(f"{stack.url}/local/events", body)
    assert status == 400
    assert said in problem["detail"]
    with pytest.raises(InvalidEvent, match=re.escape(said)):
        list(events_of(body))


def test_the_way_in_for_events_takes_posts_alone(stack: LocalStack) -> None:
    """And says what to send."""
    assert call(f"{stack.url}/local/events")[0] == 405


class OutOfOrder(InMemoryRunStore):
    """A store that writes nothing as long as it is broken."""

    broken = True

    def create(self, head: Head) -> Head | None:
        """See RunStore."""
        if self.broken:
            raise Retryable("not now")
        return super().create(head)


def _delivery(store: OutOfOrder, queue: InMemoryStepQueue) -> EventDelivery:
    app = App(SETTINGS, Adapters(store, queue, InMemoryBucket(), NoSecret()), registry)
    return EventDelivery(lambda: app)


def _batch(body: str, receives: int) -> dict[str, object]:
    attributes = {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1772442000000"}
    return {"Records": [{"messageId": "m-1", "body": body, "attributes": attributes}]}


def test_a_delivery_that_fails_comes_again_then_is_parked() -> None:
    """As often as Lambda repeats an asynchronous call; nothing is lost without a trace."""
    queue = InMemoryStepQueue(lambda: 0)
    delivery = _delivery(OutOfOrder(), queue)
    body = json.dumps({**ORDER, "id": "e-1"})
    for receives in range(1, DELIVERIES_MAX):
        response = delivery.handle_batch(_batch(body, receives), FunctionContext())
        assert response == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert delivery.handle_batch(_batch(body, DELIVERIES_MAX), FunctionContext()) == {"batchItemFailures": []}
    assert queue.parked == [(body, "Retryable: not now")]


def test_a_delivery_that_recovers_starts_one_run() -> None:
    """The second delivery of an event is the same event."""
    store, queue = OutOfOrder(), InMemoryStepQueue(lambda: 0)
    delivery = _delivery(store, queue)
    body = json.dumps({**ORDER, "id": "e-1"})
    delivery.handle_batch(_batch(body, 1), FunctionContext())
    store.broken = False
    for receives in (2, 3):
        assert delivery.handle_batch(_batch(body, receives), FunctionContext()) == {"batchItemFailures": []}
    assert len({message.body for message in queue.receive()}) == 1
    assert queue.parked == []


def test_what_is_no_event_on_the_queue_is_parked_in_the_end() -> None:
    """It never blocks the queue."""
    queue = InMemoryStepQueue(lambda: 0)
    _delivery(OutOfOrder(), queue).handle_batch(_batch("no json", DELIVERIES_MAX), FunctionContext())
    assert [body for body, _ in queue.parked] == ["no json"]
