"""``refluxo graph``: a workflow drawn, or a run of it."""

from __future__ import annotations

from typing import Literal

import click

from cli.completions import run_ids, workflow_names
from cli.options import Remote, calls_api, examples, registry_option

SECTION = "Workflows"


@click.command(
    "graph",
    epilog=examples(
        "refluxo graph order",
        "refluxo graph order.json --mermaid > order.mmd",
        "refluxo graph order --run order-7",
    ),
)
@click.argument("workflow", metavar="NAME|FILE", shell_complete=workflow_names)
@click.option("--run", "run_id", metavar="ID", shell_complete=run_ids, help="Show how far this run has come.")
@click.option("--text", "form", flag_value="text", help="Draw in text (the default on a terminal).")
@click.option("--mermaid", "form", flag_value="mermaid", help="Draw as a Mermaid flowchart (the default in a pipe).")
@registry_option
@calls_api
def command(
    remote: Remote, workflow: str, run_id: str | None, form: Literal["text", "mermaid"] | None, registry: str
) -> int:
    """Draw a workflow, or a run of it.

    The workflow is one of your registry, else of the API, or in a JSON file. With --json: {"name",
    "version", "mermaid", "definition"}.
    """
    from cli.drawing import draw  # noqa: PLC0415  (the engine's models take a while to load)

    return draw(remote, workflow, run_id=run_id, form=form, registry=registry)
