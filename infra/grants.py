"""Who may do what: the AWS actions of each function, resource by resource, in one table to read and tune.

Only what the functions' own code calls. What the platform does in their name (the queue poller, logs,
tracing) is granted where it is switched on. A transaction needs the actions of its items, no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_


class Resource(Enum):
    """What a grant can be about."""

    TABLE = "table"
    DUE_INDEX = "due index"
    STATUS_INDEX = "status index"
    WORKFLOW_INDEX = "workflow index"
    QUEUE = "queue"
    PARKED_QUEUE = "parked queue"
    BUCKET = "payload bucket"
    RUN_OBJECTS = "objects of runs in the payload bucket"
    WEBHOOK_SECRET = "webhook secret"  # noqa: S105 (the name of a resource)

    UPLOADS = "objects of the upload bucket"

    KEY = "encryption key"

    METRICS = "metrics"
    """CloudWatch's statistics, which know no resources: the one grant on everything (Service Authorization
    Reference)."""


Grants = Mapping[Resource, tuple[str, ...]]

FRONT_DOOR: Final[Grants] = {
    # Query: a run's inbox, its operators' calls, what belongs to a run that is to be removed, and the definitions.
    # Delete: that, and inbox items once their signal is taken. Put: a start, a definition, a sealed object, a signal,
    # a call. Update: a head, by an operator's transition, a hold or a mark. ConditionCheck: a fork's pin. Each
    # transaction is made of these.
    Resource.TABLE: (
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ),
    # Health counts the overdue runs.
    Resource.DUE_INDEX: ("dynamodb:Query",),
    # The list of runs.
    Resource.STATUS_INDEX: ("dynamodb:Query",),
    Resource.WORKFLOW_INDEX: ("dynamodb:Query",),
    # Removing a run lists its objects. Without this right S3 says of a missing object that it is forbidden.
    Resource.BUCKET: ("s3:ListBucket",),
    # Large inputs and payloads are put; history, output and a fork's past are read; a removed run's objects go.
    Resource.RUN_OBJECTS: ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
    # Health reads the queue's depth.
    Resource.QUEUE: ("sqs:GetQueueAttributes", "sqs:SendMessage"),
    Resource.WEBHOOK_SECRET: ("secretsmanager:GetSecretValue",),
}

DISPATCHER: Final[Grants] = {
    # Query: the inbox, and what an expired run is made of. Delete: that, and an inbox item once the commit that took
    # its signal is written. Put: a sealed object.
    Resource.TABLE: (
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ),
    Resource.BUCKET: ("s3:ListBucket",),
    Resource.RUN_OBJECTS: ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
    Resource.QUEUE: ("sqs:SendMessage",),
    Resource.PARKED_QUEUE: ("sqs:SendMessage",),
    # A step may ask for the callback URL of its wait.
    Resource.WEBHOOK_SECRET: ("secretsmanager:GetSecretValue",),
}

SWEEP: Final[Grants] = {
    # Query: the inbox, the forks of a run, and whether it is more than its head. Delete: inbox items whose signal was
    # taken by the commit that ended the run. Update: marks and expiry. What it finds expired the dispatcher removes.
    Resource.TABLE: (
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ),
    Resource.DUE_INDEX: ("dynamodb:Query",),
    Resource.QUEUE: ("sqs:SendMessage",),
    # The age of the queue's oldest message.
    Resource.METRICS: ("cloudwatch:GetMetricStatistics",),
}

DEAD_LETTERS: Final[Grants] = {
    # What the dispatcher does before it executes: it commits nothing and reads nothing that was put away. Update: that
    # the removal of a run has begun.
    Resource.TABLE: ("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
    Resource.BUCKET: ("s3:ListBucket",),
    Resource.RUN_OBJECTS: ("s3:DeleteObject",),
    Resource.QUEUE: ("sqs:SendMessage",),
    Resource.PARKED_QUEUE: ("sqs:SendMessage",),
}

EVENTS: Final[Grants] = {
    # A start; of a repeated one the answer says which run is there.
    Resource.TABLE: ("dynamodb:PutItem",),
    # A large event.
    Resource.RUN_OBJECTS: ("s3:PutObject",),
    Resource.QUEUE: ("sqs:SendMessage",),
    # An event that can never start a run; and what Lambda has tried in vain.
    Resource.PARKED_QUEUE: ("sqs:SendMessage",),
}

WITH_A_KEY: Final[Grants] = {
    # What DynamoDB, S3, SQS, Secrets Manager and Lambda ask of the caller where data is under a key of the user's own:
    # reading decrypts, writing encrypts and has data keys made.
    Resource.KEY: ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
}

WITH_UPLOADS: Final[Grants] = {
    # The user's nodes read what was uploaded.
    Resource.UPLOADS: ("s3:GetObject",),
}


def grant(function: lambda_.Function, grants: Grants, arns: Mapping[Resource, str]) -> None:
    """Allow the function's role exactly these actions, each on the one resource it is for."""
    for resource, actions in grants.items():
        function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=[arns[resource]]))
