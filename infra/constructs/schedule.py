"""The clock that starts the sweep."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acknowledgement import acknowledge


class EveryMinute(Construct):
    """Invokes the function once a minute, EventBridge's finest rate. ``rule`` can be disabled to stop it."""

    def __init__(self, scope: Construct, construct_id: str, *, function: lambda_.IFunction) -> None:
        super().__init__(scope, construct_id)
        self.rule = events.Rule(
            self,
            "Rule",
            description="Repairs runs whose message was lost, and wakes those whose timer is far away",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            # The next minute's event does what a late one would.
            targets=[targets.LambdaFunction(function, retry_attempts=0, max_event_age=Duration.minutes(1))],
        )
        acknowledge(
            self.rule,
            "Serverless-EventBusDLQ",
            "A minute that is missed is made up for by the next, and an alarm tells of a sweep that has stopped.",
        )
