"""The payload bucket's construct, on a bare stack."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Match, Template

from dispatcher.table_schema import bucket_key, value_sort_key
from infra.constructs.payload_bucket import PayloadBucket


def bucket_template(*, is_production: bool = False) -> Template:
    """A stack of nothing but the bucket."""
    stack = Stack()
    PayloadBucket(stack, "Payloads", is_production=is_production)
    return Template.from_stack(stack)


def test_it_is_private_encrypted_and_forgets_unfinished_uploads() -> None:
    """No public access, no access lists, no versions; the name is CloudFormation's to choose."""
    bucket_template().has_resource_properties(
        "AWS::S3::Bucket",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "LifecycleConfiguration": {
                "Rules": [{"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Status": "Enabled"}]
            },
            "VersioningConfiguration": Match.absent(),
            "BucketName": Match.absent(),
        },
    )


def test_no_object_expires_by_itself() -> None:
    """A run may refer to one for as long as it is kept."""
    (bucket,) = bucket_template().find_resources("AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert not [name for name in rule if "Expiration" in name or "Transition" in name]


def test_it_takes_tls_alone() -> None:
    """A policy that denies everything else, to everybody, and allows nothing."""
    (policy,) = bucket_template().find_resources("AWS::S3::BucketPolicy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", {"AWS": "*"})
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(("is_production", "policy"), [(True, "Retain"), (False, "Delete")])
def test_production_objects_outlive_the_stack(*, is_production: bool, policy: str) -> None:
    """Elsewhere the bucket goes, and no helper function empties it."""
    template = bucket_template(is_production=is_production)
    template.has_resource("AWS::S3::Bucket", {"DeletionPolicy": policy, "UpdateReplacePolicy": policy})
    template.resource_count_is("AWS::Lambda::Function", 0)


def test_the_objects_arn_covers_what_the_archive_puts() -> None:
    """The keys of every run's objects, and nothing beside them."""
    stack = Stack()
    arn: Any = stack.resolve(PayloadBucket(stack, "Payloads", is_production=False).objects_arn)
    pattern = arn["Fn::Join"][1][-1]
    assert fnmatchcase(f"/{bucket_key('run-1', value_sort_key('0' * 64))}", pattern)
    assert not fnmatchcase("/other/key", pattern)
