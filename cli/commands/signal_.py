"""``refluxo signal``: something a run waits for, or will."""

from __future__ import annotations

from collections.abc import Mapping

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
    awaited = None if remote.output.as_json else _awaited(remote, run_id)
    answer = remote.api.post(run_path(run_id, "signals", name), payload, idempotency_key=key)
    if awaited not in {None, name}:
        remote.output.note(f"it is kept until {run_id} waits for it: now it waits for {awaited!r}")
    repeated = f"a signal {name} was given to {run_id} with that key before; this one is not taken"
    return told_accepted(remote, answer, f"signal {name} delivered to {run_id}", repeated=repeated)


def _awaited(remote: Remote, run_id: str) -> str | None:
    """What a run waits for before it is given anything: after that it may wait for another."""
    wait = remote.api.get(run_path(run_id)).document.get("wait")
    signal = wait.get("signal") if isinstance(wait, Mapping) else None
    return None if signal is None else str(signal)
