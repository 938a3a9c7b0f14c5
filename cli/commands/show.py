"""``refluxo show``: one run."""

from __future__ import annotations

import click

from cli.completions import run_ids
from cli.http_client import run_path
from cli.options import Remote, calls_api, examples, interval_option, registry_option

SECTION = "Runs"


@click.command(
    "show", epilog=examples("refluxo show order-7", "refluxo show order-7 --watch", "refluxo show order-7 --json")
)
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@click.option("--watch", is_flag=True, help="Stay until the run ends; exit code 1 unless it completes.")
@click.option("--graph/--no-graph", default=True, help="Draw the workflow with how far the run has come.")
@interval_option
@registry_option
@calls_api
def command(remote: Remote, run_id: str, watch: bool, graph: bool, interval: float, registry: str) -> int:
    """Show where a run stands.

    Its graph, what it waits for, its output or its error. With --watch the graph is live in the terminal;
    in a pipe each change is a line, with --json a JSON document.
    """
    from cli.definition_source import of_run  # noqa: PLC0415  (loaded when used)
    from cli.run_view import next_call, show_run  # noqa: PLC0415
    from cli.watching import watch_run  # noqa: PLC0415

    if watch:
        return watch_run(remote, run_id, registry=registry, interval_seconds=interval, graph=graph)
    run = remote.api.get(run_path(run_id)).document
    if remote.output.as_json:
        remote.output.document(run)
        return 0
    show_run(remote.output, run, of_run(remote.api, run, registry) if graph else None)
    following = next_call(run)
    if following is not None:
        remote.output.note(following)
    return 0
