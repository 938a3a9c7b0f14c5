"""What AWS does around the functions of a deployment: polls their queues, ticks their schedules, hands them requests.

It invokes a function by a callable, in this process or in one of its own; an invocation that raises has failed as a
whole, as on Lambda.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from engine.event_pattern import EventPattern
from local.front import http_event
from local.poller import failed_ids, queue_event
from tests.infra.deployed_shape import Account, DeployedFunction, DeployedSource, Deployment

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Invoke = Callable[[DeployedFunction, Mapping[str, object]], Any]

ROUNDS_MAX: Final = 60
"""More rounds than any test needs: a loop that does not come to rest is a failure, not a hanging test."""


class InvocationFailed(Exception):
    """The function raised, or its process is gone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, its body read."""

    status: int
    body: Any


@dataclass(slots=True)
class Platform:
    """A deployment at work. ``batches`` has the sizes of the batches given to each handler."""

    deployment: Deployment
    account: Account
    invoke: Invoke
    now_ms: Callable[[], int]
    batches: dict[str, Counter[int]] = field(default_factory=dict)

    def http(self, method: str, path: str, body: object = None) -> Answer:
        """One request to the function behind the API."""
        data = b"" if body is None else json.dumps(body).encode()
        now = datetime.fromtimestamp(self.now_ms() / 1000, tz=UTC)
        event = http_event(method, path, {}, data, request_id="request-1", now=now)
        answer = self.invoke(self.deployment.front_door, event)
        return Answer(answer["statusCode"], json.loads(answer["body"]) if answer.get("body") else None)

    def tick(self) -> list[Any]:
        """A minute's event to each function that has a schedule; what they answered."""
        event = {
            "version": "0",
            "source": "aws.events",
            "detail-type": "Scheduled Event",
            "resources": [],
            "detail": {},
        }
        return [self.invoke(function, event) for function in self.deployment.scheduled]

    def publish(self, event: Mapping[str, object]) -> list[Any]:
        """An event on the default bus, to each target of a rule that matches; what they answered."""
        return [
            self.invoke(rule.function, event)
            for rule in self.deployment.rules
            if EventPattern(rule.pattern, "$", []).matches(event)
        ]

    def deliver(self) -> int:
        """One round of every event source; returns how many messages there were."""
        return sum(self._poll(source) for source in self.deployment.sources)

    def deliver_all(self) -> None:
        """Delivers until no queue has a visible message."""
        for _ in range(ROUNDS_MAX):
            if not self.deliver():
                return
        raise AssertionError("messages without end")

    def queued(self, queue_url: str) -> int:
        """Messages on a queue: visible, delayed and in flight."""
        answer = self.account.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        attributes = {str(name): value for name, value in answer["Attributes"].items()}
        return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "Delayed", "NotVisible"))

    def _poll(self, source: DeployedSource) -> int:
        # As many batches are out at once as the mapping allows invocations, before any of them is done.
        batches: list[Sequence[MessageTypeDef]] = []
        while len(batches) < source.concurrency and (batch := self._receive(source)):
            batches.append(batch)
        for batch in batches:
            self.batches.setdefault(source.function.handler, Counter())[len(batch)] += 1
            failed = self._failed(source, batch)
            for message in batch:
                if message["MessageId"] not in failed:
                    self.account.sqs.delete_message(QueueUrl=source.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return sum(map(len, batches))

    def _receive(self, source: DeployedSource) -> Sequence[MessageTypeDef]:
        answer = self.account.sqs.receive_message(
            QueueUrl=source.queue_url,
            MaxNumberOfMessages=source.batch_size,
            MessageSystemAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        return answer.get("Messages", [])

    def _failed(self, source: DeployedSource, batch: Sequence[MessageTypeDef]) -> set[str]:
        try:
            response = self.invoke(source.function, queue_event(batch, source.queue_arn.rpartition(":")[2]))
        except InvocationFailed:
            return {message["MessageId"] for message in batch}
        return failed_ids(response) if source.reports_failures and response else set()
