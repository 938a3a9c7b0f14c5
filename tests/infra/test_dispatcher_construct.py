"""The installation as a construct in a stack of somebody else's, with what they bring along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

import infra
from infra import Network, RefluxoDispatcher, StackSettings
from infra.assembly import cdk_context
from infra.constructs.table import RunsTable
from infra.environment import ReservedVariable
from tests.infra.conftest import PATTERN
from tests.infra.installation import functions, only, properties


class Theirs(Stack):
    """A stack with everything that can be brought along; ``refluxo`` is the installation."""

    def __init__(self, asset_path: Path, outdir: Path) -> None:
        super().__init__(App(outdir=str(outdir), context=cdk_context(), analytics_reporting=False), "Theirs")
        key = kms.Key(self, "Key", enable_key_rotation=True)
        table = RunsTable(self, "Runs", is_production=True, encryption_key=key).table
        vpc = ec2.Vpc(self, "Vpc", restrict_default_security_group=False)
        self.refluxo = RefluxoDispatcher(
            self,
            "Workflows",
            code=lambda_.Code.from_asset(str(asset_path)),
            settings=StackSettings(stage="theirs"),
            table=table,
            network=Network(vpc=vpc),
            encryption_key=key,
            event_patterns=[PATTERN],
            upload_buckets=[s3.Bucket(self, "Inbox")],
            environment={"THEIR_SETTING": "of their nodes"},
            alarm_topic=sns.Topic(self, "Pager"),
        )


@pytest.fixture(scope="module")
def theirs(asset_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """The stack."""
    return Theirs(asset_path, tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def template(theirs: Theirs) -> Template:
    """Its template."""
    return Template.from_stack(theirs)


def test_it_is_exported_without_starting_node() -> None:
    """The package has the three names a stack of one's own needs, each imported when it is asked for."""
    assert set(infra.__all__) == {"Network", "RefluxoDispatcher", "StackSettings"}
    assert all(getattr(infra, name) for name in infra.__all__)
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = infra.Nonsense


def test_what_they_build_on_is_there(theirs: Theirs) -> None:
    """Every resource that a stack around it would refer to."""
    refluxo = theirs.refluxo
    assert set(refluxo.functions) == {"front_door", "dispatcher", "sweep", "dead_letters", "events"}
    queues = (refluxo.queue, refluxo.dead_letters, refluxo.parked)
    assert len({theirs.resolve(queue.queue_arn)["Fn::GetAtt"][0] for queue in queues}) == 3
    assert refluxo.bucket.bucket_name
    assert refluxo.secret.secret_arn
    assert refluxo.url == refluxo.metrics.api.api_endpoint
    assert refluxo.dashboard is not None
    assert refluxo.alarms is not None
    assert refluxo.event_source_mapping_id


def test_their_table_takes_the_place_of_ours(template: Template) -> None:
    """There is one, and functions and grants are about it."""
    table = only(template, "AWS::DynamoDB::Table")
    for function in functions(template).values():
        assert function["Environment"]["Variables"]["TABLE_NAME"] == {"Ref": table}
    assert f'"{table}", "Arn"' in json.dumps(properties(template, "AWS::IAM::Policy"))


def test_a_table_that_no_run_can_be_kept_in_is_refused(asset_path: Path) -> None:
    """At synthesis, when all has been said of it: every fault with its remedy."""
    stack = Stack()
    table = dynamodb.Table(
        stack, "Table", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    )
    RefluxoDispatcher(stack, "Workflows", code=lambda_.Code.from_asset(str(asset_path)), table=table)
    table.add_global_secondary_index(
        index_name="due", partition_key=dynamodb.Attribute(name="due_shard", type=dynamodb.AttributeType.STRING)
    )
    with pytest.raises(RuntimeError) as refused:
        Template.from_stack(stack)
    for fault in (
        "the keys of a table of runs are 'pk' and 'sk'",
        "an index 'due' with the keys 'due_shard' and 'due_at'",
        "an index 'status'",
        "an index 'workflow'",
        "is 'expires_at'",
    ):
        assert fault in str(refused.value)


def test_a_table_of_another_app_is_taken_as_it_is(asset_path: Path) -> None:
    """It shows nothing of itself; its indexes are granted by its ARN."""
    stack = Stack()
    table = dynamodb.Table.from_table_name(stack, "Table", "their-runs")
    RefluxoDispatcher(stack, "Workflows", code=lambda_.Code.from_asset(str(asset_path)), table=table)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::DynamoDB::Table", 0)
    assert "table/their-runs/index/due" in json.dumps(properties(template, "AWS::IAM::Policy"))


def test_the_functions_are_in_their_network(template: Template) -> None:
    """In its private subnets, in one group that nothing may reach; their roles may do what that takes and no more."""
    groups = properties(template, "AWS::EC2::SecurityGroup")
    assert all("SecurityGroupIngress" not in group for group in groups.values())
    (group,) = groups
    private = {name for name in properties(template, "AWS::EC2::Subnet") if "Private" in name}
    for function in functions(template).values():
        assert function["VpcConfig"]["SecurityGroupIds"] == [{"Fn::GetAtt": [group, "GroupId"]}]
        assert {subnet["Ref"] for subnet in function["VpcConfig"]["SubnetIds"]} == private
    for role in properties(template, "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Action": Match.array_with(["ec2:CreateNetworkInterface"])})]
                )
            }
        },
    )


