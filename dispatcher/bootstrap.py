"""The composition root: the one place that knows which adapter stands behind which port.

It alone reads the environment. Everything is built when it is first asked for, so a function pays only for
what it uses.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, Protocol

from dispatcher import clock
from dispatcher.limits import AWS_CONNECT_TIMEOUT_SECONDS, AWS_READ_TIMEOUT_SECONDS, AWS_TRIES
from dispatcher.ports import PayloadBucket, RunStore, SecretSource, StepQueue
from dispatcher.settings import InvalidSettings, Settings

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from dispatcher.archive import Archive
    from dispatcher.catalog import Catalog
    from dispatcher.dead_letters import DeadLetters
    from dispatcher.dispatch import Dispatcher
    from dispatcher.front_door import FrontDoor
    from dispatcher.gathering import Gathering
    from dispatcher.head_effects import HeadEffects
    from dispatcher.http.api import HttpApi
    from dispatcher.http_node.node import HttpNode
    from dispatcher.operator_calls import OperatorCalls
    from dispatcher.retention import Retention
    from dispatcher.shell_plugin import ShellPlugin
    from dispatcher.sweep import Sweep
    from dispatcher.webhook_token import WebhookTokens
    from engine import Output, Registry, Step
    from engine.core_data import HttpData


class Clients(Protocol):
    """Makes AWS clients."""

    def dynamodb(self) -> DynamoDBClient:
        """A DynamoDB client."""
        ...

    def sqs(self) -> SQSClient:
        """An SQS client."""
        ...

    def s3(self) -> S3Client:
        """An S3 client."""
        ...

    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        ...

    def cloudwatch(self) -> CloudWatchClient:
        """A CloudWatch client."""
        ...


class AwsClients:
    """Clients of the account the function runs in; endpoints by botocore's ``AWS_ENDPOINT_URL*``."""

    def dynamodb(self) -> DynamoDBClient:
        """A DynamoDB client."""
        import boto3  # noqa: PLC0415  (functions that use no client do not pay for it)

        return boto3.client("dynamodb", config=_patient())

    def sqs(self) -> SQSClient:
        """An SQS client."""
        import boto3  # noqa: PLC0415

        return boto3.client("sqs", config=_patient())

    def s3(self) -> S3Client:
        """An S3 client."""
        import boto3  # noqa: PLC0415

        return boto3.client("s3", config=_patient())

    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        import boto3  # noqa: PLC0415

        return boto3.client("secretsmanager", config=_patient())

    def cloudwatch(self) -> CloudWatchClient:
        """A CloudWatch client."""
        import boto3  # noqa: PLC0415

        return boto3.client("cloudwatch", config=_patient())


def _patient() -> Config:
    """Throttling and 5xx are tried again with jitter (standard mode), within what a delivery has time for."""
    from botocore.config import Config  # noqa: PLC0415

    return Config(
        retries={"mode": "standard", "total_max_attempts": AWS_TRIES},
        connect_timeout=AWS_CONNECT_TIMEOUT_SECONDS,
        read_timeout=AWS_READ_TIMEOUT_SECONDS,
    )


@dataclass(frozen=True)
class Adapters:
    """What stands behind the ports, and the defaults for time, ids and randomness.

    ``executors`` stand for the node types that the engine only describes; None: the real ones.
    """

    store: RunStore
    queue: StepQueue
    bucket: PayloadBucket
    secrets: SecretSource
    now_ms: Callable[[], int] = clock.now_ms
    new_id: Callable[[], str] = clock.new_id
    new_rng: Callable[[], random.Random] = clock.new_rng
    executors: Mapping[str, Callable[..., object]] | None = None
    pause_ms: Callable[[int], None] = clock.pause_ms


def aws_adapters(settings: Settings, clients: Clients) -> Adapters:
    """The adapters for AWS, or for anything that speaks its protocols."""
    from dispatcher.dynamodb_store import DynamoDbRunStore  # noqa: PLC0415  (imports botocore)
    from dispatcher.s3_bucket import S3Bucket  # noqa: PLC0415
    from dispatcher.secrets_manager import SecretsManagerSecret  # noqa: PLC0415
    from dispatcher.sqs_queue import SqsStepQueue  # noqa: PLC0415

    return Adapters(
        store=DynamoDbRunStore(clients.dynamodb(), settings.table_name, pause=clock.pause_after_conflict),
        queue=SqsStepQueue(
            clients.sqs(),
            settings.queue_url,
            settings.parked_queue_url,
            cloudwatch=clients.cloudwatch,
            now_ms=clock.now_ms,
        ),
        bucket=S3Bucket(clients.s3, settings.payload_bucket),
        secrets=SecretsManagerSecret(clients.secretsmanager, settings.webhook_secret_id),
    )


