"""``refluxo fork``: a new run out of another's past."""

from __future__ import annotations

import click

from cli.answers import told_changed
from cli.completions import run_ids
from cli.http_client import run_path
from cli.options import Remote, calls_api, examples, reason_option

SECTION = "Runs"


@click.command("fork", epilog=examples("refluxo fork order-7", "refluxo fork order-7 --version 3 --id order-7-again"))
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@click.option(
    "--version",
    type=click.IntRange(min=0),
    metavar="VERSION",
    help="From there on (refluxo history shows versions); default: from its newest step on, a failed run's failed one.",
)
@click.option("--id", "new_id", metavar="ID", help="The new run's id (default: a fresh one).")
@reason_option
@calls_api
def command(remote: Remote, run_id: str, version: int | None, new_id: str | None, reason: str | None) -> int:
    """Start a new run from an earlier version of one.

    The run that is forked stays as it is.
    """
    body = {"version": version, "workflowId": new_id, "reason": reason}
    said = {name: value for name, value in body.items() if value is not None}
    answer = remote.api.post(run_path(run_id, "fork"), said)
    return told_changed(remote, answer, f"{answer.document.get('workflowId')}, forked from {run_id}")
