"""The bucket of the values that no item of the table can hold."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from dispatcher.table_schema import bucket_prefix


class PayloadBucket(Construct):
    """``bucket`` is private, encrypted and takes TLS alone; ``objects_arn`` is that of the objects of all runs.

    Without versions: an object is named by what is in it, so none is ever replaced, and one that is removed is to be
    gone. CloudFormation removes no bucket that holds objects: before a trial's stack can go, its bucket is emptied by
    hand, for the CDK's way of doing that is a helper function that may delete whatever it finds.
    """

    def __init__(self, scope: Construct, construct_id: str, *, is_production: bool) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=False,
            # Objects go when their run goes, which is the dispatcher's business: only what nobody can name is removed.
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
            removal_policy=RemovalPolicy.RETAIN if is_production else RemovalPolicy.DESTROY,
        )
        self.objects_arn = self.bucket.arn_for_objects(f"{bucket_prefix('*')}*")