class App:
    """Everything a handler may need, each part built when it is first asked for."""

    def __init__(self, settings: Settings, adapters: Adapters, registry: Registry | None = None) -> None:
        self.settings = settings
        self.adapters = adapters
        self._given_registry = registry

    @cached_property
    def registry(self) -> Registry:
        """The user's node types and workflows; the functions that execute nothing never import them."""
        given = self._given_registry
        registry = load_registry(self.settings.registry) if given is None else given
        return registry.with_plugins(self.plugins) if self.plugins else registry

    @cached_property
    def plugins(self) -> Sequence[ShellPlugin]:
        """The shell's own plugins that are switched on."""
        if not self.settings.plugins:
            return ()
        from dispatcher.plugins import made  # noqa: PLC0415  (only if any is named)

        return made(self.settings.plugins, log_level=self.settings.log_level)

    @contextmanager
    def invocation(self) -> Iterator[None]:
        """One event being handled: at its end, however it ends, plugins send what they have kept back."""
        shell_plugins = self.plugins
        try:
            yield
        finally:
            plugins = self.registry.plugins if "registry" in vars(self) else shell_plugins
            if plugins:
                from dispatcher.plugins import tell_the_end  # noqa: PLC0415

                tell_the_end(plugins)

    @cached_property
    def tokens(self) -> WebhookTokens:
        """Webhook tokens of this deployment."""
        from dispatcher.webhook_token import WebhookTokens  # noqa: PLC0415

        return WebhookTokens(self.adapters.secrets, self.settings.public_url, self.adapters.now_ms)

    @cached_property
    def catalog(self) -> Catalog:
        """Definitions, pinned."""
        from dispatcher.catalog import Catalog  # noqa: PLC0415

        return Catalog(self.registry, self.adapters.store, self.executors.keys())

    @cached_property
    def archive(self) -> Archive:
        """What runs have put away, and the process's cache of it."""
        from dispatcher.archive import Archive  # noqa: PLC0415

        return Archive(self.adapters.store, self.adapters.bucket)

    @cached_property
    def effects(self) -> HeadEffects:
        """Performs what heads call for."""
        from dispatcher.head_effects import HeadEffects  # noqa: PLC0415

        return HeadEffects(store=self.adapters.store, queue=self.adapters.queue, now_ms=self.adapters.now_ms)

    @cached_property
    def retention(self) -> Retention:
        """Removes finished runs."""
        from dispatcher.retention import Retention  # noqa: PLC0415

        return Retention(
            store=self.adapters.store,
            bucket=self.adapters.bucket,
            queue=self.adapters.queue,
            now_ms=self.adapters.now_ms,
            days=self.settings.retention_days,
        )

    @cached_property
    def gathering(self) -> Gathering:
        """Says what a delivery may act on."""
        from dispatcher.gathering import Gathering  # noqa: PLC0415

        return Gathering(
            store=self.adapters.store,
            queue=self.adapters.queue,
            archive=self.archive,
            effects=self.effects,
            retention=self.retention,
            now_ms=self.adapters.now_ms,
        )

    @cached_property
    def executors(self) -> Mapping[str, Callable[..., object]]:
        """What executes the node types that the engine only describes; nothing of it is loaded before a step runs."""
        if self.adapters.executors is not None:
            return self.adapters.executors
        return {"core:http": self._call_url}

    def _call_url(self, data: HttpData, step: Step) -> Output:
        return self.http_node.execute(data, step)

    @cached_property
    def http_node(self) -> HttpNode:
        """Calls URLs."""
        from dispatcher.http_node.connection import Outside  # noqa: PLC0415  (imports urllib3)
        from dispatcher.http_node.node import HttpNode  # noqa: PLC0415

        return HttpNode(outside=Outside(self.settings.http_allowed_networks), now_ms=self.adapters.now_ms)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """Executes steps."""
        from dispatcher.dispatch import Dispatcher  # noqa: PLC0415

        return Dispatcher(
            store=self.adapters.store,
            queue=self.adapters.queue,
            archive=self.archive,
            gathering=self.gathering,
            effects=self.effects,
            catalog=self.catalog,
            tokens=self.tokens,
            now_ms=self.adapters.now_ms,
            new_id=self.adapters.new_id,
            rng=self.adapters.new_rng(),
            steps_per_invocation=self.settings.steps_per_invocation,
            run_steps_max=self.settings.run_steps_max,
            executors=self.executors,
        )

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Looks after what the queue gave up."""
        from dispatcher.dead_letters import DeadLetters  # noqa: PLC0415

        return DeadLetters(gathering=self.gathering, queue=self.adapters.queue)

    @cached_property
    def front_door(self) -> FrontDoor:
        """Starts, shows and signals runs."""
        from dispatcher.front_door import FrontDoor  # noqa: PLC0415

        return FrontDoor(
            store=self.adapters.store,
            archive=self.archive,
            queue=self.adapters.queue,
            catalog=self.catalog,
            tokens=self.tokens,
            now_ms=self.adapters.now_ms,
            new_id=self.adapters.new_id,
        )

    @cached_property
    def operator_calls(self) -> OperatorCalls:
        """Holds, cancels, retries and forks runs."""
        from dispatcher.operator_calls import OperatorCalls  # noqa: PLC0415

        return OperatorCalls(
            store=self.adapters.store,
            archive=self.archive,
            effects=self.effects,
            catalog=self.catalog,
            retention=self.retention,
            now_ms=self.adapters.now_ms,
            new_id=self.adapters.new_id,
        )

    @cached_property
    def http_api(self) -> HttpApi:
        """Answers HTTP events."""
        from dispatcher.http.api import AnsweringRooms, HttpApi  # noqa: PLC0415

        rooms = AnsweringRooms(
            front_door=self.front_door,
            operator_calls=self.operator_calls,
            archive=self.archive,
            catalog=self.catalog,
            store=self.adapters.store,
            queue=self.adapters.queue,
            now_ms=self.adapters.now_ms,
            pause_ms=self.adapters.pause_ms,
        )
        return HttpApi(
            rooms,
            public_url=self.settings.public_url,
            cors_origins=self.settings.cors_origins,
            tenant_claim=self.settings.tenant_claim,
        )

    @cached_property
    def sweep(self) -> Sweep:
        """Looks after due marks."""
        from dispatcher.sweep import Sweep  # noqa: PLC0415

        return Sweep(
            store=self.adapters.store,
            queue=self.adapters.queue,
            effects=self.effects,
            retention=self.retention,
            now_ms=self.adapters.now_ms,
        )


def load_registry(path: str) -> Registry:
    """The user's registry, named like an ASGI app.

    Raises:
        InvalidSettings: the module or the attribute is not there, or is no Registry.
    """
    from engine.registry_path import registry_at  # noqa: PLC0415

    try:
        return registry_at(path)
    except ValueError as error:
        raise InvalidSettings(f"REFLUXO_REGISTRY is {path!r}; {error}") from None


def build(settings: Settings, clients: Clients) -> App:
    """The app over AWS, or over anything that speaks its protocols."""
    logging.getLogger("refluxo").setLevel(settings.log_level)
    return App(settings, aws_adapters(settings, clients))


@cache
def app() -> App:
    """The process's app, built on the first event from the process's environment."""
    return build(Settings.from_env(os.environ), AwsClients())


_KEPT: Final[Mapping[str, Sequence[str]]] = {
    "dispatcher.http_handler.handler": ("http_api",),
    "dispatcher.queue_handler.handler": ("catalog", "gathering"),
    "dispatcher.sweep_handler.handler": ("sweep",),
    "dispatcher.dead_letter_handler.handler": ("dead_letters",),
    "dispatcher.event_handler.handler": ("front_door",),
}
"""What of the app each entry point may have in a snapshot of Lambda's SnapStart: nothing that must differ between two
environments. The dispatcher, whose jitter is random, is left to the first event."""


def prepare(entry_point: str) -> None:
    """Builds what may be kept in a snapshot; without one, the first event builds what it needs and no more."""
    for part in ("plugins", *_KEPT.get(entry_point, ())):
        getattr(app(), part)


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    # The one thing read at import: what is to be in the snapshot must be there before the first event.
    prepare(os.environ.get("_HANDLER", ""))
