"""The cloud assembly: the app with its context, and the stack of the stage that the context names.

``cdk`` hands its context and output folder over in the environment; ``python app.py`` alone has neither,
so they are read here too, and both ways give the same template.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aws_cdk import App

from infra.package import PackageError, refresh_package
from infra.settings import InvalidSettings, StackSettings
from infra.stack import RefluxoStack

ROOT: Final = Path(__file__).resolve().parent.parent

# What ``cdk`` adds of its own accord: the construct path beside each resource, for its messages.
_CLI_CONTEXT: Final = {"aws:cdk:enable-path-metadata": True}


def cdk_context(root: Path | None = None) -> dict[str, Any]:
    """The context that cdk.json pins: the CDK's feature flags, and our settings."""
    document = json.loads(((root or ROOT) / "cdk.json").read_text(encoding="utf-8"))
    context: dict[str, Any] = document["context"]
    return context


def refluxo_app(
    *,
    root: Path | None = None,
    context: Mapping[str, object] | None = None,
    outdir: Path | None = None,
    asset_path: Path | None = None,
    event_patterns: Sequence[Mapping[str, object]] = (),
) -> App:
    """The app with its one stack, not yet synthesized.

    Args:
        root: the project, whose cdk.json and rooms are taken; by default the kit itself.
        context: taken before what cdk.json says; ``cdk -c`` goes before both.
        outdir: where the assembly goes; by default where ``cdk`` says, else ``cdk.out``.
        asset_path: the functions' package; by default the one that ``make package`` built.
        event_patterns: of events that start workflows.

    Raises:
        InvalidSettings: the context holds a value that cannot be used.
        PackageError: the package is not built.
    """
    root = root or ROOT
    app = App(
        outdir=str(outdir or os.environ.get("CDK_OUTDIR") or root / "cdk.out"),
        context={**_CLI_CONTEXT, **cdk_context(root), **(context or {})},
        analytics_reporting=False,
    )
    settings = StackSettings.from_context(app.node.get_all_context())
    RefluxoStack(
        app,
        f"refluxo-{settings.stage}",
        settings=settings,
        asset_path=asset_path or refresh_package(root, settings.python_version),
        event_patterns=event_patterns,
    )
    return app


def synthesize(*, root: Path | None = None, event_patterns: Sequence[Mapping[str, object]] = ()) -> None:
    """Write the cloud assembly: what a project's app.py calls. What is wrong ends the process, in one sentence."""
    try:
        refluxo_app(root=root, event_patterns=event_patterns).synth()
    except (InvalidSettings, PackageError) as error:
        sys.exit(str(error))
