"""The installation: composes the constructs and grants each function what it needs. Nothing else."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from infra.constructs.api import HttpFront
from infra.constructs.function import Package, PackageFunction
from infra.constructs.payload_bucket import PayloadBucket
from infra.constructs.queues import RunQueues
from infra.constructs.schedule import EveryMinute
from infra.constructs.secret import WebhookSecret
from infra.constructs.table import RunsTable
from infra.curl import signed_curl
from infra.environment import function_environment
from infra.grants import DEAD_LETTERS, DISPATCHER, FRONT_DOOR, SWEEP, Resource, grant
from infra.settings import StackSettings


class RefluxoStack(Stack):
    """One stage of Refluxo, for whatever account and region it is deployed to."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: StackSettings, asset_path: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Refluxo ({settings.stage}): durable workflows, one Lambda step at a time",
            termination_protection=settings.is_production,
        )
        timeout = Duration.seconds(settings.dispatcher_timeout_seconds)
        dead_letter_timeout = Duration.seconds(30)  # three times as long as it goes on removing an expired run
        table = RunsTable(self, "Runs", is_production=settings.is_production)
        queues = RunQueues(self, "Queues", consumer_timeout=timeout, dead_letter_timeout=dead_letter_timeout)
        payloads = PayloadBucket(self, "Payloads", is_production=settings.is_production)
        secret = WebhookSecret(self, "WebhookSecret", is_production=settings.is_production).secret
        api = HttpFront(self, "Http", settings=settings)
        package = Package(
            code=lambda_.Code.from_asset(str(asset_path)),
            environment=function_environment(
                settings,
                table_name=table.table.table_name,
                queue_url=queues.queue.queue_url,
                parked_queue_url=queues.parked.queue_url,
                payload_bucket=payloads.bucket.bucket_name,
                public_url=api.url,
                webhook_secret_id=secret.secret_arn,
            ),
            settings=settings,
        )

        front_door = PackageFunction(
            self,
            "FrontDoor",
            package=package,
            handler="dispatcher.http_handler.handler",
            description="Answers HTTP: starts and shows runs, takes signals and operators' calls",
            timeout=Duration.seconds(29),  # API Gateway gives up after 30
        ).function
        dispatcher = PackageFunction(
            self,
            "Dispatcher",
            package=package,
            handler="dispatcher.queue_handler.handler",
            description="Loads a run, executes a step, commits it, sends what follows",
            timeout=timeout,
            enqueues_itself=True,
        ).function
        sweep = PackageFunction(
            self,
            "Sweep",
            package=package,
            handler="dispatcher.sweep_handler.handler",
            description="Finds runs that are due and have no message",
            timeout=Duration.seconds(50),  # over before the next minute's
        ).function
        # Apart from the dispatcher, and stopped by Lambda when it feeds a loop: a message that it sends over and over
        # is parked in the end, and the sweep looks after its run.
        dead_letters = PackageFunction(
            self,
            "DeadLetters",
            package=package,
            handler="dispatcher.dead_letter_handler.handler",
            description="Sends again what the queue gave up, and parks what nobody can act on",
            timeout=dead_letter_timeout,
        ).function

        api.send_to(front_door)
        EveryMinute(self, "SweepSchedule", function=sweep)
        dispatcher.add_event_source(
            SqsEventSource(
                queues.queue,
                batch_size=settings.batch_size,
                report_batch_item_failures=True,
                max_concurrency=settings.max_concurrency,
            )
        )
        dead_letters.add_event_source(
            SqsEventSource(
                queues.dead_letters,
                batch_size=1,  # decision 5: a batch costs its last records their deliveries
                report_batch_item_failures=True,
                max_concurrency=2,  # Lambda's least: after an outage the runs come back a few at a time
            )
        )

        arns = {
            Resource.TABLE: table.table.table_arn,
            Resource.DUE_INDEX: table.due_index_arn,
            Resource.STATUS_INDEX: table.status_index_arn,
            Resource.WORKFLOW_INDEX: table.workflow_index_arn,
            Resource.QUEUE: queues.queue.queue_arn,
            Resource.PARKED_QUEUE: queues.parked.queue_arn,
            Resource.BUCKET: payloads.bucket.bucket_arn,
            Resource.RUN_OBJECTS: payloads.objects_arn,
            Resource.WEBHOOK_SECRET: secret.secret_arn,
            Resource.METRICS: "*",
        }
        grant(front_door, FRONT_DOOR, arns)
        grant(dispatcher, DISPATCHER, arns)
        grant(sweep, SWEEP, arns)
        grant(dead_letters, DEAD_LETTERS, arns)

        CfnOutput(self, "ApiUrl", value=api.url)
        CfnOutput(self, "TableName", value=table.table.table_name)
        CfnOutput(self, "QueueUrl", value=queues.queue.queue_url)
        CfnOutput(self, "ParkedQueueUrl", value=queues.parked.queue_url)
        CfnOutput(self, "PayloadBucketName", value=payloads.bucket.bucket_name)
        CfnOutput(self, "ExampleCurl", value=signed_curl(api.url, self.region, settings.api_authorizer))
