"""The stack synthesized once a session, as cdk.json says, over a stand-in for the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from infra.assembly import refluxo_app
from infra.constructs.function import Package
from infra.settings import StackSettings

Synthesize = Callable[..., Template]


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
        )
        (stack,) = app.synth().stacks
        return Template.from_json(stack.template)

    return synthesized


@pytest.fixture(scope="session")
def template(synthesize: Synthesize) -> Template:
    """The stack as cdk.json alone makes it."""
    return synthesize()


@pytest.fixture(scope="session")
def production(synthesize: Synthesize) -> Template:
    """The stack of the stage ``prod``."""
    return synthesize(stage="prod")


@pytest.fixture
def package(asset_path: Path) -> Package:
    """A package with default settings, for a function on a bare stack."""
    return Package(
        code=lambda_.Code.from_asset(str(asset_path)), environment={"NAME": "value"}, settings=StackSettings()
    )
