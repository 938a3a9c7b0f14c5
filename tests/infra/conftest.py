"""The stack synthesized once a session, as cdk.json says, over a stand-in for the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from infra.assembly import refluxo_app
from infra.constructs.function import Package
from infra.settings import StackSettings

Synthesize = Callable[..., Template]

PATTERN: Final[Mapping[str, object]] = {
    "source": ["aws.s3"],
    "detail-type": ["Object Created"],
    "detail": {"object": {"key": [{"prefix": "in/"}], "size": [{"numeric": [">", 0, "<=", 1048576]}]}},
    "$or": [{"account": ["111122223333"]}, {"region": [{"anything-but": "us-gov-west-1"}]}],
}
"""Of events that start a workflow, with operators that the CDK's own patterns do not have."""

ALL_OPTIONS: Final[Mapping[str, object]] = {
    "stage": "full",
    "retention_days": 90,
    "point_in_time_recovery": False,
    "upload_bucket": True,
    "api_authorizer": "jwt",
    "jwt_issuer": "https://issuer.example.com/",
    "jwt_audience": "refluxo, other",
    "tenant_claim": "org_id",
    "cors_origins": "https://app.example.com,https://example.com",
    "domain_name": "workflows.example.com",
    "certificate_arn": "arn:aws:acm:us-east-1:111122223333:certificate/0a1b",
    "hosted_zone_id": "Z0123456789",
    "http_allowed_networks": "10.1.0.0/16",
    "snap_start": True,
    "tracing": False,
    "plugins": "logger,metrics",
    "alarm_email": "ops@example.com",
}
"""Every switch the other way than by default, that can be had together."""


@pytest.fixture(scope="session")
def asset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for the package: only its hash matters to a template."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "module.py").write_text("", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory, asset_path: Path) -> Synthesize:
    """Synthesizes the whole app with settings over those of cdk.json: ``synthesize(stage="prod")``."""

    def synthesized(**settings: object) -> Template:
        app = refluxo_app(
            context={f"refluxo:{name}": value for name, value in settings.items()},
            outdir=tmp_path_factory.mktemp("cdk.out"),
            asset_path=asset_path,
            event_patterns=[PATTERN],
        )
        (stack,) = app.synth().stacks
        return Template.from_json(stack.template)

    return synthesized


@pytest.fixture(scope="session")
def template(synthesize: Synthesize) -> Template:
    """The stack as cdk.json alone makes it, with one event pattern."""
    return synthesize()


@pytest.fixture(scope="session")
def production(synthesize: Synthesize) -> Template:
    """The stack of the stage ``prod``."""
    return synthesize(stage="prod")


@pytest.fixture(scope="session")
def full(synthesize: Synthesize) -> Template:
    """The stack with every option."""
    return synthesize(**ALL_OPTIONS)


@pytest.fixture
def package(asset_path: Path) -> Package:
    """A package with default settings, for a function on a bare stack."""
    return Package(
        code=lambda_.Code.from_asset(str(asset_path)), environment={"NAME": "value"}, settings=StackSettings()
    )
