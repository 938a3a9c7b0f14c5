"""``refluxo delete``: removes a run that has ended."""

from __future__ import annotations

import sys

import click

from cli.completions import run_ids
from cli.failures import DONE, FAILED
from cli.http_client import Answer, run_path
from cli.options import Remote, calls_api, examples

SECTION = "Runs"


@click.command("delete", epilog=examples("refluxo delete order-7", "refluxo delete order-7 --yes"))
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@click.option("--yes", is_flag=True, help="Do not ask.")
@calls_api
def command(remote: Remote, run_id: str, yes: bool) -> int:
    """Remove a run that has ended.

    Its history and all its values go with it, for good. On a terminal it asks first;
    who says no gets exit code 1.
    """
    asks = not yes and sys.stdin.isatty()
    if asks and not click.confirm(f"Remove run {run_id} with all its history?", err=True):
        return FAILED
    with remote.output.progress(f"removing {run_id}"):
        answer = _removed(remote, run_id)
    if remote.output.as_json:
        remote.output.document(answer.document)
    else:
        remote.output.show(f"{run_id} is removed")
    return DONE


def _removed(remote: Remote, run_id: str) -> Answer:
    """Asks until all of it is gone: a long run takes more than one call."""
    answer = remote.api.delete(run_path(run_id))
    while answer.document.get("removed") is False:
        answer = remote.api.delete(run_path(run_id))
    return answer
