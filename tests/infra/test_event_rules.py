"""Events that start workflows: rules, their target and what becomes of an event that cannot be handled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

from infra.constructs.event_rules import EventRules
from infra.constructs.upload_bucket import NoUploadEvents, UploadBucket, send_upload_events
from tests.infra.conftest import PATTERN
from tests.infra.installation import only, properties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OTHER = {"source": ["shop"]}


def rules_template(
    patterns: Sequence[Mapping[str, object]], *, on_a_bus_of_their_own: bool = False, stack: Stack | None = None
) -> Template:
    """A stack of nothing but rules, a function and a queue, and what else is in it already."""
    stack = stack or Stack()
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="module.handler",
        code=lambda_.Code.from_inline("def handler(*_): ..."),
    )
    EventRules(
        stack,
        "Rules",
        patterns=patterns,
        function=function,
        parked=sqs.Queue(stack, "Parked"),
        event_bus=events.EventBus(stack, "Bus") if on_a_bus_of_their_own else None,
    )
    return Template.from_stack(stack)


def patterns(template: Template) -> dict[str, Any]:
    """Logical id to pattern, of each rule."""
    return {name: rule["EventPattern"] for name, rule in properties(template, "AWS::Events::Rule").items()}


def test_a_pattern_arrives_as_the_route_has_it() -> None:
    """Every operator of EventBridge, though the CDK's own patterns know few."""
    assert list(patterns(rules_template([PATTERN])).values()) == [PATTERN]


def test_a_new_route_leaves_the_rules_of_others_alone() -> None:
    """A rule is called after its pattern; two routes of one pattern share it, for an event is to come once."""
    one, two = (patterns(rules_template(given)) for given in ([OTHER], [PATTERN, OTHER, dict(OTHER)]))
    assert one.items() < two.items()
    assert len(two) == 2


def test_a_rule_about_a_resource_is_called_after_the_resource() -> None:
    """Not after the number that stands for its name in the program, which may be another each time."""
    found = []
    for resources_before in range(2):
        stack = Stack()
        buckets = [s3.Bucket(stack, f"Before{number}").bucket_name for number in range(resources_before)]
        buckets.append(s3.Bucket(stack, "Inbox").bucket_name)
        found.append(patterns(rules_template([{"detail": {"bucket": {"name": buckets[-1:]}}}], stack=stack)))
    assert found[0] == found[1]


def test_an_event_that_cannot_be_delivered_is_parked() -> None:
    """EventBridge may send to the queue for these rules alone, and invoke the function for them alone."""
    template = rules_template([PATTERN])
    rule, queue = only(template, "AWS::Events::Rule"), only(template, "AWS::SQS::Queue")
    (target,) = properties(template, "AWS::Events::Rule")[rule]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200}
    source = {"Fn::GetAtt": [rule, "Arn"]}
    template.has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Allow",
                                "Action": "sqs:SendMessage",
                                "Principal": {"Service": "events.amazonaws.com"},
                                "Condition": {"ArnEquals": {"aws:SourceArn": source}},
                            }
                        )
                    ]
                )
            }
        },
    )
    template.has_resource_properties(
        "AWS::Lambda::Permission", {"Principal": "events.amazonaws.com", "SourceArn": source}
    )


def test_rules_may_be_on_another_bus() -> None:
    """One of the user's own, for events of the user's own."""
    template = rules_template([OTHER], on_a_bus_of_their_own=True)
    template.has_resource_properties(
        "AWS::Events::Rule", {"EventBusName": {"Ref": only(template, "AWS::Events::EventBus")}}
    )


@pytest.mark.parametrize(("stack", "qualifier"), [("template", "$LATEST"), ("full", "live")])
def test_what_lambda_tries_in_vain_is_parked(stack: str, qualifier: str, request: pytest.FixtureRequest) -> None:
    """After two more tries; the version that events come to is the one it is said of."""
    template: Template = request.getfixturevalue(stack)
    (asynchronous,) = properties(template, "AWS::Lambda::EventInvokeConfig").values()
    (parked,) = (
        name for name, queue in properties(template, "AWS::SQS::Queue").items() if "RedrivePolicy" not in queue
    )
    function = properties(template, "AWS::Lambda::Function")[asynchronous["FunctionName"]["Ref"]]
    assert function["Handler"] == "dispatcher.event_handler.handler"
    assert (asynchronous["Qualifier"], asynchronous["MaximumRetryAttempts"]) == (qualifier, 2)
    assert asynchronous["MaximumEventAgeInSeconds"] == 21_600
    assert asynchronous["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [parked, "Arn"]}}}


def test_what_is_said_of_an_alias_is_said_when_it_is_there(full: Template) -> None:
    """Its name is no reference, so CloudFormation has to be told to wait."""
    (asynchronous,) = full.find_resources("AWS::Lambda::EventInvokeConfig").values()
    (alias,) = (
        name
        for name, alias in properties(full, "AWS::Lambda::Alias").items()
        if alias["FunctionName"] == {"Ref": asynchronous["Properties"]["FunctionName"]["Ref"]}
    )
    assert alias in asynchronous["DependsOn"]


def test_uploads_are_events_without_a_helper() -> None:
    """By the bucket's own property, encrypted, private and over TLS alone as the other bucket is."""
    stack = Stack()
    UploadBucket(stack, "Uploads", is_production=True)
    template = Template.from_stack(stack)
    template.has_resource(
        "AWS::S3::Bucket",
        {
            "Properties": {
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                "PublicAccessBlockConfiguration": Match.object_like({"RestrictPublicBuckets": True}),
                "BucketEncryption": Match.any_value(),
            },
            "DeletionPolicy": "Retain",
        },
    )
    template.resource_count_is("AWS::S3::BucketPolicy", 1)
    template.resource_count_is("AWS::Lambda::Function", 0)


def test_a_bucket_made_elsewhere_cannot_be_switched() -> None:
    """It is said where, and that the rules will do."""
    bucket = s3.Bucket.from_bucket_name(Stack(), "Theirs", "their-bucket")
    with pytest.raises(NoUploadEvents, match="switch on its EventBridge notifications there"):
        send_upload_events(bucket)


def test_nodes_may_read_what_was_uploaded(full: Template) -> None:
    """The dispatcher, in which nodes run, and no other function."""
    (bucket,) = (
        name for name, bucket in properties(full, "AWS::S3::Bucket").items() if "NotificationConfiguration" in bucket
    )
    readers = [
        policy["Roles"]
        for policy in properties(full, "AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/*"]]}
    ]
    (dispatcher,) = (
        function["Role"]["Fn::GetAtt"][0]
        for function in properties(full, "AWS::Lambda::Function").values()
        if function["Handler"] == "dispatcher.queue_handler.handler"
    )
    assert readers == [[{"Ref": dispatcher}]]
