"""The function's construct, on a bare stack."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk.assertions import Match, Template

from infra.constructs.function import Package, PackageFunction


def function_template(package: Package, **choices: Any) -> Template:
    """A stack of nothing but one function."""
    stack = Stack()
    PackageFunction(
        stack,
        "It",
        package=package,
        handler="room.module.handler",
        description="does something",
        timeout=Duration.seconds(7),
        **choices,
    )
    return Template.from_stack(stack)


def test_a_function_is_what_the_settings_and_its_place_say(package: Package) -> None:
    """Handler, limits, runtime, architecture, tracing and environment."""
    function_template(package).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "room.module.handler",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "Timeout": 7,
            "MemorySize": 512,
            "TracingConfig": {"Mode": "Active"},
            "Environment": {"Variables": {"NAME": "value"}},
            "RecursiveLoop": Match.absent(),
        },
    )


def test_only_a_function_that_feeds_itself_may_loop(package: Package) -> None:
    """Lambda's loop detection is switched off by name, never by default."""
    function_template(package, enqueues_itself=True).has_resource_properties(
        "AWS::Lambda::Function", {"RecursiveLoop": "Allow"}
    )


def test_its_role_may_write_its_own_logs_and_traces_only(package: Package) -> None:
    """No managed policy: the usual one writes every log group of the account. Traces take no resource."""
    template = function_template(package)
    (log_group_id,) = template.find_resources("AWS::Logs::LogGroup")
    template.has_resource_properties("AWS::IAM::Role", {"ManagedPolicyArns": Match.absent()})
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": {"Fn::GetAtt": [log_group_id, "Arn"]},
                    },
                    {
                        "Effect": "Allow",
                        "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                        "Resource": "*",
                    },
                ],
            }
        },
    )


def test_its_logs_are_kept_as_long_as_set(package: Package) -> None:
    """The function writes to a group of its own that forgets."""
    template = function_template(package)
    (log_group_id,) = template.find_resources("AWS::Logs::LogGroup")
    template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 30})
    template.has_resource_properties("AWS::Lambda::Function", {"LoggingConfig": {"LogGroup": {"Ref": log_group_id}}})
