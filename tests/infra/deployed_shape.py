"""The synthesized template created in moto's CloudFormation, and the functions, queues and schedules read back from it.

moto lacks some of the template's types. What is left out, and by which values references to it are replaced, is said
in `STAND_INS` alone; a test holds it against what the template has and moto lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto.cloudformation.parsing import get_model_map

from infra.assembly import refluxo_app
from tests.infra.permissions import ACCOUNT_ID, REGION
from workflows import registry

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

PUBLIC_URL: Final = "https://api.test"
STACK_NAME: Final = "refluxo-dev"

MADE_BY_HAND: Final = "made by hand"
"""Stands for the name of a resource that moto has, but not in its CloudFormation."""

STAND_INS: Final[Mapping[str, Mapping[str, str]]] = {
    # Who calls the API, and how, is asked of the template alone; here its requests go to the function behind it.
    "AWS::ApiGatewayV2::Api": {"Ref": "api", "ApiEndpoint": PUBLIC_URL},
    "AWS::ApiGatewayV2::Integration": {},
    "AWS::ApiGatewayV2::Route": {},
    "AWS::ApiGatewayV2::Stage": {},
    # Only the dashboard reads of them, and what they watch is not emulated.
    "AWS::CloudWatch::Alarm": {"Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:one"},
    # Where an event goes that the function refused is the platform's business, as are retries of it.
    "AWS::Lambda::EventInvokeConfig": {},
    "AWS::S3::BucketPolicy": {},
    "AWS::SQS::QueuePolicy": {},
    "AWS::SecretsManager::Secret": {"Ref": MADE_BY_HAND},
}
"""Types left out of the template, each with what stands for a ``Ref`` to it and for its attributes."""

Json = Any


class Account:
    """Clients of moto: in this process, or of its server at an address."""

    def __init__(self, endpoint_url: str | None = None) -> None:
        self.endpoint_url = endpoint_url
        self._session = boto3.session.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION
        )

    @property
    def cloudformation(self) -> CloudFormationClient:
        """A CloudFormation client."""
        return self._session.client("cloudformation", endpoint_url=self.endpoint_url)

    @property
    def functions(self) -> LambdaClient:
        """A Lambda client."""
        return self._session.client("lambda", endpoint_url=self.endpoint_url)

    @property
    def events(self) -> EventBridgeClient:
        """An EventBridge client."""
        return self._session.client("events", endpoint_url=self.endpoint_url)

    @property
    def iam(self) -> Any:
        """An IAM client."""
        return self._session.client("iam", endpoint_url=self.endpoint_url)

    @property
    def s3(self) -> S3Client:
        """An S3 client."""
        return self._session.client("s3", endpoint_url=self.endpoint_url)

    @property
    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        return self._session.client("secretsmanager", endpoint_url=self.endpoint_url)

    @property
    def sqs(self) -> SQSClient:
        """An SQS client."""
        return self._session.client("sqs", endpoint_url=self.endpoint_url)

    @property
    def environment(self) -> dict[str, str]:
        """What Lambda adds to a function's environment, so that botocore finds its way."""
        endpoint = {"AWS_ENDPOINT_URL": self.endpoint_url} if self.endpoint_url else {}
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **endpoint,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFunction:
    """A function as it was created. ``role``: the name of its role."""

    name: str
    arn: str
    role: str
    handler: str
    timeout_ms: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedSource:
    """An event source mapping as it was created."""

    function: DeployedFunction
    queue_url: str
    queue_arn: str
    batch_size: int
    concurrency: int
    reports_failures: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedRule:
    """A target of an EventBridge rule. An empty ``pattern``: the rule has a schedule instead."""

    function: DeployedFunction
    pattern: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What there is once the stack is created.

    Args:
        functions: by handler.
        sources: the event source mappings.
        scheduled: the functions that an enabled rule with a schedule invokes.
        rules: the enabled rules that have an event pattern.
        front_door: the function behind the API, which is asked of the template.
        outputs: of the stack.
    """

    functions: Mapping[str, DeployedFunction]
    sources: Sequence[DeployedSource]
    scheduled: Sequence[DeployedFunction]
    rules: Sequence[DeployedRule]
    front_door: DeployedFunction
    outputs: Mapping[str, str]


def synthesized(outdir: Path, asset_path: Path, **settings: object) -> Json:
    """The template that ``app.py`` makes, over a stand-in for the package, with settings over those of cdk.json."""
    app = refluxo_app(
        context={f"refluxo:{name}": value for name, value in settings.items()},
        outdir=outdir,
        asset_path=asset_path,
        event_patterns=[route.pattern for route in registry.routes],
    )
    (stack,) = app.synth().stacks
    return stack.template


def lacking(template: Json) -> set[str]:
    """The template's types that moto's CloudFormation does not know."""
    known = get_model_map()
    return {resource["Type"] for resource in template["Resources"].values()} - set(known)


def references(value: Json) -> Iterator[tuple[str, str]]:
    """Every reference in a part of a template: a logical id, and an attribute or ``Ref``."""
    match value:
        case {"Ref": str(name), **rest} if not rest:
            yield name, "Ref"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            yield name, attribute
        case dict():
            for child in value.values():
                yield from references(child)
        case list():
            for child in value:
                yield from references(child)


def reduced(template: Json, by_hand: Mapping[str, str]) -> Json:
    """The template without the types of `STAND_INS`, references to them replaced.

    Args:
        template: as synthesized.
        by_hand: logical id to what stands for it, where the table says `MADE_BY_HAND`.

    Raises:
        KeyError: a reference has no stand-in; names type and attribute.
    """
    resources = template["Resources"]
    left_out = {name: resource["Type"] for name, resource in resources.items() if resource["Type"] in STAND_INS}

    def stand_in(name: str, attribute: str) -> str:
        kind = left_out[name]
        if attribute not in STAND_INS[kind]:
            raise KeyError(f"{kind} is left out, and {attribute} of it is used: give it a stand-in")
        value = STAND_INS[kind][attribute]
        return by_hand[name] if value == MADE_BY_HAND else value

    def replaced(value: Json) -> Json:
        match value:
            case {"Ref": str(name), **rest} if not rest and name in left_out:
                return stand_in(name, "Ref")
            case {"Fn::GetAtt": [str(name), str(attribute)]} if name in left_out:
                return stand_in(name, attribute)
            case {"DependsOn": names, **rest}:
                kept = [name for name in ([names] if isinstance(names, str) else names) if name not in left_out]
                return {**replaced(rest), **({"DependsOn": kept} if kept else {})}
            case dict():
                return {key: replaced(child) for key, child in value.items()}
            case list():
                return [replaced(child) for child in value]
        return value

    kept = {name: resource for name, resource in resources.items() if name not in left_out}
    # What is beside them is the CDK's own check of how the account was bootstrapped.
    return {"Resources": replaced(kept), "Outputs": replaced(template["Outputs"])}


def deploy(template: Json, account: Account, *, package: bytes) -> Deployment:
    """Creates the stack, with the package where ``cdk deploy`` would have put it.

    Args:
        template: as synthesized.
        account: an empty one.
        package: the functions' archive.
    """
    _bootstrap(template, account, package)
    made = {
        name: _secret(resource["Properties"], account)
        for name, resource in template["Resources"].items()
        if STAND_INS.get(resource["Type"], {}).get("Ref") == MADE_BY_HAND
    }
    account.cloudformation.create_stack(
        StackName=STACK_NAME, TemplateBody=json.dumps(reduced(template, made)), Capabilities=["CAPABILITY_IAM"]
    )
    (stack,) = account.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    deployment = _read_back(template, account, {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])})
    for source in account.functions.list_event_source_mappings()["EventSourceMappings"]:
        # moto's own poller invokes functions in Docker; whoever deploys here polls as the mappings say.
        account.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    return deployment


def _bootstrap(template: Json, account: Account, package: bytes) -> None:
    """What ``cdk bootstrap`` and the upload of the assets leave behind."""
    bucket = f"cdk-hnb659fds-assets-{ACCOUNT_ID}-{REGION}"  # the CDK's own qualifier
    account.s3.create_bucket(Bucket=bucket)
    keys = {
        resource["Properties"]["Code"]["S3Key"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    for key in keys:
        account.s3.put_object(Bucket=bucket, Key=key, Body=package)


def _secret(properties: Json, account: Account) -> str:
    generated = properties["GenerateSecretString"]
    password = account.secretsmanager.get_random_password(
        PasswordLength=generated["PasswordLength"], ExcludePunctuation=generated["ExcludePunctuation"]
    )["RandomPassword"]
    return account.secretsmanager.create_secret(Name=f"{STACK_NAME}-secret", SecretString=password)["ARN"]


def _read_back(template: Json, account: Account, outputs: Mapping[str, str]) -> Deployment:
    functions = {
        function["FunctionArn"]: DeployedFunction(
            name=function["FunctionName"],
            arn=function["FunctionArn"],
            role=function["Role"].rpartition("/")[2],
            handler=function["Handler"],
            timeout_ms=1000 * function["Timeout"],
            environment=function["Environment"]["Variables"],
        )
        for function in account.functions.list_functions()["Functions"]
    }
    return Deployment(
        functions={function.handler: function for function in functions.values()},
        sources=list(_sources(account, functions)),
        scheduled=[rule.function for rule in _rules(account, functions) if not rule.pattern],
        rules=[rule for rule in _rules(account, functions) if rule.pattern],
        front_door=_front_door(template, account, functions),
        outputs=outputs,
    )


def _sources(account: Account, functions: Mapping[str, DeployedFunction]) -> Iterator[DeployedSource]:
    urls = {}
    for url in account.sqs.list_queues()["QueueUrls"]:
        attributes = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        urls[attributes["QueueArn"]] = url
    for source in account.functions.list_event_source_mappings()["EventSourceMappings"]:
        assert source["State"] == "Enabled"
        yield DeployedSource(
            function=functions[source["FunctionArn"]],
            queue_url=urls[source["EventSourceArn"]],
            queue_arn=source["EventSourceArn"],
            batch_size=source["BatchSize"],
            concurrency=source["ScalingConfig"]["MaximumConcurrency"],
            reports_failures="ReportBatchItemFailures" in source.get("FunctionResponseTypes", []),
        )


def _rules(account: Account, functions: Mapping[str, DeployedFunction]) -> Iterator[DeployedRule]:
    for rule in account.events.list_rules()["Rules"]:
        if rule["State"] == "ENABLED":
            pattern = json.loads(rule["EventPattern"]) if "EventPattern" in rule else {}
            for target in account.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                yield DeployedRule(function=functions[target["Arn"]], pattern=pattern)


def _front_door(template: Json, account: Account, functions: Mapping[str, DeployedFunction]) -> DeployedFunction:
    behind = {
        name
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ApiGatewayV2::Integration"
        for name, _ in references(resource["Properties"])
        if template["Resources"][name]["Type"] == "AWS::Lambda::Function"
    }
    (logical_id,) = behind
    created = account.cloudformation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    name = created["StackResourceDetail"]["PhysicalResourceId"]
    return next(function for function in functions.values() if function.name == name)
