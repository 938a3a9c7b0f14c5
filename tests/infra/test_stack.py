"""What must hold of the whole stack, read off the template that would be deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # likewise

from infra.grants import DISPATCHER, FRONT_DOOR, SWEEP, Grants

if TYPE_CHECKING:
    from aws_cdk.assertions import Template

    from tests.infra.conftest import Synthesize

HANDLERS = {
    "dispatcher.http_handler.handler",
    "dispatcher.queue_handler.handler",
    "dispatcher.sweep_handler.handler",
}

ENVIRONMENT = {
    "TABLE_NAME",
    "QUEUE_URL",
    "PARKED_QUEUE_URL",
    "PUBLIC_URL",
    "REFLUXO_REGISTRY",
    "WEBHOOK_SECRET_ID",
    "STEPS_PER_INVOCATION",
    "RUN_STEPS_MAX",
    "LOG_LEVEL",
}

# What the platform does in a function's name, beside what its own code calls.
PLATFORM_ACTIONS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
POLLER_ACTIONS = {
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
}

# X-Ray's two calls take no resource (Service Authorization Reference).
ACTIONS_WITHOUT_RESOURCE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Handler to the properties of its function."""
    return {
        function["Properties"]["Handler"]: function["Properties"]
        for function in template.find_resources("AWS::Lambda::Function").values()
    }


def allowed(template: Template, handler: str) -> list[dict[str, Any]]:
    """Every statement of the policies on the function's role, actions and resources as lists."""
    role_id = functions(template)[handler]["Role"]["Fn::GetAtt"][0]
    return [
        {**statement, "Action": as_list(statement["Action"]), "Resource": as_list(statement["Resource"])}
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if {"Ref": role_id} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as its element."""
    return value if isinstance(value, list) else [value]


def test_one_package_three_functions(template: Template) -> None:
    """The entry points are the dispatcher's, no helper function slipped in, and there is one asset."""
    found = functions(template)
    assert set(found) == HANDLERS
    template.resource_count_is("AWS::Lambda::Function", len(HANDLERS))
    assert len({json.dumps(function["Code"], sort_keys=True) for function in found.values()}) == 1


def test_all_functions_have_the_same_environment(template: Template) -> None:
    """Its names are these, and no two functions disagree."""
    environments = [function["Environment"]["Variables"] for function in functions(template).values()]
    assert all(environment == environments[0] for environment in environments)
    assert set(environments[0]) == ENVIRONMENT


def test_the_environment_points_at_what_it_names(template: Template) -> None:
    """Each reference leads to the resource of that name: the queue is the event source's, parked the last one."""
    environment = functions(template)["dispatcher.queue_handler.handler"]["Environment"]["Variables"]
    queues = template.find_resources("AWS::SQS::Queue")
    (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping").values()
    (parked_id,) = (name for name, queue in queues.items() if "RedrivePolicy" not in queue["Properties"])
    (table_id,) = template.find_resources("AWS::DynamoDB::Table")
    (secret_id,) = template.find_resources("AWS::SecretsManager::Secret")
    (api_id,) = template.find_resources("AWS::ApiGatewayV2::Api")
    assert environment["TABLE_NAME"] == {"Ref": table_id}
    assert environment["QUEUE_URL"] == {"Ref": mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]}
    assert environment["PARKED_QUEUE_URL"] == {"Ref": parked_id}
    assert environment["WEBHOOK_SECRET_ID"] == {"Ref": secret_id}
    assert environment["PUBLIC_URL"] == {"Fn::GetAtt": [api_id, "ApiEndpoint"]}


def test_each_function_has_a_role_and_a_log_group_of_its_own(template: Template) -> None:
    """Nothing is shared, so that nothing is granted to a neighbour."""
    found = functions(template).values()
    assert len({function["Role"]["Fn::GetAtt"][0] for function in found}) == len(HANDLERS)
    assert len({function["LoggingConfig"]["LogGroup"]["Ref"] for function in found}) == len(HANDLERS)


def test_only_the_dispatcher_may_feed_itself(template: Template) -> None:
    """Lambda stops a chain through a queue after about 16 rounds: off for the dispatcher, on elsewhere."""
    loops = {handler: function.get("RecursiveLoop") for handler, function in functions(template).items()}
    assert loops == {
        "dispatcher.queue_handler.handler": "Allow",
        "dispatcher.http_handler.handler": None,
        "dispatcher.sweep_handler.handler": None,
    }


def test_no_function_outlives_its_caller(template: Template) -> None:
    """API Gateway waits 30 s, and the next sweep comes after 60."""
    timeouts = {handler: function["Timeout"] for handler, function in functions(template).items()}
    assert timeouts == {
        "dispatcher.http_handler.handler": 29,
        "dispatcher.queue_handler.handler": 30,
        "dispatcher.sweep_handler.handler": 50,
    }


@pytest.mark.parametrize("timeout_seconds", [10, 40])
def test_visibility_follows_the_dispatchers_timeout(synthesize: Synthesize, timeout_seconds: int) -> None:
    """The queue that feeds the dispatcher hides a message at least six times as long."""
    template = synthesize(dispatcher_timeout_seconds=timeout_seconds)
    (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping").values()
    queue_id = mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
    queue = template.find_resources("AWS::SQS::Queue")[queue_id]["Properties"]
    assert functions(template)["dispatcher.queue_handler.handler"]["Timeout"] == timeout_seconds
    assert queue["VisibilityTimeout"] >= 6 * timeout_seconds


def test_a_batch_fails_record_by_record_and_concurrency_is_capped(template: Template) -> None:
    """The event source reports single failures, and its cap stands in for the loop detection."""
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "BatchSize": 1,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 50},
        },
    )


