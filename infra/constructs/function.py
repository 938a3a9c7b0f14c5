"""One function of the package: its handler, its own role and log group, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acknowledgement import acknowledge
from infra.constructs.log_group import ExpiringLogGroup
from infra.constructs.network import Network
from infra.grants import Grants, Resource, grant
from infra.settings import StackSettings

ALIAS: Final = "live"
"""Name of the alias that events come to where a function starts from a snapshot, which only versions have."""

NETWORK_ACTIONS: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does with a function's role to put it into a VPC (AWS managed policy AWSLambdaENIManagementAccess)."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """What all functions share: one asset, one environment, the same settings, network and key."""

    code: lambda_.Code
    environment: Mapping[str, str]
    settings: StackSettings
    network: Network | None = None
    encryption_key: kms.IKey | None = None


class PackageFunction(Construct):
    """``function``, on arm64, allowed nothing yet but its own logs, traces and network.

    ``invoked`` is what events are sent to: the function, or its alias where it starts from a snapshot. The role is
    made here rather than by the CDK, whose default attaches a managed policy that may write every log group of the
    account.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: Package,
        handler: str,
        description: str,
        timeout: Duration,
        memory_mb: int = 512,
        enqueues_itself: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        settings = package.settings
        logs = ExpiringLogGroup(
            self,
            "Logs",
            retention_days=settings.log_retention_days,
            is_production=settings.is_production,
            encryption_key=package.encryption_key,
        )
        network = package.network
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime(
                f"python{settings.python_version}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=True
            ),
            architecture=lambda_.Architecture.ARM_64,
            code=package.code,
            handler=handler,
            environment=package.environment,
            environment_encryption=package.encryption_key,
            timeout=timeout,
            memory_size=memory_mb,
            role=self._role(handler, logs, in_vpc=network is not None),
            log_group=logs.log_group,
            tracing=lambda_.Tracing.ACTIVE if settings.tracing else lambda_.Tracing.DISABLED,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if settings.snap_start else None,
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=list(network.security_groups) if network else None,
            # Lambda stops a function that feeds its own queue after about 16 rounds, without a word in the
            # logs. Feeding its own queue is how a run goes on; RUN_STEPS_MAX and the event source's
            # maxConcurrency take the guard's place.
            recursive_loop=lambda_.RecursiveLoop.ALLOW if enqueues_itself else None,
        )
        self.invoked: lambda_.IFunction = self._alias() if settings.snap_start else self.function
        self._acknowledge(is_traced=settings.tracing)

    def allow(self, grants: Grants, arns: Mapping[Resource, str]) -> None:
        """Allow the function exactly these actions, each on the one resource it is for."""
        grant(self.function, grants, arns)
        for resource in grants:
            if arns[resource].endswith("*") and arns[resource] != "*":
                found = f"AwsSolutions-IAM5[Resource::{_as_found(self, arns[resource])}]"
                acknowledge(self, found, f"A role for all {resource.value}, whose keys nobody knows beforehand.")

    def _role(self, handler: str, logs: ExpiringLogGroup, *, in_vpc: bool) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Role of the function {handler}",
        )
        logs.log_group.grant_write(role)
        if in_vpc:
            role.add_to_policy(iam.PolicyStatement(actions=list(NETWORK_ACTIONS), resources=["*"]))
        return role

    def _alias(self) -> lambda_.Alias:
        Annotations.of(self.function).acknowledge_warning(
            "@aws-cdk/aws-lambda:snapStartRequirePublish", "This is where a version is published."
        )
        return lambda_.Alias(self, "Live", alias_name=ALIAS, version=self.function.current_version)

    def _acknowledge(self, *, is_traced: bool) -> None:
        latest = "The runtime is a setting: the package is built and tested for it, and it moves when that does."
        acknowledge(self.function, "AwsSolutions-L1", latest)
        acknowledge(self.function, "Serverless-LambdaLatestVersion", latest)
        if not is_traced:
            acknowledge(self.function, "Serverless-LambdaTracing", "Switched off by the setting tracing.")
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            "That is for asynchronous calls. Queues have a queue behind them, HTTP callers are answered, the sweep "
            "comes again each minute, and what events call in vain goes to the parked queue by another way.",
        )
        acknowledge(
            self,
            "AwsSolutions-IAM5[Resource::*]",
            "Actions that know no resource: X-Ray's, CloudWatch's statistics, and those that put a function in a VPC.",
        )


def _as_found(scope: Construct, arn: str) -> str:
    """An ARN as cdk-nag writes it: references in angle brackets."""
    resolved = Stack.of(scope).resolve(arn)
    if isinstance(resolved, str):
        return resolved
    _, joined = resolved["Fn::Join"]
    return "".join(part if isinstance(part, str) else f"<{'.'.join(part['Fn::GetAtt'])}>" for part in joined)
