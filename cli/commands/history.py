"""``refluxo history``: how a run came to where it is."""

from __future__ import annotations

import click

from cli.completions import run_ids
from cli.options import Remote, calls_api, examples, interval_option

SECTION = "Runs"


@click.command(
    "history",
    epilog=examples(
        "refluxo history order-7", "refluxo history order-7 --follow", "refluxo history order-7 --limit 20 --json"
    ),
)
@click.argument("run_id", metavar="ID", shell_complete=run_ids)
@click.option("--follow", is_flag=True, help="Stay until the run ends; exit code 1 unless it completes.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="VERSION", help="Begin after this version.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="COUNT", help="As many transitions at most (default: all)."
)
@interval_option
@calls_api
def command(remote: Remote, run_id: str, follow: bool, after: int, limit: int | None, interval: float) -> int:
    """Show each transition of a run, in order.

    With its results, and what operators did to it. With --json one document; with --follow --json each entry is
    a line of its own.
    """
    from cli.history_view import follow_history, show_history  # noqa: PLC0415  (loaded when used)

    if follow:
        return follow_history(remote, run_id, after=after, limit=limit, interval_seconds=interval)
    return show_history(remote, run_id, after=after, limit=limit)