def key_users(template: Template) -> set[str]:
    """Services that the key's own policy lets in."""
    (key,) = properties(template, "AWS::KMS::Key").values()
    return {json.dumps(statement["Principal"]) for statement in key["KeyPolicy"]["Statement"]}


def test_everything_that_holds_data_is_under_their_key(template: Template) -> None:
    """Queues, bucket, secret, logs, environment; and whoever writes there may use it."""
    key = {"Fn::GetAtt": [only(template, "AWS::KMS::Key"), "Arn"]}
    for queue in properties(template, "AWS::SQS::Queue").values():
        assert queue["KmsMasterKeyId"] == key
    for group in properties(template, "AWS::Logs::LogGroup").values():
        assert group["KmsKeyId"] == key
    for function in functions(template).values():
        assert function["KmsKeyArn"] == key
    (secret,) = properties(template, "AWS::SecretsManager::Secret").values()
    assert secret["KmsKeyId"] == key
    (payloads,) = (bucket for name, bucket in properties(template, "AWS::S3::Bucket").items() if "Payloads" in name)
    (rule,) = payloads["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"},
    }
    users = " ".join(key_users(template))
    assert "events.amazonaws.com" in users
    assert "logs." in users


def test_every_function_may_use_the_key(template: Template) -> None:
    """And do with it what reading and writing takes."""
    key = {"Fn::GetAtt": [only(template, "AWS::KMS::Key"), "Arn"]}
    needed = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}
    for policy in properties(template, "AWS::IAM::Policy").values():
        actions: set[str] = set()
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Resource"] == key:
                actions |= set(statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        assert actions == needed


def test_our_own_table_would_be_under_their_key(asset_path: Path) -> None:
    """Where they bring a key and no table."""
    stack = Stack()
    RefluxoDispatcher(
        stack, "Workflows", code=lambda_.Code.from_asset(str(asset_path)), encryption_key=kms.Key(stack, "Key")
    )
    Template.from_stack(stack).has_resource_properties(
        "AWS::DynamoDB::Table",
        {"SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": Match.any_value()}},
    )


def test_their_bucket_sends_events_and_their_topic_is_told(template: Template) -> None:
    """No bucket and no topic of ours beside them."""
    (inbox,) = (bucket for name, bucket in properties(template, "AWS::S3::Bucket").items() if "Inbox" in name)
    assert inbox["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    topic = only(template, "AWS::SNS::Topic")
    for alarm in properties(template, "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]


def test_their_variables_are_beside_ours(template: Template) -> None:
    """For their nodes to read."""
    for function in functions(template).values():
        assert function["Environment"]["Variables"]["THEIR_SETTING"] == "of their nodes"


def test_a_variable_of_ours_is_not_theirs_to_set(asset_path: Path) -> None:
    """It would be read as something else than it was meant."""
    with pytest.raises(ReservedVariable, match="TABLE_NAME"):
        RefluxoDispatcher(
            Stack(), "Workflows", code=lambda_.Code.from_asset(str(asset_path)), environment={"TABLE_NAME": "other"}
        )


def test_two_of_them_fit_into_one_stack(asset_path: Path) -> None:
    """No name is fixed, so nothing collides."""
    stack = Stack()
    for stage in ("one", "two"):
        RefluxoDispatcher(
            stack, stage, code=lambda_.Code.from_asset(str(asset_path)), settings=StackSettings(stage=stage)
        )
    named: Any = Template.from_stack(stack).to_json()["Resources"]
    fixed = ("TableName", "QueueName", "BucketName", "FunctionName", "RoleName", "AlarmName", "DashboardName")
    for resource in named.values():
        if resource["Type"] not in {"AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"}:
            assert not [name for name in fixed if name in resource.get("Properties", {})]


def test_the_stack_on_the_page_is_one(asset_path: Path, tmp_path: Path) -> None:
    """docs/own-stack.md shows a stack that synthesizes, and whose nodes may do what it says."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "own-stack.md").read_text(encoding="utf-8")
    _, block, *_ = page.split("```python\n")
    names: dict[str, Any] = {"__name__": "page"}
    exec(block.partition("```")[0], names)  # noqa: S102  (our own page)
    app = App(outdir=str(tmp_path), context=cdk_context(), analytics_reporting=False)
    template = Template.from_stack(names["Orders"](app, "Orders", code=lambda_.Code.from_asset(str(asset_path))))
    dispatcher = functions(template)["dispatcher.queue_handler.handler"]
    assert dispatcher["Environment"]["Variables"]["INVOICES"]["Ref"].startswith("Invoices")
    patterns = [rule.get("EventPattern", {}) for rule in properties(template, "AWS::Events::Rule").values()]
    (uploads,) = (pattern for pattern in patterns if pattern.get("source") == ["aws.s3"])
    assert uploads["detail"] == {"bucket": {"name": [dispatcher["Environment"]["Variables"]["INVOICES"]]}}
    (writes,) = (
        policy
        for policy in properties(template, "AWS::IAM::Policy").values()
        if policy["Roles"] == [{"Ref": dispatcher["Role"]["Fn::GetAtt"][0]}]
    )
    assert "Invoices" in json.dumps(
        [s["Resource"] for s in writes["PolicyDocument"]["Statement"] if "s3:PutObject" in s["Action"]]
    )
