"""``refluxo smoke``: a real deployment checked end to end."""

from __future__ import annotations

import click

from cli.options import Remote, calls_api, examples

SECTION = "Service"


@click.command(
    "smoke",
    epilog=examples(
        "refluxo smoke",
        "refluxo smoke --url https://a1b2c3.execute-api.eu-central-1.amazonaws.com --profile prod",
    ),
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=120.0,
    show_default=True,
    help="How long one thing may take.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=0.5,
    show_default=True,
    help="Time between two looks.",
)
@click.option("--keep", is_flag=True, help="Leave the runs, to look at them.")
@calls_api
def command(remote: Remote, *, timeout: float, interval: float, keep: bool) -> int:
    """Check a deployment end to end.

    Chained steps beyond the recursion guard, a delayed retry, a webhook, a hold, a cancel and a value that goes
    through S3, by workflows of its own (refluxo-smoke-...) of core node types. Its runs are removed at the end; its
    definitions stay. Exit code 1 when a check fails.

    With --json: {"url", "ok", "seconds", "checks": [{"name", "ok", "seconds", "saw"}]}.
    """
    from cli.smoke import Smoke  # noqa: PLC0415  (loaded when used)
    from cli.smoke_view import Checklist  # noqa: PLC0415

    smoke = Smoke(remote.api, timeout_seconds=timeout, interval_seconds=interval, keep=keep)
    checklist = Checklist(remote.output)
    with checklist:
        for outcome in smoke.outcomes(checklist.begins):
            checklist.tell(outcome)
    return checklist.close(remote.url)
