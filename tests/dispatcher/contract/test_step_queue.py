"""The contract of StepQueue, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.errors import Retryable, Terminal
from dispatcher.memory import InMemoryStepQueue
from dispatcher.messages import Continuation, Message, Wake
from dispatcher.sqs_queue import SqsStepQueue
from tests.dispatcher.contract.backends import QueueBackend, step_queue
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.virtual_time import VirtualTime
from tests.dispatcher.wiretap import Wiretap, lose_the_answer, raising

SQS_BYTES_MAX = 1_048_576


class TestStepQueue:
    """What every StepQueue promises."""

    @pytest.mark.parametrize("message", [Continuation("run-1", 0), Continuation("run-1~ab", 10**12), Wake("run-1")])
    def test_a_message_arrives_as_it_was_sent(self, queue: QueueBackend, message: Message) -> None:
        """At once, and once."""
        if isinstance(message, Continuation) and "~" in message.workflow_id:
            message = Continuation(f"run-1~{'a2' * 13}", message.version)
        queue.queue.send(message)
        assert queue.receive() == [message]
        assert queue.receive() == []

    @pytest.mark.parametrize("delay_seconds", [1, 59, 900])
    def test_a_delayed_message_is_not_seen_before_its_time(
        self, queue: QueueBackend, time: VirtualTime, delay_seconds: int
    ) -> None:
        """To the millisecond."""
        queue.queue.send(Wake("run-1"), delay_seconds=delay_seconds)
        time.pass_by(delay_seconds * 1000 - 1)
        assert queue.receive() == []
        time.pass_by(1)
        assert queue.receive() == [Wake("run-1")]

    @pytest.mark.parametrize("delay_seconds", [-1, 901, 86_400])
    def test_a_delay_beyond_the_queue_is_refused_aloud(self, queue: QueueBackend, delay_seconds: int) -> None:
        """Never clamped: whoever clamps, runs early. Nothing is sent."""
        with pytest.raises(ValueError, match="0 to 900"):
            queue.queue.send(Wake("run-1"), delay_seconds=delay_seconds)
        assert queue.receive() == []

    @pytest.mark.parametrize("body", ["no JSON", "{}", "ünïcode 𝄞", "x" * 10_000])
    def test_what_is_parked_is_kept_with_its_reason(self, queue: QueueBackend, body: str) -> None:
        """And is not on the queue."""
        queue.queue.park(body, reason="nobody can read it")
        assert queue.parked() == [(body, "nobody can read it")]
        assert queue.receive() == []

    def test_a_message_of_a_group_arrives_as_any_other(self, queue: QueueBackend, time: VirtualTime) -> None:
        """Groups share the queue fairly; they neither order nor drop, and a delay works as without."""
        queue.queue.send(Wake("run-1"), group="acme")
        queue.queue.send(Wake("run-1"), group="acme")
        queue.queue.send(Wake("run-2"), group="umbrella", delay_seconds=5)
        assert queue.receive() == [Wake("run-1")] * 2
        time.pass_by(5000)
        assert queue.receive() == [Wake("run-2")]

    def test_an_empty_queue_has_no_age(self, queue: QueueBackend) -> None:
        """0 is what a queue has whose every message is delivered at once."""
        assert queue.queue.oldest_age_ms() == 0

    def test_a_queue_that_answers_is_well(self, queue: QueueBackend) -> None:
        """Nothing is raised."""
        queue.queue.check()


@pytest.fixture
def sqs(tap: Wiretap, clients: MotoClients, observer: MotoClients) -> SqsStepQueue:
    """The queue on SQS, its calls tapped."""
    urls = [observer.sqs().create_queue(QueueName=name)["QueueUrl"] for name in ("steps", "parked")]
    assert tap.calls == []
    return step_queue(clients, *urls)


CALLS: dict[str, tuple[str, Callable[[SqsStepQueue], object]]] = {
    "send": ("SendMessage", lambda queue: queue.send(Wake("run-1"))),
    "park": ("SendMessage", lambda queue: queue.park("x", reason="y")),
    "oldest_age_ms": ("GetMetricStatistics", lambda queue: queue.oldest_age_ms()),
    "check": ("GetQueueAttributes", lambda queue: queue.check()),
}


@pytest.mark.parametrize("method", CALLS)
def test_every_call_is_classified(sqs: SqsStepQueue, tap: Wiretap, method: str) -> None:
    """Throttling, server faults and lost connections are Retryable, a queue that is not there is Terminal."""
    operation, call = CALLS[method]
    for fault in (lose_the_answer, raising("RequestThrottled"), raising("InternalFailure", status=500)):
        tap.on(operation, "before", fault)
        with pytest.raises(Retryable):
            call(sqs)
    for code in ("AWS.SimpleQueueService.NonExistentQueue", "AccessDenied"):
        tap.on(operation, "before", raising(code))
        with pytest.raises(Terminal):
            call(sqs)


def test_an_empty_body_is_parked_as_well(sqs: SqsStepQueue) -> None:
    """SQS takes no empty message; a blank stands for it."""
    sqs.park("", reason="empty")


@pytest.mark.parametrize("letter", ["x", "ü", "𝄞"])
def test_what_is_parked_fits_beside_its_reason(sqs: SqsStepQueue, tap: Wiretap, letter: str) -> None:
    """A body as long as the queue takes leaves no room for a reason: it is cut, the reason is not."""
    body = letter * (SQS_BYTES_MAX // len(letter.encode()))
    sqs.park(body, reason="far too long")
    (call,) = [call for call in tap.calls if call.operation == "SendMessage"]
    sent = call.parameters["MessageBody"]
    kept, room = len(sent.encode()), len("reasonStringfar too long")
    assert body.startswith(sent)
    assert SQS_BYTES_MAX - 2048 < kept <= SQS_BYTES_MAX - room
    assert call.parameters["MessageAttributes"]["reason"]["StringValue"] == "far too long"


def test_the_group_is_told_to_sqs(sqs: SqsStepQueue, tap: Wiretap) -> None:
    """As MessageGroupId, which on a standard queue means a fair share; a message of nobody has none."""
    sqs.send(Wake("run-1"), group="acme")
    sqs.send(Wake("run-1"))
    sent = [call.parameters for call in tap.calls if call.operation == "SendMessage"]
    assert [parameters.get("MessageGroupId") for parameters in sent] == ["acme", None]


def test_the_age_in_memory_is_that_of_the_oldest_visible_message(time: VirtualTime) -> None:
    """A delayed message has no age before its time; a received one is not waiting; a deleted one is gone."""
    queue = InMemoryStepQueue(lambda: time.now_ms)
    queue.send(Wake("delayed"), delay_seconds=60)
    time.pass_by(59_000)
    assert queue.oldest_age_ms() == 0
    queue.send(Wake("later"))
    time.pass_by(1_000)
    assert queue.oldest_age_ms() == 60_000
    for message in queue.receive():
        queue.delete(message.message_id)
    assert queue.oldest_age_ms() == 0


def test_the_age_on_sqs_is_the_newest_that_cloudwatch_knows(
    sqs: SqsStepQueue, observer: MotoClients, time: VirtualTime
) -> None:
    """SQS tells CloudWatch alone, once a minute: the newest point of this queue counts, and no older than minutes."""

    def told(seconds: float, *, minutes_ago: int, queue: str = "steps") -> None:
        at = datetime.fromtimestamp(time.now_ms / 1000, tz=UTC) - timedelta(minutes=minutes_ago)
        observer.cloudwatch().put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": queue}],
                    "Timestamp": at,
                    "Value": seconds,
                }
            ],
        )

    told(999, minutes_ago=30)
    assert sqs.oldest_age_ms() == 0
    told(900, minutes_ago=6)
    told(12.5, minutes_ago=2)
    told(700, minutes_ago=1, queue="another")
    assert sqs.oldest_age_ms() == 12_500
