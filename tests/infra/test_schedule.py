"""The schedule's and the secret's constructs, on bare stacks."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk.assertions import Template

from infra.constructs.function import Package, PackageFunction
from infra.constructs.schedule import EveryMinute
from infra.constructs.secret import WebhookSecret


def test_the_function_is_invoked_once_a_minute(package: Package) -> None:
    """And a missed minute is not made up for: the next one does the same."""
    stack = Stack()
    function = PackageFunction(
        stack,
        "Sweep",
        package=package,
        handler="room.module.handler",
        description="sweeps",
        timeout=Duration.seconds(50),
    ).function
    EveryMinute(stack, "Schedule", function=function)
    (rule,) = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    (target,) = rule["Properties"]["Targets"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}


def test_the_webhook_secret_is_generated_and_long() -> None:
    """No value of it is in the template, and it is kept in production."""
    stack = Stack()
    WebhookSecret(stack, "WebhookSecret", is_production=True)
    Template.from_stack(stack).has_resource(
        "AWS::SecretsManager::Secret",
        {
            "Properties": {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True}},
            "DeletionPolicy": "Retain",
        },
    )
