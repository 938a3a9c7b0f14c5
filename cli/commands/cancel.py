"""``refluxo cancel``: ends a run."""

from __future__ import annotations

import click

from cli.answers import told_changed
from cli.completions import run_ids
from cli.http_client import run_path
from cli.options import Remote, calls_api, examples, reason_option

SECTION = "Runs"


@click.command("cancel", epilog=examples("refluxo cancel order-7 --reason 'ordered twice'"))
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@reason_option
@calls_api
def command(remote: Remote, run_id: str, reason: str | None) -> int:
    """End a run as cancelled.

    A step that is being executed is not interrupted, but nothing comes of it.
    """
    body = {} if reason is None else {"reason": reason}
    return told_changed(remote, remote.api.post(run_path(run_id, "cancel"), body), run_id)
