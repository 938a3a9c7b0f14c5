"""One stage of Refluxo as a stack: the installation, and the outputs a person needs next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.upload_bucket import UploadBucket
from infra.curl import signed_curl
from infra.dispatcher import RefluxoDispatcher
from infra.settings import StackSettings


class RefluxoStack(Stack):
    """One stage of Refluxo, for whatever account and region it is deployed to. ``refluxo`` is what it holds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StackSettings,
        asset_path: Path,
        event_patterns: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Refluxo ({settings.stage}): durable workflows, one Lambda step at a time",
            termination_protection=settings.is_production,
        )
        uploads = (
            UploadBucket(self, "Uploads", is_production=settings.is_production).bucket
            if settings.upload_bucket
            else None
        )
        self.refluxo = RefluxoDispatcher(
            self,
            "Default",
            code=lambda_.Code.from_asset(str(asset_path)),
            settings=settings,
            event_patterns=event_patterns,
            upload_buckets=[uploads] if uploads else [],
        )
        outputs = {
            "ApiUrl": self.refluxo.url,
            "TableName": self.refluxo.table.table_name,
            "QueueUrl": self.refluxo.queue.queue_url,
            "ParkedQueueUrl": self.refluxo.parked.queue_url,
            "PayloadBucketName": self.refluxo.bucket.bucket_name,
            "ExampleCurl": signed_curl(self.refluxo.url, self.region, settings.api_authorizer),
            "EventSourceMappingId": self.refluxo.event_source_mapping_id,
            "StopCommand": stop_command(self.refluxo.event_source_mapping_id, self.region),
        }
        if self.refluxo.dashboard is not None:
            outputs["DashboardUrl"] = self.refluxo.dashboard.url
        if uploads is not None:
            outputs["UploadBucketName"] = uploads.bucket_name
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def stop_command(event_source_mapping_id: str, region: str) -> str:
    """The kill switch: no step is executed any more, and messages wait on the queue for four days at most."""
    return f"aws lambda update-event-source-mapping --no-enabled --region {region} --uuid {event_source_mapping_id}"
