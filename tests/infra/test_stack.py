"""What must hold of the whole stack, read off the template that would be deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.assertions import Template
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # likewise

from dispatcher import table_schema
from infra.assembly import refluxo_app
from infra.grants import DEAD_LETTERS, DISPATCHER, EVENTS, FRONT_DOOR, SWEEP, Grants, Resource
from infra.settings import DISPATCHER_TIMEOUT_SECONDS_MAX, DISPATCHER_TIMEOUT_SECONDS_MIN
from tests.infra.installation import functions, only, strings

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesize

HANDLERS = {
    "dispatcher.dead_letter_handler.handler",
    "dispatcher.event_handler.handler",
    "dispatcher.http_handler.handler",
    "dispatcher.queue_handler.handler",
    "dispatcher.sweep_handler.handler",
}

ENVIRONMENT = {
    "TABLE_NAME",
    "QUEUE_URL",
    "PARKED_QUEUE_URL",
    "PAYLOAD_BUCKET",
    "PUBLIC_URL",
    "REFLUXO_REGISTRY",
    "WEBHOOK_SECRET_ID",
    "STEPS_PER_INVOCATION",
    "RUN_STEPS_MAX",
    "RETENTION_DAYS",
    "CORS_ORIGINS",
    "TENANT_CLAIM",
    "HTTP_ALLOWED_NETWORKS",
    "LOG_LEVEL",
    "REFLUXO_PLUGINS",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_SERVICE_NAME",
}

# What the platform does in a function's name, beside what its own code calls.
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACE_ACTIONS = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
POLLER_ACTIONS = {
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
}

# X-Ray's two calls and CloudWatch's statistics take no resource (Service Authorization Reference).
ACTIONS_WITHOUT_RESOURCE = TRACE_ACTIONS | {"cloudwatch:GetMetricStatistics"}


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


def event_source(template: Template, handler: str) -> dict[str, Any]:
    """Properties of the one event source of a function."""
    (function_id,) = (
        logical_id
        for logical_id, function in template.find_resources("AWS::Lambda::Function").items()
        if function["Properties"]["Handler"] == handler
    )
    (properties,) = (
        mapping["Properties"]
        for mapping in template.find_resources("AWS::Lambda::EventSourceMapping").values()
        if mapping["Properties"]["FunctionName"] == {"Ref": function_id}
    )
    return dict(properties)


def source_queue(template: Template, handler: str) -> str:
    """Logical id of the queue that feeds a function."""
    return str(event_source(template, handler)["EventSourceArn"]["Fn::GetAtt"][0])


def parked_queue(template: Template) -> str:
    """Logical id of the queue that has nothing behind it."""
    queues = template.find_resources("AWS::SQS::Queue")
    (logical_id,) = (name for name, queue in queues.items() if "RedrivePolicy" not in queue["Properties"])
    return str(logical_id)


def arn_of(logical_id: str, tail: str = "") -> object:
    """The ARN of a resource, or of what is in it, as the template has it."""
    arn = {"Fn::GetAtt": [logical_id, "Arn"]}
    return {"Fn::Join": ["", [arn, tail]]} if tail else arn


def resource_arns(template: Template) -> dict[Resource, object]:
    """Where each resource of the table of grants is in the template."""
    table_id, bucket_id = only(template, "AWS::DynamoDB::Table"), only(template, "AWS::S3::Bucket")
    return {
        Resource.TABLE: arn_of(table_id),
        Resource.DUE_INDEX: arn_of(table_id, f"/index/{table_schema.DUE_INDEX}"),
        Resource.STATUS_INDEX: arn_of(table_id, f"/index/{table_schema.STATUS_INDEX}"),
        Resource.WORKFLOW_INDEX: arn_of(table_id, f"/index/{table_schema.WORKFLOW_INDEX}"),
        Resource.QUEUE: arn_of(source_queue(template, "dispatcher.queue_handler.handler")),
        Resource.PARKED_QUEUE: arn_of(parked_queue(template)),
        Resource.BUCKET: arn_of(bucket_id),
        Resource.RUN_OBJECTS: arn_of(bucket_id, "/runs/*/*"),
        Resource.WEBHOOK_SECRET: {"Ref": only(template, "AWS::SecretsManager::Secret")},
        Resource.METRICS: "*",
    }


def test_one_package_a_function_for_each_entry_point(template: Template) -> None:
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
    assert environment["TABLE_NAME"] == {"Ref": only(template, "AWS::DynamoDB::Table")}
    assert environment["QUEUE_URL"] == {"Ref": source_queue(template, "dispatcher.queue_handler.handler")}
    assert environment["PARKED_QUEUE_URL"] == {"Ref": parked_queue(template)}
    assert environment["PAYLOAD_BUCKET"] == {"Ref": only(template, "AWS::S3::Bucket")}
    assert environment["WEBHOOK_SECRET_ID"] == {"Ref": only(template, "AWS::SecretsManager::Secret")}
    assert environment["PUBLIC_URL"] == {"Fn::GetAtt": [only(template, "AWS::ApiGatewayV2::Api"), "ApiEndpoint"]}


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
        "dispatcher.dead_letter_handler.handler": None,
        "dispatcher.event_handler.handler": None,
        "dispatcher.http_handler.handler": None,
        "dispatcher.sweep_handler.handler": None,
    }


def test_no_function_outlives_its_caller(template: Template) -> None:
    """API Gateway waits 30 s, and the next sweep comes after 60."""
    timeouts = {handler: function["Timeout"] for handler, function in functions(template).items()}
    assert timeouts == {
        "dispatcher.dead_letter_handler.handler": 30,
        "dispatcher.event_handler.handler": 30,
        "dispatcher.http_handler.handler": 29,
        "dispatcher.queue_handler.handler": 30,
        "dispatcher.sweep_handler.handler": 50,
    }


@pytest.mark.parametrize("timeout_seconds", [DISPATCHER_TIMEOUT_SECONDS_MIN, DISPATCHER_TIMEOUT_SECONDS_MAX])
def test_visibility_follows_the_dispatchers_timeout(synthesize: Synthesize, timeout_seconds: int) -> None:
    """The queue that feeds the dispatcher hides a message at least six times as long, that of dead letters too."""
    template = synthesize(dispatcher_timeout_seconds=timeout_seconds)
    assert functions(template)["dispatcher.queue_handler.handler"]["Timeout"] == timeout_seconds
    for handler in ("dispatcher.queue_handler.handler", "dispatcher.dead_letter_handler.handler"):
        queue = template.find_resources("AWS::SQS::Queue")[source_queue(template, handler)]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * functions(template)[handler]["Timeout"]


@pytest.mark.parametrize(
    ("handler", "concurrency"),
    [("dispatcher.queue_handler.handler", 50), ("dispatcher.dead_letter_handler.handler", 2)],
)
def test_a_batch_fails_record_by_record_and_concurrency_is_capped(
    template: Template, handler: str, concurrency: int
) -> None:
    """The event source reports single failures, and its cap stands in for the loop detection."""
    source = event_source(template, handler)
    assert (source["BatchSize"], source["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    assert source["ScalingConfig"] == {"MaximumConcurrency": concurrency}


def test_what_the_dispatcher_cannot_handle_comes_to_the_dead_letter_function_then_to_parked(template: Template) -> None:
    """After five receives and five more: the queue behind the dispatcher's feeds it, and parked is behind that."""
    queues = template.find_resources("AWS::SQS::Queue")
    steps, dead_letters = (
        source_queue(template, handler)
        for handler in ("dispatcher.queue_handler.handler", "dispatcher.dead_letter_handler.handler")
    )
    for queue_id, behind, receives in ((steps, dead_letters, 5), (dead_letters, parked_queue(template), 10)):
        assert queues[queue_id]["Properties"]["RedrivePolicy"] == {
            "deadLetterTargetArn": arn_of(behind),
            "maxReceiveCount": receives,
        }


