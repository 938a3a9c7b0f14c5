"""``refluxo put``: a definition as data."""

from __future__ import annotations

from collections.abc import Mapping

import click

from cli.failures import DONE
from cli.http_client import workflow_path
from cli.options import JsonFile, Remote, calls_api, examples

SECTION = "Workflows"


@click.command("put", epilog=examples("refluxo put order.json", "refluxo put order.json --name order-eu"))
@click.argument("definition", type=JsonFile())
@click.option("--name", help="The workflow's name (default: the one in the definition).")
@calls_api
def command(remote: Remote, definition: object, name: str | None) -> int:
    """Store a definition of a workflow.

    What starts from now on uses it; runs that have begun keep theirs. DEFINITION is a file, JSON itself, or -
    for standard input. Names that the deployed code registers belong to the code.
    """
    if not isinstance(definition, Mapping):
        raise click.UsageError("a definition is a JSON object with nodes and edges; give its file")
    found = name or definition.get("name")
    if not isinstance(found, str):
        raise click.UsageError("the definition has no name; give --name")
    answer = remote.api.put(workflow_path(found), {**definition, "name": found})
    if remote.output.as_json:
        remote.output.document(answer.document)
        return DONE
    from cli.plain_text import plain  # noqa: PLC0415  (loaded when used)

    remote.output.show(f"{plain(found)}, version {plain(answer.document.get('version'))}")
    warnings = answer.document.get("warnings")
    for warning in warnings if isinstance(warnings, list) else ():
        remote.output.note(f"! {plain(warning.get('path'))}: {plain(warning.get('message'))}")
    remote.output.note(f"refluxo start {found} starts a run of it")
    return DONE
