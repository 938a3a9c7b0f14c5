"""``refluxo start``: a new run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import click

from cli.completions import workflow_names
from cli.failures import USAGE, CommandError
from cli.http_client import ENDED, Answer, ApiError, workflow_path
from cli.options import Json, Pair, Remote, calls_api, examples, interval_option, registry_option

SECTION = "Runs"


@click.command(
    "start",
    epilog=examples(
        'refluxo start order --input \'{"id": "7", "cents": 1999}\'',
        "refluxo start order --input @order.json --set cents=1999 --id order-7 --tag shop=berlin",
        "refluxo start order --set id=7 --wait 30 --json",
    ),
)
@click.argument("workflow", metavar="NAME", shell_complete=workflow_names)
@click.option("--input", "run_input", type=Json(), help="The run's input.")
@click.option("--set", "fields", type=Pair(), multiple=True, help="A field of the input; a.b=1 is one within another.")
@click.option("--id", "run_id", metavar="ID", help="The run's id (default: a fresh one).")
@click.option("--tag", "tags", type=Pair(), multiple=True, help="A tag to find the run by.")
@click.option("--tenant", metavar="NAME", help="Whose run it is.")
@click.option("--key", metavar="TEXT", help="Idempotency-Key: the same start twice is one run.")
@click.option("--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait for the end, at most so long.")
@click.option("--watch", is_flag=True, help="Watch the run until it ends.")
@interval_option
@registry_option
@calls_api
def command(  # noqa: PLR0913  (an argument for each option)
    remote: Remote,
    workflow: str,
    *,
    run_input: object,
    fields: Sequence[tuple[str, str]],
    run_id: str | None,
    tags: Sequence[tuple[str, str]],
    tenant: str | None,
    key: str | None,
    wait: float | None,
    watch: bool,
    interval: float,
    registry: str,
) -> int:
    """Start a run of a workflow.

    A value of --set is JSON where it can be read as JSON, else text. With --wait or --watch the exit code is 1
    unless the run completes (in time); --wait does not stay when the run waits for somebody.
    """
    composed = _with_fields(run_input, fields)
    asked = {"input": composed, "workflowId": run_id, "tags": dict(tags) or None, "tenant": tenant}
    body = {name: value for name, value in asked.items() if value is not None}
    started = _started(remote, workflow, body, key).document
    if wait is None and not watch:
        remote.output.document(started) if remote.output.as_json else _told(remote, started)
        return 0
    from cli.watching import wait_for, watch_run  # noqa: PLC0415  (loaded when used)

    new_id = str(started["workflowId"])
    if watch:
        return watch_run(remote, new_id, registry=registry, interval_seconds=interval)
    return wait_for(remote, new_id, registry=registry, interval_seconds=interval, patience_seconds=wait or 0)


def _started(remote: Remote, workflow: str, body: Mapping[str, object], key: str | None) -> Answer:
    try:
        return remote.api.post(workflow_path(workflow, "runs"), body, idempotency_key=key)
    except ApiError as error:
        if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "input" not in body:
            error.advice = "give --input JSON or --set KEY=VALUE"
        raise


def _told(remote: Remote, started: object) -> None:
    from cli.run_view import status_text  # noqa: PLC0415  (loaded when used)

    run_id, status = (started.get("workflowId"), started.get("status")) if isinstance(started, dict) else ("", "")
    remote.output.show(status_text(status).append(f"  {run_id}", style="default not bold"))
    remote.output.note(f"refluxo show {run_id}" + (" shows it" if status in ENDED else " --watch follows it"))


def _with_fields(run_input: object, fields: Sequence[tuple[str, str]]) -> object:
    """The input with the fields of --set put into it."""
    if not fields:
        return run_input
    if run_input is None:
        run_input = {}
    for path, text in fields:
        *parents, name = path.split(".")
        place = run_input
        for parent in parents:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            raise CommandError(f"--set {path}: the input has no object there to put it into", USAGE)
        place[name] = _value(text)
    return run_input


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
