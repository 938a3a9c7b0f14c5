"""The bucket of the values that no item of the table can hold."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from constructs import Construct

from dispatcher.table_schema import bucket_prefix
from infra.acknowledgement import acknowledge
from infra.constructs.private_bucket import PrivateBucket


class PayloadBucket(Construct):
    """``bucket``, and ``objects_arn``, which is that of the objects of all runs.

    Without versions: an object is named by what is in it, so none is ever replaced, and one that is removed is to be
    gone. Objects go when their run goes, which is the dispatcher's business.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, is_production: bool, encryption_key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = PrivateBucket(self, "Bucket", is_production=is_production, encryption_key=encryption_key)
        self.objects_arn = self.bucket.arn_for_objects(f"{bucket_prefix('*')}*")
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "Only the functions' roles reach it, and an object's name is a hash that tells nothing; the history of a "
            "run says who did what. Data events of CloudTrail record each access where an audit asks for that.",
        )
