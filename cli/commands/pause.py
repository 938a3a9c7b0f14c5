"""``refluxo pause``: an operator's hold."""

from __future__ import annotations

import click

from cli.answers import told_accepted
from cli.completions import run_ids
from cli.http_client import run_path
from cli.options import Remote, calls_api, examples, reason_option

SECTION = "Runs"


@click.command("pause", epilog=examples("refluxo pause order-7 --reason 'the shop is closed'"))
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@reason_option
@calls_api
def command(remote: Remote, run_id: str, reason: str | None) -> int:
    """Hold a run.

    No step of it begins until refluxo resume lifts the hold.
    """
    body = {} if reason is None else {"reason": reason}
    return told_accepted(remote, remote.api.post(run_path(run_id, "pause"), body), f"{run_id} is on hold")
