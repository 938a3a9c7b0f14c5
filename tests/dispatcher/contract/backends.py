"""The backends of each port, as the contract sees them: the port, and hands to reach behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher import clock
from dispatcher.dynamodb_store import DynamoDbRunStore
from dispatcher.head import Head
from dispatcher.memory import InMemoryRunStore, InMemoryStepQueue
from dispatcher.messages import Message, decode
from dispatcher.ports import RunStore, StepQueue
from dispatcher.sqs_queue import SqsStepQueue
from dispatcher.table_schema import DUE_INDEX, HEAD_SORT_KEY, run_partition
from engine import Snapshot, Status
from engine.definition_ref import DefinitionRef
from local.provision import TABLE_NAME, Resources, create_table, provision
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.virtual_time import VirtualTime
from tests.dispatcher.wiretap import Wiretap

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class StoreBackend:
    """A RunStore. ``set_schema``: as newer code would have written a head. ``in_index``: runs with a mark."""

    store: RunStore
    set_schema: Callable[[str, int], None]
    in_index: Callable[[], int]


def store_in_memory() -> StoreBackend:
    """The store in dictionaries."""
    store = InMemoryRunStore()

    def set_schema(workflow_id: str, schema: int) -> None:
        store._heads[workflow_id].change(schema=schema)

    def in_index() -> int:
        return sum(stored.attributes.due_at_ms is not None for stored in store._heads.values())

    return StoreBackend(store, set_schema, in_index)


@dataclass(frozen=True)
class Hands:
    """Hands to reach behind a store, into its table."""

    client: DynamoDBClient
    table_name: str

    def set_schema(self, workflow_id: str, schema: int) -> None:
        """As newer code would have written it."""
        self.set(workflow_id, "schema", {"N": str(schema)})

    def set(self, workflow_id: str, attribute: str, value: dict[str, str]) -> None:
        """Sets an attribute of a head by hand."""
        self.client.update_item(
            TableName=self.table_name,
            Key={"pk": {"S": run_partition(workflow_id)}, "sk": {"S": HEAD_SORT_KEY}},
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": attribute},
            ExpressionAttributeValues={":value": value},
        )

    def in_index(self) -> int:
        """Items in the due index."""
        return self.client.scan(TableName=self.table_name, IndexName=DUE_INDEX)["Count"]

    def items(self) -> Sequence[object]:
        """Every item of the table."""
        return self.client.scan(TableName=self.table_name)["Items"]


@dataclass(frozen=True)
class DynamoDb:
    """A table on moto, the store over it, and what it calls."""

    store: DynamoDbRunStore
    observer: MotoClients
    tap: Wiretap
    table_name: str

    @property
    def hands(self) -> Hands:
        """Hands that no fault ever hits."""
        return Hands(self.observer.dynamodb(), self.table_name)

    def set(self, workflow_id: str, attribute: str, value: dict[str, str]) -> None:
        """Sets an attribute of a head by hand."""
        self.hands.set(workflow_id, attribute, value)

    def items(self) -> Sequence[object]:
        """Every item of the table."""
        return self.hands.items()


def store_on_dynamodb_local(client: DynamoDBClient) -> StoreBackend:
    """A fresh table on DynamoDB Local: ``client`` is of an account that has nothing yet."""
    create_table(client, TABLE_NAME)
    hands = Hands(client, TABLE_NAME)
    return StoreBackend(DynamoDbRunStore(client, TABLE_NAME), hands.set_schema, hands.in_index)


def dynamodb(clients: MotoClients, observer: MotoClients, tap: Wiretap) -> DynamoDb:
    """A fresh table on moto."""
    resources = provision(observer, signing_secret="whsec_test")
    store = DynamoDbRunStore(clients.dynamodb(), resources.table_name)
    return DynamoDb(store, observer, tap, resources.table_name)


@dataclass(frozen=True)
class QueueBackend:
    """A StepQueue. ``receive``: messages visible now. ``parked``: bodies and reasons."""

    queue: StepQueue
    receive: Callable[[], list[Message]]
    parked: Callable[[], list[tuple[str, str]]]


def queue_in_memory(time: VirtualTime) -> QueueBackend:
    """The queue in a list."""
    queue = InMemoryStepQueue(lambda: time.now_ms)
    return QueueBackend(queue, lambda: [decode(m.body) for m in queue.receive()], lambda: queue.parked)


def queue_on_sqs(clients: MotoClients, observer: MotoClients) -> QueueBackend:
    """Two queues on moto."""
    resources: Resources = provision(observer, signing_secret="whsec_test")
    sqs = observer.sqs()

    def receive() -> list[Message]:
        answer = sqs.receive_message(QueueUrl=resources.queue_url, MaxNumberOfMessages=10)
        return [decode(message["Body"]) for message in answer.get("Messages", [])]

    def parked() -> list[tuple[str, str]]:
        answer = sqs.receive_message(
            QueueUrl=resources.parked_queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (message["Body"], message["MessageAttributes"]["reason"]["StringValue"])
            for message in answer.get("Messages", [])
        ]

    queue = step_queue(clients, resources.queue_url, resources.parked_queue_url)
    return QueueBackend(queue, receive, parked)


def step_queue(clients: MotoClients, queue_url: str, parked_queue_url: str) -> SqsStepQueue:
    """The queue on SQS."""
    return SqsStepQueue(clients.sqs(), queue_url, parked_queue_url, cloudwatch=clients.cloudwatch, now_ms=clock.now_ms)


def head_of(workflow_id: str = "run-1", version: int = 0, **fields: object) -> Head:
    """A head; ``fields`` are the snapshot's where it has them, else the head's."""
    of_snapshot = {name: fields.pop(name) for name in list(fields) if name in Snapshot._fields}
    snapshot = Snapshot(
        **{  # type: ignore[arg-type]
            "workflow_id": workflow_id,
            "status": Status.ACTIVE,
            "current_node_id": "a",
            "version": version,
            "definition": DefinitionRef("chain", "1"),
            **of_snapshot,
        }
    )
    head = {"nonce": "nonce", "input_digest": "digest", "writer_id": f"writer-{version}", "due_at_ms": 1000, **fields}
    return Head(snapshot=snapshot, **head)  # type: ignore[arg-type]
