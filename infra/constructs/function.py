"""One function of the package: its handler, its own role and log group, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.log_group import ExpiringLogGroup
from infra.settings import StackSettings


@dataclass(frozen=True, kw_only=True)
class Package:
    """What all functions share: one asset, one environment, the same settings."""

    code: lambda_.Code
    environment: Mapping[str, str]
    settings: StackSettings


class PackageFunction(Construct):
    """``function``, on arm64 and traced, allowed nothing yet but its own logs and traces.

    The role is made here rather than by the CDK, whose default attaches a managed policy that may write
    every log group of the account.
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
        enqueues_itself: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        settings = package.settings
        logs = ExpiringLogGroup(
            self,
            "Logs",
            retention_days=settings.log_retention_days,
            is_production=settings.is_production,
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Role of the function {handler}",
        )
        logs.log_group.grant_write(role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime(f"python{settings.python_version}", lambda_.RuntimeFamily.PYTHON),
            architecture=lambda_.Architecture.ARM_64,
            code=package.code,
            handler=handler,
            environment=package.environment,
            timeout=timeout,
            memory_size=settings.memory_mb,
            role=role,
            log_group=logs.log_group,
            tracing=lambda_.Tracing.ACTIVE,
            # Lambda stops a function that feeds its own queue after about 16 rounds, without a word in the
            # logs. Feeding its own queue is how a run goes on; RUN_STEPS_MAX and the event source's
            # maxConcurrency take the guard's place.
            recursive_loop=lambda_.RecursiveLoop.ALLOW if enqueues_itself else None,
        )
