"""The whole installation as one construct: composes the others and grants each function what it needs.

For a stack of one's own: what is a resource, such as a table, a VPC or a key, is an argument; every other choice is a
setting. Nothing here is bound to an account or region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from dispatcher import table_schema
from infra.constructs.alarm_topic import AlarmTopic
from infra.constructs.alarms import Alarms
from infra.constructs.api import HttpFront
from infra.constructs.dashboard import RunsDashboard
from infra.constructs.event_rules import EventRules
from infra.constructs.event_source import feed, send_failures
from infra.constructs.function import Package, PackageFunction
from infra.constructs.key import let_services_use
from infra.constructs.network import Network
from infra.constructs.payload_bucket import PayloadBucket
from infra.constructs.queues import RunQueues
from infra.constructs.schedule import EveryMinute
from infra.constructs.secret import WebhookSecret
from infra.constructs.table import RunsTable, index_arn
from infra.constructs.table_shape import check_shape
from infra.constructs.upload_bucket import send_upload_events
from infra.environment import function_environment
from infra.grants import (
    DEAD_LETTERS,
    DISPATCHER,
    EVENTS,
    FRONT_DOOR,
    SWEEP,
    WITH_A_KEY,
    WITH_UPLOADS,
    Grants,
    Resource,
)
from infra.metrics import InstallationMetrics
from infra.settings import StackSettings

FRONT_DOOR_TIMEOUT: Final = Duration.seconds(29)
"""API Gateway gives up after 30, and `?wait=` may ask for 25 (dispatcher.limits)."""

SWEEP_TIMEOUT: Final = Duration.seconds(50)
"""Over before the next minute's, and longer than the 35 seconds it goes on for (dispatcher.limits)."""

DEAD_LETTER_BATCH_SIZE: Final = 1
"""A batch costs its last records their deliveries (decision 5)."""

DEAD_LETTER_CONCURRENCY: Final = 2
"""Lambda's least: after an outage the runs come back a few at a time."""

EVENT_RETRIES: Final = 2
EVENT_AGE_SECONDS_MAX: Final = 6 * 3600
"""Lambda's most of both: an event is tried again for as long as that can help, then parked."""


