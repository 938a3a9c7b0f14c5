"""What a shell offers to complete: workflow names and run ids. Silent where nothing answers."""

from __future__ import annotations

import contextlib
import io
from typing import Final

import click
from click.shell_completion import CompletionItem

from cli.failures import CommandError
from cli.options import DEFAULT_REGISTRY, remote_of

_PATIENCE_SECONDS: Final = 1.0
"""Longer than this nobody waits for a completion."""

_RUNS_OFFERED: Final = 50


def workflow_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names that begin so: the API's, else those of the registry here."""
    try:
        found = _objects(_asked(ctx, "/workflows").get("workflows"))
        names = [(str(each.get("name")), str(each.get("description") or "")) for each in found]
    except CommandError:
        names = [(name, "") for name in _registered(ctx)]
    return [CompletionItem(name, help=told) for name, told in names if name.startswith(incomplete)]


def run_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Ids of the newest runs that begin so."""
    try:
        runs = _objects(_asked(ctx, f"/runs?limit={_RUNS_OFFERED}").get("runs"))
    except CommandError:
        return []
    offered = [(str(each.get("workflowId")), f"{each.get('workflow')}, {each.get('status')}") for each in runs]
    return [CompletionItem(run_id, help=told) for run_id, told in offered if run_id.startswith(incomplete)]


def _asked(ctx: click.Context, path: str) -> dict[str, object]:
    """What the API of the options typed so far answers."""
    parameters = dict(ctx.params)
    with contextlib.suppress(Exception):  # a completion must not fail aloud, whatever was typed
        return dict(remote_of(parameters).connect(timeout_seconds=_PATIENCE_SECONDS).get(path).document)
    raise CommandError("no answer", 0)


def _objects(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _registered(ctx: click.Context) -> list[str]:
    silence = io.StringIO()
    # Likewise: the user's own modules are loaded here, and may print.
    with contextlib.suppress(Exception), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        from cli.definition_source import registry_at  # noqa: PLC0415  (loaded when used)

        return sorted(registry_at(str(ctx.params.get("registry") or DEFAULT_REGISTRY)).workflows)
    return []
