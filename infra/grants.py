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
    QUEUE = "queue"
    PARKED_QUEUE = "parked queue"
    WEBHOOK_SECRET = "webhook secret"  # noqa: S105 (the name of a resource)


Grants = Mapping[Resource, tuple[str, ...]]

FRONT_DOOR: Final[Grants] = {
    # Query: a run's inbox. A start and a signal write with conditions; a signal's writes are one transaction.
    Resource.TABLE: (
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ),
    # Health counts the overdue runs.
    Resource.DUE_INDEX: ("dynamodb:Query",),
    # Health reads the queue's depth.
    Resource.QUEUE: ("sqs:GetQueueAttributes", "sqs:SendMessage"),
    Resource.WEBHOOK_SECRET: ("secretsmanager:GetSecretValue",),
}

DISPATCHER: Final[Grants] = {
    # Query: the inbox. Delete: an inbox item, once the commit that took its signal is written. Put: a definition.
    Resource.TABLE: (
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ),
    Resource.QUEUE: ("sqs:SendMessage",),
    Resource.PARKED_QUEUE: ("sqs:SendMessage",),
    # A step may ask for the callback URL of its wait.
    Resource.WEBHOOK_SECRET: ("secretsmanager:GetSecretValue",),
}

SWEEP: Final[Grants] = {
    Resource.TABLE: ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
    Resource.DUE_INDEX: ("dynamodb:Query",),
    Resource.QUEUE: ("sqs:SendMessage",),
}


def grant(function: lambda_.Function, grants: Grants, arns: Mapping[Resource, str]) -> None:
    """Allow the function's role exactly these actions, each on the one resource it is for."""
    for resource, actions in grants.items():
        function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=[arns[resource]]))
