"""``refluxo retry``: takes a failed run back to the node that failed."""

from __future__ import annotations

import click

from cli.answers import told_accepted
from cli.completions import run_ids
from cli.http_client import run_path
from cli.options import Json, Remote, calls_api, examples, reason_option

SECTION = "Runs"


@click.command(
    "retry",
    epilog=examples(
        "refluxo retry order-7",
        "refluxo retry order-7 --data '{\"url\": \"https://example.com\"}' --reason 'the address was wrong'",
        "refluxo retry order-7 --definition latest",
    ),
)
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@click.option("--data", type=Json(), help="Other data for the node that failed, in this run alone.")
@click.option("--definition", metavar="VERSION", help="Go on with this version of the workflow, or latest.")
@reason_option
@calls_api
def command(remote: Remote, run_id: str, data: object, definition: str | None, reason: str | None) -> int:
    """Take a failed run back to the node that failed.

    What was done before it stays done.
    """
    body = {"data": data, "definition": definition, "reason": reason}
    said = {name: value for name, value in body.items() if value is not None}
    answer = remote.api.post(run_path(run_id, "retry"), said)
    return told_accepted(remote, answer, f"{run_id} goes on at the node that failed")