@pytest.mark.parametrize(
    ("handler", "grants", "is_fed_by_a_queue"),
    [
        ("dispatcher.dead_letter_handler.handler", DEAD_LETTERS, True),
        ("dispatcher.event_handler.handler", EVENTS, False),
        ("dispatcher.http_handler.handler", FRONT_DOOR, False),
        ("dispatcher.queue_handler.handler", DISPATCHER, True),
        ("dispatcher.sweep_handler.handler", SWEEP, False),
    ],
)
def test_a_function_may_do_what_the_table_of_grants_says(
    template: Template, handler: str, grants: Grants, *, is_fed_by_a_queue: bool
) -> None:
    """Resource by resource: that and what the platform does for it, no managed policy, nothing from elsewhere."""
    arns = resource_arns(template)
    expected = {(action, json.dumps(arns[resource])) for resource, actions in grants.items() for action in actions}
    logs = arn_of(functions(template)[handler]["LoggingConfig"]["LogGroup"]["Ref"])
    expected |= {(action, json.dumps(logs)) for action in LOG_ACTIONS}
    expected |= {(action, json.dumps("*")) for action in TRACE_ACTIONS}
    if is_fed_by_a_queue:
        queue = arn_of(source_queue(template, handler))
        expected |= {(action, json.dumps(queue)) for action in POLLER_ACTIONS}
    granted = {
        (action, json.dumps(resource))
        for statement in allowed(template, handler)
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    assert granted == expected
    for role in template.find_resources("AWS::IAM::Role").values():
        assert not {"ManagedPolicyArns", "Policies"} & set(role["Properties"])


def test_no_wildcards(template: Template) -> None:
    """Every action is spelled out, and bound to a resource unless AWS knows none for it; objects by their prefix."""
    objects = resource_arns(template)[Resource.RUN_OBJECTS]
    for handler in HANDLERS:
        for statement in allowed(template, handler):
            assert not [action for action in statement["Action"] if "*" in action]
            if any("*" in json.dumps(resource) for resource in statement["Resource"] if resource != objects):
                assert set(statement["Action"]) <= ACTIONS_WITHOUT_RESOURCE


@pytest.mark.parametrize(
    ("handler", "beyond"),
    [
        ("dispatcher.http_handler.handler", "Parked"),
        ("dispatcher.sweep_handler.handler", "secretsmanager"),
        ("dispatcher.sweep_handler.handler", "s3:"),
        ("dispatcher.dead_letter_handler.handler", "secretsmanager"),
        ("dispatcher.dead_letter_handler.handler", "dynamodb:PutItem"),
        ("dispatcher.dead_letter_handler.handler", "s3:GetObject"),
        ("dispatcher.queue_handler.handler", "/index/"),
        ("dispatcher.event_handler.handler", "secretsmanager"),
        ("dispatcher.event_handler.handler", "/index/"),
        ("dispatcher.event_handler.handler", "s3:GetObject"),
    ],
)
def test_the_roles_differ_where_the_functions_do(template: Template, handler: str, beyond: str) -> None:
    """The front door cannot park, the sweep reads no secret and no payload, an event only starts runs."""
    assert beyond not in json.dumps(allowed(template, handler))


def test_production_keeps_what_cannot_be_made_again(production: Template) -> None:
    """Table, bucket, secret and logs stay when the stack goes; the table cannot be deleted by mistake."""
    production.has_resource_properties("AWS::DynamoDB::Table", {"DeletionProtectionEnabled": True})
    for kind in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"):
        for resource in production.find_resources(kind).values():
            assert resource["DeletionPolicy"] == "Retain"


def test_settings_reach_the_template(synthesize: Synthesize) -> None:
    """Each arrives where it works."""
    memory_mb = {
        "dispatcher.dead_letter_handler.handler": 300,
        "dispatcher.event_handler.handler": 400,
        "dispatcher.http_handler.handler": 500,
        "dispatcher.queue_handler.handler": 1024,
        "dispatcher.sweep_handler.handler": 600,
    }
    template = synthesize(
        retention_days=90,
        batch_size=5,
        steps_per_invocation=7,
        run_steps_max=70,
        log_level="DEBUG",
        dead_letters_memory_mb=300,
        events_memory_mb=400,
        front_door_memory_mb=500,
        dispatcher_memory_mb=1024,
        sweep_memory_mb=600,
        dead_letters_timeout_seconds=20,
        events_timeout_seconds=10,
        max_concurrency=9,
        python_version="3.14",
        log_retention_days=7,
        dashboard=False,
        alarms=False,
    )
    found = functions(template)
    assert {handler: function["MemorySize"] for handler, function in found.items()} == memory_mb
    assert found["dispatcher.dead_letter_handler.handler"]["Timeout"] == 20
    assert found["dispatcher.event_handler.handler"]["Timeout"] == 10
    assert {function["Runtime"] for function in found.values()} == {"python3.14"}
    variables = found["dispatcher.queue_handler.handler"]["Environment"]["Variables"]
    assert (
        variables.items()
        >= {
            "STEPS_PER_INVOCATION": "7",
            "RUN_STEPS_MAX": "70",
            "RETENTION_DAYS": "90",
            "LOG_LEVEL": "DEBUG",
        }.items()
    )
    source = event_source(template, "dispatcher.queue_handler.handler")
    assert (source["ScalingConfig"], source["BatchSize"]) == ({"MaximumConcurrency": 9}, 5)
    template.all_resources_properties("AWS::Logs::LogGroup", {"RetentionInDays": 7})
    for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic"):
        template.resource_count_is(kind, 0)


def test_without_event_patterns_there_is_no_function_for_them(asset_path: Path, tmp_path: Path) -> None:
    """Nor a rule: the only one is the sweep's schedule."""
    (stack,) = refluxo_app(outdir=tmp_path, asset_path=asset_path).synth().stacks
    template = Template.from_json(stack.template)
    assert set(functions(template)) == HANDLERS - {"dispatcher.event_handler.handler"}
    template.resource_count_is("AWS::Events::Rule", 1)


@pytest.mark.parametrize("stack", ["template", "production", "full"])
def test_no_helper_slips_in(stack: str, request: pytest.FixtureRequest) -> None:
    """No custom resource, and no function but those of the package: helpers of the CDK may do more than they should."""
    template: Template = request.getfixturevalue(stack)
    kinds = {resource["Type"] for resource in template.to_json()["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"]
    assert set(functions(template)) == HANDLERS
    template.resource_count_is("AWS::Lambda::Function", len(HANDLERS))


def output(template: Template, name: str) -> str:
    """An output's value, what CloudFormation fills in standing as the id of its resource."""
    value = template.to_json()["Outputs"][name]["Value"]
    parts = value["Fn::Join"][1] if "Fn::Join" in value else [value]
    return "".join(part if isinstance(part, str) else str(next(iter(part.values()))) for part in parts)


def test_outputs(template: Template, full: Template) -> None:
    """What a person needs next; the upload bucket where there is one."""
    outputs = {
        "ApiUrl",
        "TableName",
        "QueueUrl",
        "ParkedQueueUrl",
        "PayloadBucketName",
        "ExampleCurl",
        "DashboardUrl",
        "EventSourceMappingId",
        "StopCommand",
    }
    assert set(template.find_outputs("*")) == outputs
    assert set(full.find_outputs("*")) == outputs | {"UploadBucketName"}


def test_the_first_run_and_the_kill_switch_are_lines_to_paste(template: Template) -> None:
    """A signed curl line, and one that switches off the poller of the dispatcher and of no other function."""
    curl = output(template, "ExampleCurl")
    assert curl.startswith("curl --aws-sigv4")
    assert "/workflows/content-approval/runs" in curl
    (mapping_id,) = (
        logical_id
        for logical_id, mapping in template.find_resources("AWS::Lambda::EventSourceMapping").items()
        if mapping["Properties"] == event_source(template, "dispatcher.queue_handler.handler")
    )
    assert template.to_json()["Outputs"]["EventSourceMappingId"]["Value"] == {"Ref": mapping_id}
    stop = output(template, "StopCommand")
    assert stop.startswith("aws lambda update-event-source-mapping --no-enabled --region ")
    assert stop.endswith(f" --uuid {mapping_id}")


def test_nothing_is_bound_to_an_account_or_region(template: Template) -> None:
    """The template deploys anywhere: no look-up was needed and none is baked in."""
    assert not [text for text in strings(template.to_json()) if text.startswith("arn:aws:")]


@pytest.mark.parametrize("stage", ["template", "production", "full"])
def test_cfn_lint_finds_nothing(stage: str, request: pytest.FixtureRequest) -> None:
    """Errors and warnings of cfn-lint, but for one."""
    # W3005: the CDK makes a function wait for its role by name as well, along with the role's policy.
    found = lint(
        json.dumps(request.getfixturevalue(stage).to_json()),
        config=ManualArgs(regions=["us-east-1"], ignore_checks=["W3005"]),
    )
    assert [str(match) for match in found] == []
