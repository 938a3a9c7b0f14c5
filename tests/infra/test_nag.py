"""cdk-nag's packs AwsSolutions and Serverless find nothing that is not acknowledged, with a reason, where it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.assembly import cdk_context, refluxo_app
from infra.constructs.network import Network
from infra.dispatcher import RefluxoDispatcher
from infra.settings import StackSettings
from tests.infra.conftest import ALL_OPTIONS, PATTERN


def violations(app: App, outdir: Path) -> list[str]:
    """What the packs find in an app, each with the place; synthesis fails if there is any."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    report = outdir / "validation-report.json"
    try:
        app.synth()
    except RuntimeError:
        assert report.is_file(), "synthesis failed for another reason"
    if not report.is_file():
        return []
    found = json.loads(report.read_text(encoding="utf-8"))
    return [
        f"{violation['ruleName']} at {construct['constructPath']}"
        for plugin in found["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


@pytest.mark.parametrize(
    "settings",
    [{}, {"stage": "prod"}, ALL_OPTIONS, {"api_authorizer": "open-to-the-internet", "cors_origins": "*"}],
    ids=["default", "production", "every option", "open"],
)
def test_nag_finds_nothing(settings: Mapping[str, object], tmp_path: Path, asset_path: Path) -> None:
    """Errors and warnings of both packs, and of the CDK itself."""
    context = {f"refluxo:{name}": value for name, value in settings.items()}
    app = refluxo_app(context=context, outdir=tmp_path, asset_path=asset_path, event_patterns=[PATTERN])
    assert violations(app, tmp_path) == []


def test_nag_finds_nothing_in_the_installation_of_another_stack(tmp_path: Path, asset_path: Path) -> None:
    """In a VPC, under a key; what is found is the VPC's own, which shows that the packs look."""
    app = App(outdir=str(tmp_path), context=cdk_context(), analytics_reporting=False)
    stack = Stack(app, "Theirs")
    RefluxoDispatcher(
        stack,
        "Workflows",
        code=lambda_.Code.from_asset(str(asset_path)),
        settings=StackSettings(alarm_email="ops@example.com"),
        network=Network(vpc=ec2.Vpc(stack, "Vpc", restrict_default_security_group=False)),
        encryption_key=kms.Key(stack, "Key", enable_key_rotation=True),
        event_patterns=[PATTERN],
    )
    assert violations(app, tmp_path) == ["AwsSolutions-VPC7 at Theirs/Vpc/Resource"]
