"""A deployment for the storage benchmark: the real handlers over a table that tells what each call consumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from storage_workloads import registry_of

from dispatcher.bootstrap import Adapters, App
from dispatcher.handler import handle
from dispatcher.head import Head
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue
from dispatcher.ports import RunStore, Sealed
from dispatcher.settings import Settings
from dispatcher.table_schema import HEAD_SORT_KEY, SORT_KEY
from engine import WorkflowDefinition
from local.poller import FunctionContext, failed_ids, queue_event
from local.provision import QUEUE_NAME, TABLE_NAME, create_table
from tests.dispatcher.contract.dynamodb_local import DynamoDbLocal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RUN: Final = "bench"
NOW_MS: Final = 1_700_000_000_000
STEP_MS: Final = 50


class Meter:
    """Adds up what DynamoDB says the calls of a client have consumed, and looks at the heads they write."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.write_units = 0.0
        self.read_units = 0.0
        self.head_bytes_max = 0
        self.refused = 0
        client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        client.meta.events.register("after-call.dynamodb", self._add)

    @property
    def cost(self) -> float:
        """Everything in write units; a read unit costs a fifth of one (AWS's price list, on demand)."""
        return self.write_units + self.read_units / 5

    def check(self) -> None:
        """Raises if a call was refused: what that consumed is billed, but not told."""
        if self.refused:
            raise RuntimeError(f"{self.refused} calls were refused, of a run that nobody disturbs")

    def _ask(self, params: dict[str, Any], model: Any, **_: object) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"
        key = params.get("Key") or params.get("Item") or {}
        if model.name in {"PutItem", "UpdateItem"} and key[SORT_KEY]["S"] == HEAD_SORT_KEY:
            attributes = params["Item"] if model.name == "PutItem" else params["ExpressionAttributeValues"]
            self.head_bytes_max = max(self.head_bytes_max, _bytes_of(attributes))

    def _add(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        if "Error" in parsed:
            self.refused += 1
            return
        consumed = parsed.get("ConsumedCapacity", [])
        units = sum(item["CapacityUnits"] for item in (consumed if isinstance(consumed, list) else [consumed]))
        if model.name in {"GetItem", "Query", "BatchGetItem"}:
            self.read_units += units
        else:
            self.write_units += units


def _bytes_of(attributes: dict[str, dict[str, Any]]) -> int:
    """Bytes of an item, a few more or less: numbers are kept shorter than they are written."""
    return sum(len(name) + len(value) for name, typed in attributes.items() for value in typed.values())


SETTINGS: Final = Settings(
    table_name="",
    queue_url=f"https://queue.test/{QUEUE_NAME}",
    parked_queue_url="https://parked.test",
    payload_bucket="payloads",
    public_url="https://api.test",
    webhook_secret_id="secret",  # noqa: S106  (a name)
)


class NoSecret:
    """A signing secret for tokens that nobody asks for."""

    def signing_secret(self) -> bytes:
        """The secret."""
        return b"whsec_bench"


class Deployment:
    """The real handlers over a store, with queue, bucket and clock in memory; one run, one message at a time."""

    def __init__(self, store: RunStore, workflow: WorkflowDefinition, *, steps_per_invocation: int = 1) -> None:
        self.now_ms = NOW_MS
        self.bucket = InMemoryBucket()
        self.queue = InMemoryStepQueue(lambda: self.now_ms)
        adapters = Adapters(
            store=store, queue=self.queue, bucket=self.bucket, secrets=NoSecret(), now_ms=lambda: self.now_ms
        )
        settings = replace(SETTINGS, steps_per_invocation=steps_per_invocation)
        self._app = App(settings, adapters, registry_of(workflow))
        self._workflow = workflow.name

    def restart(self) -> None:
        """A fresh process takes over, which remembers nothing."""
        self._app = App(self._app.settings, self._app.adapters, self._app.registry)

    def start(self) -> None:
        """Starts the run."""
        handle(self._app, {"workflow": self._workflow, "workflowId": RUN}, FunctionContext())

    def step(self) -> None:
        """Delivers the next message.

        Raises:
            RuntimeError: there is none, or the handler wants it again.
        """
        messages = self.queue.receive(batch_size=1)
        for message in messages:
            event = queue_event(
                [
                    {
                        "MessageId": message.message_id,
                        "ReceiptHandle": message.message_id,
                        "Body": message.body,
                        "Attributes": {"ApproximateReceiveCount": str(message.receive_count)},
                    }
                ]
            )
            response = handle(self._app, event, FunctionContext())
            if not isinstance(response, dict) or failed_ids(response):
                raise RuntimeError(f"the step was not executed: {response}")
            self.queue.delete(message.message_id)
        if not messages:
            raise RuntimeError("the run has stopped before its time")
        self.now_ms += STEP_MS

    def step_until(self, version: int, store: RunStore) -> Head:
        """Delivers messages until the run has made so many steps, of which each message is good for several."""
        while (head := store.load(RUN)) is not None and head.version < version:
            self.step()
        if head is None or head.version != version:
            raise RuntimeError(f"the run is not at version {version}, but at {head}")
        return head


class RecordingStore(InMemoryRunStore):
    """A store in memory that knows in which order what was sealed."""

    def __init__(self) -> None:
        super().__init__()
        self.sealed: list[Sealed] = []

    def put_sealed(self, sealed: Sealed) -> None:
        """See RunStore."""
        super().put_sealed(sealed)
        self.sealed.append(sealed)


class Table:
    """A fresh table on DynamoDB Local, and what its client consumes."""

    def __init__(self, server: DynamoDbLocal) -> None:
        self.client = server.new_account()
        create_table(self.client, TABLE_NAME)
        self.meter = Meter(self.client)

    @contextmanager
    def consuming(self, steps: int = 1) -> Iterator[list[float]]:
        """What is consumed within the block: afterwards the list holds write and read units, each by so many steps."""
        consumed: list[float] = []
        write_units, read_units = self.meter.write_units, self.meter.read_units
        yield consumed
        consumed += [(self.meter.write_units - write_units) / steps, (self.meter.read_units - read_units) / steps]