@pytest.mark.parametrize(
    ("handler", "grants", "platform"),
    [
        ("dispatcher.http_handler.handler", FRONT_DOOR, PLATFORM_ACTIONS),
        ("dispatcher.queue_handler.handler", DISPATCHER, PLATFORM_ACTIONS | POLLER_ACTIONS),
        ("dispatcher.sweep_handler.handler", SWEEP, PLATFORM_ACTIONS),
    ],
)
def test_a_function_may_do_what_the_table_of_grants_says(
    template: Template, handler: str, grants: Grants, platform: set[str]
) -> None:
    """That and what the platform does for it: no managed policy, no statement from elsewhere."""
    granted = {action for actions in grants.values() for action in actions}
    assert {action for statement in allowed(template, handler) for action in statement["Action"]} == (
        granted | platform
    )
    for role in template.find_resources("AWS::IAM::Role").values():
        assert not {"ManagedPolicyArns", "Policies"} & set(role["Properties"])


def test_no_wildcards(template: Template) -> None:
    """Every action is spelled out, and bound to a resource unless AWS knows none for it."""
    for handler in HANDLERS:
        for statement in allowed(template, handler):
            assert not [action for action in statement["Action"] if "*" in action]
            if any("*" in json.dumps(resource) for resource in statement["Resource"]):
                assert set(statement["Action"]) <= ACTIONS_WITHOUT_RESOURCE


def test_the_front_door_cannot_park_and_the_sweep_reads_no_secret(template: Template) -> None:
    """The roles differ where the functions do."""
    front_door = {json.dumps(statement) for statement in allowed(template, "dispatcher.http_handler.handler")}
    assert not [statement for statement in front_door if "Parked" in statement]
    sweep = {json.dumps(statement) for statement in allowed(template, "dispatcher.sweep_handler.handler")}
    assert not [statement for statement in sweep if "secretsmanager" in statement]


def test_production_keeps_what_cannot_be_made_again(production: Template) -> None:
    """Table, secret and logs stay when the stack goes; the table cannot be deleted by mistake."""
    production.has_resource_properties("AWS::DynamoDB::Table", {"DeletionProtectionEnabled": True})
    for kind in ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"):
        for resource in production.find_resources(kind).values():
            assert resource["DeletionPolicy"] == "Retain"


def test_settings_reach_the_template(synthesize: Synthesize) -> None:
    """Each arrives where it works."""
    template = synthesize(
        batch_size=5,
        steps_per_invocation=7,
        run_steps_max=70,
        log_level="DEBUG",
        memory_mb=1024,
        max_concurrency=9,
        python_version="3.14",
        log_retention_days=7,
    )
    (function, *_) = functions(template).values()
    assert (
        function["Environment"]["Variables"]
        | {
            "STEPS_PER_INVOCATION": "7",
            "RUN_STEPS_MAX": "70",
            "LOG_LEVEL": "DEBUG",
        }
        == function["Environment"]["Variables"]
    )
    assert (function["MemorySize"], function["Runtime"]) == (1024, "python3.14")
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"ScalingConfig": {"MaximumConcurrency": 9}, "BatchSize": 5}
    )
    template.all_resources_properties("AWS::Logs::LogGroup", {"RetentionInDays": 7})


def test_outputs(template: Template) -> None:
    """What a person needs next, the last one a line to paste."""
    outputs = template.find_outputs("*")
    assert set(outputs) == {"ApiUrl", "TableName", "QueueUrl", "ParkedQueueUrl", "ExampleCurl"}
    line = "".join(part for part in outputs["ExampleCurl"]["Value"]["Fn::Join"][1] if isinstance(part, str))
    assert line.startswith("curl --aws-sigv4")
    assert "/workflows/content-approval/runs" in line


def test_nothing_is_bound_to_an_account_or_region(template: Template) -> None:
    """The template deploys anywhere: no look-up was needed and none is baked in."""
    assert not [text for text in strings(template.to_json()) if text.startswith("arn:aws:")]


def strings(value: object) -> Iterator[str]:
    """Every string in a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            for child in value.values():
                yield from strings(child)
        case list():
            for child in value:
                yield from strings(child)


@pytest.mark.parametrize("stage", ["template", "production"])
def test_cfn_lint_finds_nothing(stage: str, request: pytest.FixtureRequest) -> None:
    """Errors and warnings of cfn-lint, but for one."""
    # W3005: the CDK makes a function wait for its role by name as well, along with the role's policy.
    found = lint(
        json.dumps(request.getfixturevalue(stage).to_json()),
        config=ManualArgs(regions=["us-east-1"], ignore_checks=["W3005"]),
    )
    assert [str(match) for match in found] == []