class RefluxoDispatcher(Construct):
    """An installation of Refluxo.

    Attributes:
        table: of runs, signals and definitions.
        queue: of steps; `dead_letters` is behind it, and `parked` behind that, for what only a person can judge.
        bucket: of values that no item of the table can hold.
        secret: signs webhook tokens.
        functions: by name: ``front_door``, ``dispatcher``, ``sweep``, ``dead_letters``, and ``events`` where there are
            event patterns. Nodes run in ``dispatcher``: what they call is granted to it.
        url: the API's, as callers see it.
        metrics: what can be measured, for dashboards and alarms of one's own.
        alarms: None where the settings have none.
        dashboard: likewise.
        event_source_mapping_id: the UUID of the poller that feeds the dispatcher: the kill switch.
    """

    def __init__(  # noqa: PLR0913  (each is a resource somebody may bring along, and all have a default)
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.Code,
        settings: StackSettings | None = None,
        table: dynamodb.ITable | None = None,
        network: Network | None = None,
        encryption_key: kms.IKey | None = None,
        event_patterns: Sequence[Mapping[str, object]] = (),
        event_bus: events.IEventBus | None = None,
        upload_buckets: Sequence[s3.IBucket] = (),
        environment: Mapping[str, str] | None = None,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        """Makes it.

        Args:
            scope: a stack, or something in one.
            construct_id: its name there. ``Default`` leaves no trace in the names of resources.
            code: the functions' package, as `infra.package.refresh_package` builds it.
            settings: every choice that is no resource.
            table: one's own table instead of one made here, with the keys, indexes and TTL attribute that
                `infra.constructs.table.RunsTable` has; checked at synthesis if it is made in the same app.
            network: a VPC to put the functions in.
            encryption_key: a key for table, queues, buckets, secret, logs, alarms and the functions' environment.
            event_patterns: patterns of EventBridge, of events that start workflows: those of the registry's routes.
            event_bus: the bus of those events; by default the account's own.
            upload_buckets: buckets of this app whose uploads are to be events, for nodes to read.
            environment: variables for nodes, beside the installation's own.
            alarm_topic: where alarms are told, instead of a topic made for the setting ``alarm_email``.

        Raises:
            ReservedVariable: ``environment`` has a variable that is the installation's.
            NoUploadEvents: a bucket among ``upload_buckets`` is made elsewhere.
        """
        super().__init__(scope, construct_id)
        self._settings = settings = settings or StackSettings()
        self._key = encryption_key
        if encryption_key is not None:
            let_services_use(encryption_key, Stack.of(self))
        self._hold_state(table)
        self._http = HttpFront(self, "Http", settings=settings, encryption_key=encryption_key)
        self.url = self._http.url
        self._package = Package(
            code=code,
            environment=self._environment(environment or {}),
            settings=settings,
            network=network.resolved(self) if network else None,
            encryption_key=encryption_key,
        )
        self.functions: dict[str, lambda_.Function] = {}
        self._answer_http()
        self._execute_steps(upload_buckets)
        self._sweep()
        self._look_after_dead_letters()
        if event_patterns:
            self._start_by_events(event_patterns, event_bus)
        self._watch(alarm_topic)

    def _hold_state(self, table: dynamodb.ITable | None) -> None:
        settings = self._settings
        if table is not None:
            check_shape(table)
        self.table = (
            table
            or RunsTable(
                self,
                "Runs",
                is_production=settings.is_production,
                point_in_time_recovery=settings.point_in_time_recovery,
                encryption_key=self._key,
            ).table
        )
        queues = RunQueues(
            self,
            "Queues",
            consumer_timeout=Duration.seconds(settings.dispatcher_timeout_seconds),
            dead_letter_timeout=Duration.seconds(settings.dead_letters_timeout_seconds),
            encryption_key=self._key,
        )
        self.queue, self.dead_letters, self.parked = queues.queue, queues.dead_letters, queues.parked
        self._payloads = PayloadBucket(self, "Payloads", is_production=settings.is_production, encryption_key=self._key)
        self.bucket = self._payloads.bucket
        self.secret = WebhookSecret(
            self, "WebhookSecret", is_production=settings.is_production, encryption_key=self._key
        ).secret

    def _environment(self, added: Mapping[str, str]) -> dict[str, str]:
        return function_environment(
            self._settings,
            table_name=self.table.table_name,
            queue_url=self.queue.queue_url,
            parked_queue_url=self.parked.queue_url,
            payload_bucket=self.bucket.bucket_name,
            public_url=self.url,
            webhook_secret_id=self.secret.secret_arn,
            added=added,
        )

    def _answer_http(self) -> None:
        front_door = PackageFunction(
            self,
            "FrontDoor",
            package=self._package,
            handler="dispatcher.http_handler.handler",
            description="Answers HTTP: starts and shows runs, takes signals and operators' calls",
            timeout=FRONT_DOOR_TIMEOUT,
            memory_mb=self._settings.front_door_memory_mb,
        )
        self._allow("front_door", front_door, FRONT_DOOR)
        self._http.send_to(front_door.invoked)

    def _execute_steps(self, upload_buckets: Sequence[s3.IBucket]) -> None:
        settings = self._settings
        dispatcher = PackageFunction(
            self,
            "Dispatcher",
            package=self._package,
            handler="dispatcher.queue_handler.handler",
            description="Loads a run, executes a step, commits it, sends what follows",
            timeout=Duration.seconds(settings.dispatcher_timeout_seconds),
            memory_mb=settings.dispatcher_memory_mb,
            enqueues_itself=True,
        )
        self._allow("dispatcher", dispatcher, DISPATCHER)
        self.event_source_mapping_id = feed(
            dispatcher, self.queue, batch_size=settings.batch_size, max_concurrency=settings.max_concurrency
        )
        for bucket in upload_buckets:
            send_upload_events(bucket)
            dispatcher.allow(WITH_UPLOADS, {Resource.UPLOADS: bucket.arn_for_objects("*")})

    def _sweep(self) -> None:
        sweep = PackageFunction(
            self,
            "Sweep",
            package=self._package,
            handler="dispatcher.sweep_handler.handler",
            description="Finds runs that are due and have no message",
            timeout=SWEEP_TIMEOUT,
            memory_mb=self._settings.sweep_memory_mb,
        )
        self._allow("sweep", sweep, SWEEP)
        EveryMinute(self, "SweepSchedule", function=sweep.invoked)

    def _look_after_dead_letters(self) -> None:
        # Apart from the dispatcher, and stopped by Lambda when it feeds a loop: a message that it sends over and over
        # is parked in the end, and the sweep looks after its run.
        dead_letters = PackageFunction(
            self,
            "DeadLetters",
            package=self._package,
            handler="dispatcher.dead_letter_handler.handler",
            description="Sends again what the queue gave up, and parks what nobody can act on",
            timeout=Duration.seconds(self._settings.dead_letters_timeout_seconds),
            memory_mb=self._settings.dead_letters_memory_mb,
        )
        self._allow("dead_letters", dead_letters, DEAD_LETTERS)
        feed(
            dead_letters,
            self.dead_letters,
            batch_size=DEAD_LETTER_BATCH_SIZE,
            max_concurrency=DEAD_LETTER_CONCURRENCY,
        )

    def _start_by_events(self, patterns: Sequence[Mapping[str, object]], event_bus: events.IEventBus | None) -> None:
        starter = PackageFunction(
            self,
            "Events",
            package=self._package,
            handler="dispatcher.event_handler.handler",
            description="Starts workflows by the events that routes match",
            timeout=Duration.seconds(self._settings.events_timeout_seconds),
            memory_mb=self._settings.events_memory_mb,
        )
        self._allow("events", starter, EVENTS)
        send_failures(starter, self.parked, retries=EVENT_RETRIES, age_seconds_max=EVENT_AGE_SECONDS_MAX)
        EventRules(
            self,
            "EventRules",
            patterns=patterns,
            function=starter.invoked,
            parked=self.parked,
            event_bus=event_bus,
        )

    def _allow(self, name: str, function: PackageFunction, grants: Grants) -> None:
        self.functions[name] = function.function
        function.allow(
            grants,
            {
                Resource.TABLE: self.table.table_arn,
                Resource.DUE_INDEX: index_arn(self.table, table_schema.DUE_INDEX),
                Resource.STATUS_INDEX: index_arn(self.table, table_schema.STATUS_INDEX),
                Resource.WORKFLOW_INDEX: index_arn(self.table, table_schema.WORKFLOW_INDEX),
                Resource.QUEUE: self.queue.queue_arn,
                Resource.PARKED_QUEUE: self.parked.queue_arn,
                Resource.BUCKET: self.bucket.bucket_arn,
                Resource.RUN_OBJECTS: self._payloads.objects_arn,
                Resource.WEBHOOK_SECRET: self.secret.secret_arn,
                Resource.METRICS: "*",
            },
        )
        if self._key is not None:
            function.allow(WITH_A_KEY, {Resource.KEY: self._key.key_arn})

    def _watch(self, topic: sns.ITopic | None) -> None:
        settings = self._settings
        self.metrics = InstallationMetrics(
            service=settings.service_name,
            functions=self.functions,
            dispatcher_memory_mb=settings.dispatcher_memory_mb,
            queue=self.queue,
            parked=self.parked,
            table=self.table,
            api=self._http.api,
        )
        if topic is None and settings.alarms and settings.alarm_email:
            topic = AlarmTopic(self, "AlarmTopic", email=settings.alarm_email, encryption_key=self._key).topic
        self.alarms = (
            Alarms(self, "Alarms", settings=settings, metrics=self.metrics, topic=topic) if settings.alarms else None
        )
        self.dashboard = (
            RunsDashboard(self, "Watch", settings=settings, metrics=self.metrics, alarms=self.alarms)
            if settings.dashboard
            else None
        )
