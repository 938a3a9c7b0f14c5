"""Which events start workflows: a rule of EventBridge for each pattern."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

DELIVERY_AGE_MAX: Final = Duration.hours(2)
"""How long EventBridge goes on giving Lambda an event it did not take; then it is parked, and an alarm tells of it."""


class EventRules(Construct):
    """Sends the events that match a pattern to ``function``, and to ``parked`` what could not be delivered.

    A rule is called after its pattern, so that a new route leaves the rules of the others alone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        patterns: Sequence[Mapping[str, object]],
        function: lambda_.IFunction,
        parked: sqs.IQueue,
        event_bus: events.IEventBus | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        target = targets.LambdaFunction(function, dead_letter_queue=parked, max_event_age=DELIVERY_AGE_MAX)
        # What CloudFormation fills in, such as the name of a bucket, stands in a pattern as a number, and that may be
        # another each time: resolved, it is the resource.
        by_name = {_name(Stack.of(self).resolve(pattern)): pattern for pattern in patterns}
        self.rules = [self._rule(name, by_name[name], target, event_bus) for name in sorted(by_name)]

    def _rule(
        self,
        name: str,
        pattern: Mapping[str, object],
        target: targets.LambdaFunction,
        event_bus: events.IEventBus | None,
    ) -> events.Rule:
        rule = events.Rule(
            self,
            name,
            description="Starts workflows by the events that match a route's pattern",
            event_bus=event_bus,
            event_pattern=events.EventPattern(source=["replaced"]),
            targets=[target],
        )
        # The L2's own form of a pattern knows neither every operator nor `$or`.
        cast("events.CfnRule", rule.node.default_child).event_pattern = pattern
        return rule


def _name(pattern: Mapping[str, object]) -> str:
    text = json.dumps(pattern, sort_keys=True, separators=(",", ":"))
    return f"Rule{hashlib.sha256(text.encode()).hexdigest()[:8]}"
