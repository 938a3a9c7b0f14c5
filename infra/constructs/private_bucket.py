"""A bucket that only roles reach: no public access, no access lists, encrypted, over TLS alone."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct


class PrivateBucket(s3.Bucket):
    """A bucket whose name is CloudFormation's to choose, kept beyond the stack in production.

    CloudFormation removes no bucket that holds objects: before a trial's stack can go, its buckets are emptied by hand,
    for the CDK's way of doing that is a helper function that may delete whatever it finds.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, is_production: bool, encryption_key: kms.IKey | None = None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.KMS if encryption_key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=encryption_key,
            # One call to KMS for many objects.
            bucket_key_enabled=True if encryption_key else None,
            enforce_ssl=True,
            versioned=False,
            # No object expires by itself: only what nobody can name is removed.
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
            removal_policy=RemovalPolicy.RETAIN if is_production else RemovalPolicy.DESTROY,
        )
