"""``refluxo signal``: something a run waits for, or will."""

from __future__ import annotations

import click

from cli.answers import told_accepted
from cli.completions import run_ids
from cli.http_client import run_path
from cli.options import Json, Remote, calls_api, examples

SECTION = "Runs"


@click.command(
    "signal",
    epilog=examples(
        "refluxo signal order-7 decision '{\"ok\": true}'",
        "refluxo signal order-7 decision @answer.json --key answer-1",
    ),
)
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@click.argument("name")
@click.argument("payload", type=Json(), required=False)
@click.option("--key", metavar="TEXT", help="Idempotency-Key: the same signal twice is one.")
@calls_api
def command(remote: Remote, run_id: str, name: str, payload: object, key: str | None) -> int:
    """Deliver a signal to a run.

    One that comes early is kept. PAYLOAD is JSON, @FILE, or - for standard input.
    """
    answer = remote.api.post(run_path(run_id, "signals", name), payload, idempotency_key=key)
    repeated = f"a signal {name} was given to {run_id} with that key before; this one is not taken"
    return told_accepted(remote, answer, f"signal {name} delivered to {run_id}", repeated=repeated)
