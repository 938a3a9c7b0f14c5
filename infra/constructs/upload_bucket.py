"""A bucket whose uploads start workflows, by EventBridge."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledgement import acknowledge
from infra.constructs.private_bucket import PrivateBucket


class UploadBucket(Construct):
    """``bucket``: each upload to it is an event of the account's default bus. What is in it is the user's."""

    def __init__(
        self, scope: Construct, construct_id: str, *, is_production: bool, encryption_key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = PrivateBucket(self, "Bucket", is_production=is_production, encryption_key=encryption_key)
        send_upload_events(self.bucket)
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "Each upload is an event, and the run it starts knows bucket, key and time; who needs more has the data "
            "events of CloudTrail.",
        )


class NoUploadEvents(ValueError):
    """A bucket that is made elsewhere cannot be told to send events; the message says what to do."""


def send_upload_events(bucket: s3.IBucket) -> None:
    """Have the bucket send its events to EventBridge.

    By the bucket's own property: the method the CDK has for it slips a function into the template that may change the
    notifications of every bucket.

    Raises:
        NoUploadEvents: the bucket is not made in this app.
    """
    resource = bucket.node.default_child
    if not isinstance(resource, s3.CfnBucket):
        raise NoUploadEvents(
            f"the bucket {bucket.node.path} is made elsewhere: switch on its EventBridge notifications there, and "
            "leave it out here; the rules match its events all the same"
        )
    resource.add_property_override("NotificationConfiguration.EventBridgeConfiguration", {"EventBridgeEnabled": True})
