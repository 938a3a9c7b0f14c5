"""The function's construct, on a bare stack."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk.assertions import Match, Template

from infra.constructs.function import Package, PackageFunction
from infra.settings import StackSettings
from tests.infra.installation import properties


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


def test_tracing_can_be_switched_off(package: Package) -> None:
    """Then the role may write no traces either."""
    template = function_template(replace(package, settings=StackSettings(tracing=False)))
    template.has_resource_properties("AWS::Lambda::Function", {"TracingConfig": Match.absent()})
    assert "xray" not in json.dumps(template.to_json())


def test_events_come_to_a_version_where_functions_start_from_snapshots(full: Template) -> None:
    """Snapshots are of published versions: queues, API, schedule and rules all call the alias, none the function."""
    aliases = properties(full, "AWS::Lambda::Alias")
    assert {alias["Name"] for alias in aliases.values()} == {"live"}
    for function in properties(full, "AWS::Lambda::Function").values():
        assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    invokers = [
        *(mapping["FunctionName"] for mapping in properties(full, "AWS::Lambda::EventSourceMapping").values()),
        *(target["Arn"] for rule in properties(full, "AWS::Events::Rule").values() for target in rule["Targets"]),
        *(integration["IntegrationUri"] for integration in properties(full, "AWS::ApiGatewayV2::Integration").values()),
        *(permission["FunctionName"] for permission in properties(full, "AWS::Lambda::Permission").values()),
    ]
    assert len(invokers) == 8
    for invoked in invokers:
        assert any(f'"{alias}"' in json.dumps(invoked) for alias in aliases)
