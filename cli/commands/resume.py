"""``refluxo resume``: lets a run go on."""

from __future__ import annotations

import click

from cli.answers import told_accepted
from cli.completions import run_ids
from cli.http_client import Api, run_path
from cli.options import Json, Remote, address, calls_api, examples, reason_option

SECTION = "Runs"

_TWICE = "an answer was given before; this one is not taken"


@click.command(
    "resume",
    epilog=examples(
        "refluxo resume order-7 --reason 'the freeze is over'",
        "refluxo resume order-7 '{\"ok\": true}'",
        "refluxo resume https://api.example.com/webhooks/TOKEN '{\"ok\": true}'",
    ),
)
@click.argument("run_id", metavar="ID|WEBHOOK", shell_complete=run_ids)
@click.argument("payload", type=Json(), required=False)
@reason_option
@click.option("--key", metavar="TEXT", help="Idempotency-Key: the same call twice is one.")
@calls_api
def command(remote: Remote, run_id: str, payload: object, reason: str | None, key: str | None) -> int:
    """Let a run go on: lift its hold, or end its wait.

    The payload goes to the wait; a hold is lifted without one. Given the address of a webhook it posts the
    payload there, unsigned, as whoever was sent the link would.
    """
    if reason is not None and payload is not None:
        raise click.UsageError("--reason is for lifting a hold, which takes no payload: give one of the two")
    if run_id.startswith(("http://", "https://")):
        # A link is its own permission: nobody's credentials go to its address.
        split = address(run_id)
        answer = Api(f"{split.scheme}://{split.netloc}").post(run_id, payload, idempotency_key=key)
        return told_accepted(remote, answer, "payload delivered", repeated=_TWICE)
    # What lifts a hold may find a run that sleeps on.
    held = not remote.output.as_json and "held" in remote.api.get(run_path(run_id)).document
    body = payload if reason is None else {"reason": reason}
    answer = remote.api.post(run_path(run_id, "resume"), body, idempotency_key=key)
    done = f"the hold of {run_id} is lifted" if held else f"{run_id} goes on"
    return told_accepted(remote, answer, done, repeated=None if payload is None else _TWICE)
