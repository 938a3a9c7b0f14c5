"""The whole loop in one process: real handlers over real clients, moto behind them, messages as Lambda has them.

Each delivery is what the platform does: receive a batch, make the event, call the handler, delete what it did
not name. A process that dies is replaced by a fresh one, as Lambda does; its messages come back when their
visibility ends.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from dispatcher.bootstrap import App, aws_adapters
from dispatcher.handler import handle
from dispatcher.head import Head
from dispatcher.messages import Message, encode
from dispatcher.settings import Settings
from engine import NodeDefinition, Registry, Snapshot, Step
from local.front import http_event
from local.poller import BATCH_SIZE, FunctionContext, failed_ids, queue_event
from local.provision import provision
from tests.dispatcher.virtual_time import MINUTE, VirtualTime
from tests.dispatcher.wiretap import Crash, Wiretap

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

VISIBILITY_MS: Final = 3 * MINUTE
PUBLIC_URL: Final = "https://api.test"

# Far more than any test needs: a loop that does not come to rest is a failure, not a hanging test.
_ROUNDS_MAX: Final = 60


class MotoClients:
    """One set of clients, made once: a process's own, without retries, so that each fault is seen as it is."""

    def __init__(self) -> None:
        config = Config(retries={"mode": "standard", "total_max_attempts": 1})
        self._session = boto3.session.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1"
        )
        self._dynamodb = self.new_dynamodb(config)
        self._sqs: SQSClient = self._session.client("sqs", config=config)
        self._s3: S3Client = self._session.client("s3", config=config)
        self._cloudwatch: CloudWatchClient = self._session.client("cloudwatch", config=config)
        self._secretsmanager: SecretsManagerClient = self._session.client("secretsmanager", config=config)

    def new_dynamodb(self, config: Config) -> DynamoDBClient:
        """Another DynamoDB client, with ways of its own."""
        return self._session.client("dynamodb", config=config)

    def dynamodb(self) -> DynamoDBClient:
        """A DynamoDB client."""
        return self._dynamodb

    def sqs(self) -> SQSClient:
        """An SQS client."""
        return self._sqs

    def s3(self) -> S3Client:
        """An S3 client."""
        return self._s3

    def cloudwatch(self) -> CloudWatchClient:
        """A CloudWatch client."""
        return self._cloudwatch

    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        return self._secretsmanager

    @property
    def all(self) -> Sequence[BaseClient]:
        """Each of them."""
        return (self._dynamodb, self._sqs, self._s3, self._cloudwatch, self._secretsmanager)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, its body read."""

    status: int
    headers: Mapping[str, str]
    body: Any


class MotoLoop:
    """A deployment: table, queues, and as many processes of the product as it takes.

    ``executions`` counts executions by run and node, ``deliveries`` messages handed to the handler.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        clients: MotoClients,
        observer: MotoClients,
        tap: Wiretap,
        time: VirtualTime,
        **settings: Any,
    ) -> None:
        self.time = time
        self.tap = tap
        self.clients = clients
        self.executions: Counter[tuple[str, str]] = Counter()
        self.deliveries = 0
        self.failures = 0
        self.resources = provision(observer, signing_secret="whsec_test", visibility_seconds=VISIBILITY_MS // 1000)
        environment = self.resources.environment(PUBLIC_URL, "tests:registry")
        self.settings = replace(Settings.from_env(environment), **settings)
        self.registry = self._counting(registry)
        self.sqs = observer.sqs()
        self.dynamodb = observer.dynamodb()
        self._observer = observer
        self.app = self.new_process(clients)

    # --- processes -----------------------------------------------------------------------------

    def new_process(self, clients: MotoClients | None = None) -> App:
        """A fresh process; over the observer's clients, which nothing listens to, unless told otherwise."""
        adapters = aws_adapters(self.settings, self._observer if clients is None else clients)
        return App(self.settings, adapters, self.registry)

    def deploy(self, registry: Registry) -> None:
        """Replaces the code: the next process has this registry."""
        self.registry = self._counting(registry)
        self.restart()

    def restart(self) -> None:
        """The process is gone, and with it all it remembered."""
        self.app = self.new_process(self.clients)

    def _counting(self, registry: Registry) -> Registry:
        counted = copy.copy(registry)
        counted._nodes = {
            name: replace(definition, executor=self._counted(definition))
            for name, definition in registry.node_definitions.items()
        }
        return counted

    def _counted(self, definition: NodeDefinition) -> Callable[[Any, Step], object]:
        def executor(data: object, step: Step) -> object:
            self.executions[step.workflow_id, step.node_id] += 1
            return definition.executor(data, step) if definition.takes_step else definition.executor(data)

        return executor

    # --- the caller ----------------------------------------------------------------------------

    def http(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request. A ``bytes`` body goes as it is, anything else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        now = datetime.fromtimestamp(self.time.now_ms / 1000, tz=UTC)
        event = http_event(method, path, headers or {}, data, request_id="request-1", now=now)
        answer: Any = handle(self.app, event, FunctionContext())
        text = answer["body"]
        return Answer(answer["statusCode"], answer["headers"], json.loads(text) if text else None)

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """As :meth:`http`, by a caller who repeats the same request until somebody answers it."""
        for _ in range(_ROUNDS_MAX):
            try:
                answer = self.http(method, path, body, headers)
            except Crash:
                self.restart()
                continue
            if answer.status < 500:
                return answer
        raise AssertionError(f"{method} {path} is never answered")

    def start(self, workflow: str, input: object = None, *, run: str = "run-1") -> str:  # noqa: A002
        """Starts a run and returns its id."""
        answer = self.ask("POST", f"/workflows/{workflow}/runs", {"workflowId": run, "input": input})
        assert answer.status in {200, 202}, answer.body
        return run

    def signal(self, name: str, payload: object = None, *, run: str = "run-1", key: str = "key-1") -> Answer:
        """Delivers a signal."""
        return self.ask("POST", f"/runs/{run}/signals/{name}", payload, {"idempotency-key": key})

    def token(self, run: str = "run-1") -> str:
        """The webhook token of the wait a run is in."""
        url: str = self.ask("GET", f"/runs/{run}").body["wait"]["callbackUrl"]
        return url.removeprefix(f"{PUBLIC_URL}/webhooks/")

    # --- the platform --------------------------------------------------------------------------

    def receive(self) -> list[MessageTypeDef]:
        """The messages visible now, up to one batch; hidden from now on until their visibility ends."""
        answer = self.sqs.receive_message(
            QueueUrl=self.resources.queue_url,
            MaxNumberOfMessages=BATCH_SIZE,
            MessageSystemAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        return answer.get("Messages", [])

    def invoke(self, messages: Sequence[MessageTypeDef], app: App | None = None) -> set[str]:
        """Hands a batch to the handler; returns the ids it names. A process that dies names them all."""
        self.deliveries += len(messages)
        try:
            response = handle(self.app if app is None else app, queue_event(messages), FunctionContext())
        except Crash:
            self.restart()
            failed = {message["MessageId"] for message in messages}
        else:
            assert isinstance(response, dict)
            failed = failed_ids(response)
        self.failures += len(failed)
        return failed

    def acknowledge(self, messages: Sequence[MessageTypeDef], failed: set[str] | frozenset[str] = frozenset()) -> None:
        """Deletes what has not failed."""
        for message in messages:
            if message["MessageId"] not in failed:
                self.sqs.delete_message(QueueUrl=self.resources.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def deliver(self) -> int:
        """Delivers one batch; returns how many messages there were."""
        messages = self.receive()
        if messages:
            self.acknowledge(messages, self.invoke(messages))
        return len(messages)

    def deliver_all(self) -> None:
        """Delivers until nothing is visible."""
        for _ in range(_ROUNDS_MAX):
            if not self.deliver():
                return
        raise AssertionError("messages without end")

    def advance(self, ms: int) -> None:
        """Lets time pass, then delivers what is due."""
        self.time.pass_by(ms)
        self.deliver_all()

    def settle(self) -> None:
        """Delivers, and lets visibility end, until the queue is empty."""
        self.deliver_all()
        for _ in range(_ROUNDS_MAX):
            if not self.queued():
                return
            self.advance(VISIBILITY_MS + 1000)
        raise AssertionError("the queue never drains")

    def sweep(self) -> Mapping[str, int]:
        """One scheduled event; empty when the process died of it."""
        try:
            report = handle(self.app, {"detail-type": "Scheduled Event", "source": "aws.events"}, FunctionContext())
        except Crash:
            self.restart()
            return {}
        assert isinstance(report, dict)
        return report

    def minutes(self, count: int) -> None:
        """Lets minutes pass, each with its sweep."""
        for _ in range(count):
            self.advance(MINUTE)
            self.sweep()
            self.deliver_all()

    # --- what there is -------------------------------------------------------------------------

    def send(self, message: Message | str) -> None:
        """Puts a message on the queue by hand."""
        body = message if isinstance(message, str) else encode(message)
        self.sqs.send_message(QueueUrl=self.resources.queue_url, MessageBody=body)

    def purge(self) -> None:
        """All messages are lost."""
        self.sqs.purge_queue(QueueUrl=self.resources.queue_url)

    def queued(self, queue_url: str | None = None) -> int:
        """Messages on a queue: visible, delayed and in flight."""
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.resources.queue_url if queue_url is None else queue_url, AttributeNames=["All"]
        )
        attributes: Mapping[str, str] = {str(name): value for name, value in answer["Attributes"].items()}
        return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "Delayed", "NotVisible"))

    def parked(self) -> list[tuple[str, str]]:
        """Bodies and reasons of what was parked."""
        answer = self.sqs.receive_message(
            QueueUrl=self.resources.parked_queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (message["Body"], message["MessageAttributes"]["reason"]["StringValue"])
            for message in answer.get("Messages", [])
        ]

    def head(self, run: str = "run-1") -> Head:
        """A run's head, as the observer sees it."""
        head = self.new_process().archive.load(run)
        assert head is not None, f"there is no run {run!r}"
        return head

    def snapshot(self, run: str = "run-1") -> Snapshot:
        """A run's snapshot."""
        return self.head(run).snapshot

    def executed(self, run: str = "run-1") -> dict[str, int]:
        """Executions of each node of a run."""
        return {node: count for (owner, node), count in self.executions.items() if owner == run}

    def items(self) -> list[Mapping[str, Any]]:
        """Every item of the table."""
        return list(self.dynamodb.scan(TableName=self.resources.table_name)["Items"])
